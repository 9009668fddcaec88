// Tools whose result is fixed: one per kind of content, and one that fails.
import type { McpServer } from "@modelcontextprotocol/server";
import { PNG, WAV } from "./media.ts";

export function registerContentTools(server: McpServer): void {
  const image = { type: "image" as const, data: PNG, mimeType: "image/png" };

  server.registerTool("test_simple_text", { description: "Gives one text" }, () => ({
    content: [{ type: "text", text: "This is a simple text response for testing." }],
  }));

  server.registerTool("test_image_content", { description: "Gives a picture" }, () => ({ content: [image] }));

  server.registerTool("test_audio_content", { description: "Gives a sound" }, () => ({
    content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }],
  }));

  server.registerTool("test_embedded_resource", { description: "Gives a resource in the result" }, () => ({
    content: [{
      type: "resource",
      resource: {
        uri: "test://embedded-resource",
        mimeType: "text/plain",
        text: "This is an embedded resource content.",
      },
    }],
  }));

  server.registerTool(
    "test_multiple_content_types",
    { description: "Gives text, picture and resource" },
    () => ({
      content: [
        { type: "text", text: "Multiple content types test:" },
        image,
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ test: "data", value: 123 }),
          },
        },
      ],
    }),
  );

  server.registerTool("test_error_handling", { description: "Always fails" }, () => ({
    isError: true,
    content: [{ type: "text", text: "This tool intentionally returns an error for testing" }],
  }));
}
