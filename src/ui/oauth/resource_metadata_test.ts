import { assertEquals } from "@std/assert";
import { describedAt, isResourceMetadataPath } from "./resource_metadata.ts";

Deno.test("describedAt() finds the resource behind the well-known path, below the root path too, and by ContextForge's address", () => {
  const wellKnown = "/.well-known/oauth-protected-resource";
  const at = (path: string, rootPath = "") =>
    isResourceMetadataPath(path) ? describedAt(path, rootPath)?.path : "none";
  assertEquals([at(wellKnown), at(`${wellKnown}/mcp`)], ["", "/mcp"]);
  assertEquals(at(`${wellKnown}/servers/a/mcp`), "/servers/a/mcp");
  assertEquals(at(`/servers/a${wellKnown}`), "/servers/a/mcp");
  assertEquals([at(`${wellKnown}/gw/mcp`, "/gw"), at(`${wellKnown}/gw`, "/gw")], ["/mcp", ""]);
  assertEquals([at(`${wellKnown}/gwmcp`, "/gw"), at(`${wellKnown}/tools`), at(`${wellKnown}x`)], [
    undefined,
    undefined,
    "none",
  ]);
});
