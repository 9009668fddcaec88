// The resources of the suite: fixed ones and a template.
import { type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { PNG } from "./media.ts";

export function registerResources(server: McpServer): void {
  server.registerResource("static-text", "test://static-text", {
    description: "A fixed text",
    mimeType: "text/plain",
  }, ({ href: uri }) => ({
    contents: [{ uri, mimeType: "text/plain", text: "This is the content of the static text resource." }],
  }));

  server.registerResource("static-binary", "test://static-binary", {
    description: "A fixed picture",
    mimeType: "image/png",
  }, ({ href: uri }) => ({ contents: [{ uri, mimeType: "image/png", blob: PNG }] }));

  const template = new ResourceTemplate("test://template/{id}/data", { list: undefined });
  server.registerResource("template", template, {
    description: "Data by id",
    mimeType: "application/json",
  }, ({ href: uri }, { id }) => ({
    contents: [{
      uri,
      mimeType: "application/json",
      text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
    }],
  }));
}
