import { assertEquals } from "@std/assert";
import { opens, resourceAt, resourceIn, WHOLE_GATEWAY } from "./resources.ts";

Deno.test("resourceAt() is the resource of each MCP endpoint, and of nothing else", () => {
  const pathOf = (path: string) => resourceAt(path)?.canonicalPath;
  assertEquals(resourceAt("/mcp"), { path: "/mcp", canonicalPath: "/mcp", serverId: null });
  assertEquals([pathOf("/message"), pathOf("/servers/a/message")], ["/sse", "/servers/a/sse"]);
  const uuid = "0FC8E1B2-0000-4000-8000-00000000000A";
  const server = resourceAt(`/servers/${uuid}/mcp`)!;
  assertEquals([server.path, server.serverId], [`/servers/${uuid}/mcp`, "0fc8e1b200004000800000000000000a"]);
  assertEquals(server.canonicalPath, "/servers/0fc8e1b200004000800000000000000a/mcp");
  for (
    const path of [
      "",
      "/",
      "/tools",
      "/servers",
      "/servers/a",
      '/servers/a"b/mcp',
      "/servers/a\\b/mcp",
      "/servers/\u00e9/mcp",
      "/servers/a/rpc",
      "/admin",
      "/mcp/x",
      "/a/mcp",
    ]
  ) {
    assertEquals(resourceAt(path), null, path);
  }
});

Deno.test("resourceIn() takes addresses of this gateway alone", () => {
  const base = "https://g.example/x";
  assertEquals(resourceIn(base, base), WHOLE_GATEWAY);
  assertEquals(resourceIn("https://G.example:443/x/", base), WHOLE_GATEWAY);
  assertEquals(resourceIn("https://g.example/x/servers/a/mcp/", base)?.serverId, "a");
  for (
    const other of [
      ...["https://g.example", "https://g.example/xmcp", "https://evil/x/mcp", "http://g.example/x/mcp"],
      ...["https://g.example/x/mcp#a", "https://g.example/x/mcp?a", "https://u@g.example/x/mcp", "x", ""],
      ...["https://g.example/x/../mcp", "https://g.example/x/admin", "https://g.example/x/servers/a/../b"],
    ]
  ) assertEquals(resourceIn(other, base), null, other);
});

Deno.test("opens() keeps the token of one resource from every other", () => {
  const base = "https://g.example";
  const [mcp, a, b] = ["/mcp", "/servers/a/mcp", "/servers/b/mcp"].map((path) => resourceAt(path)!);
  assertEquals([mcp, a, b].map((each) => opens(`${base}/servers/a/mcp`, base, each!)), [false, true, false]);
  assertEquals([mcp, a, b].map((each) => opens(`${base}/mcp`, base, each!)), [true, false, false]);
  assertEquals([mcp, a, b].map((each) => opens(base, base, each!)), [true, true, true]);
  assertEquals([mcp, a, b].map((each) => opens("https://other.example/mcp", base, each!)), [
    false,
    false,
    false,
  ]);
});
