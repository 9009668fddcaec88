import { assertEquals } from "@std/assert";
import { MCP_SCOPES, scopesIn, scopeText } from "./scopes.ts";

Deno.test("scopesIn() knows permissions, one virtual server and offline_access", () => {
  assertEquals(MCP_SCOPES, ["tools.read", "tools.execute", "resources.read", "prompts.read"]);
  assertEquals(scopesIn(""), { permissions: [], serverId: null });
  const scopes = scopesIn(" tools.read  server:a offline_access tools.read ")!;
  assertEquals(scopes, { permissions: ["tools.read"], serverId: "a" });
  assertEquals(scopesIn(scopeText(scopes)), scopes);
  for (
    const other of [
      "mcp",
      "*",
      "tools.*",
      "server:",
      "server:a server:b",
      "openid",
      "tools.read\ttools.execute",
    ]
  ) {
    assertEquals(scopesIn(other), null, other);
  }
});
