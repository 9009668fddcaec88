// A server that the official SDK's serveStdio starts: each process speaks the kind of revisions that its first message has.
//
//   deno run -A tests/support/stdio_of_both_kinds.ts MARK
//
// Its tool `count` says which kind that is, and counts.
import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

let count = 0;
serveStdio(({ era }) => {
  const server = new McpServer({ name: "both-kinds", version: "1.0.0" });
  server.registerTool("count", {}, () => ({ content: [{ type: "text", text: `${era} ${++count}` }] }));
  return server;
});
