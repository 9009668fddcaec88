// The upstream that the official conformance suite finds nothing to object to, on standard input and output.
//
//   deno run -A tests/conformance/upstream/stdio_main.ts [--revisions stateless|both] [--state FILE] [--mark TEXT]
//
// Besides what the suite asks for it has a tool `crash`, which ends the process without an answer, and `process`, which says
// which process answers. What its tools change is kept in the file. `--mark` tells its processes from others'.
import { parseArgs } from "@std/cli/parse-args";
import type { McpServer } from "@modelcontextprotocol/server";
import { type ChannelRevisions, serveChannel } from "./channel_server.ts";
import { stateCodec } from "./server.ts";
import { SharedState } from "./shared_state.ts";

function registerProcessTools(server: McpServer): void {
  server.registerTool("crash", { description: "Ends the process" }, () => Deno.exit(7));
  server.registerTool("process", { description: "Says which process this is" }, () => ({
    content: [{ type: "text", text: String(Deno.pid) }],
  }));
}

const { revisions, state } = parseArgs(Deno.args, {
  string: ["revisions", "state", "mark"],
  default: { revisions: "stateless" },
});
serveChannel({
  revisions: revisions as ChannelRevisions,
  state: new SharedState(state),
  codec: stateCodec(),
  extend: registerProcessTools,
});
