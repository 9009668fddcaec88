// The upstream that the official conformance suite finds nothing to object to, as a process of its own.
//
//   deno run -A tests/conformance/upstream/main.ts [--revisions both|sessions|stateless]
//
// It listens on a free port of 127.0.0.1 and prints its URL. `sessions` speaks the revisions with sessions alone, `stateless`
// 2026-07-28 alone, as many servers do.
import { parseArgs } from "@std/cli/parse-args";
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
} from "@modelcontextprotocol/server";
import { createServer, stateCodec } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { SharedState, WATCHED_URI } from "./shared_state.ts";

type Serve = (request: Request) => Promise<Response>;

const state = new SharedState();
const codec = stateCodec();

function serverOf(revisions: string): Serve {
  const sessions = new Sessions(state, codec);
  const withSessions: Serve = (request) => sessions.serve(request);
  const stateless = statelessServer();
  switch (revisions) {
    case "sessions":
      return withSessions;
    case "stateless":
      return stateless;
    case "both":
      return async (request) => await isLegacyRequest(request) ? withSessions(request) : stateless(request);
    default:
      throw new Error(`--revisions ${revisions}: it is both, sessions or stateless`);
  }
}

function statelessServer(): Serve {
  const handler = createMcpHandler(() => createServer(state, codec).server, { legacy: "reject" });
  state.onChange((change) => {
    if (change === "tool") handler.notify.toolsChanged();
    if (change === "prompt") handler.notify.promptsChanged();
    if (change === "watched") handler.notify.resourceUpdated(WATCHED_URI);
  });
  return (request) => handler.fetch(request);
}

const { revisions } = parseArgs(Deno.args, { string: ["revisions"], default: { revisions: "both" } });
const serve = serverOf(revisions);
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/mcp`),
}, (request) => {
  // Against DNS rebinding: a page of another site that resolves to this address says so in Host or Origin.
  const refused = hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins());
  return refused ?? serve(request);
});
