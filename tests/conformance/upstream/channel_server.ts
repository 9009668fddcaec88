// The upstream on a channel: one ordered way for messages in both directions, be it a process's pipes or a WebSocket.
import type { McpServer, RequestStateCodec } from "@modelcontextprotocol/server";
import { serveStdio, type ServeStdioOptions } from "@modelcontextprotocol/server/stdio";
import type { RoundState } from "./input_tools.ts";
import { createServer } from "./server.ts";
import { type SharedState, WATCHED_URI } from "./shared_state.ts";

export type ChannelRevisions = "stateless" | "both";

interface ChannelServerOptions extends Pick<ServeStdioOptions, "transport"> {
  readonly revisions: ChannelRevisions;
  readonly state: SharedState;
  readonly codec: RequestStateCodec<RoundState>;
  /** Registers what else it is to have. */
  readonly extend?: (server: McpServer) => void;
}

/** Serves until the channel ends: 2026-07-28, and with `both` the revisions with sessions, too. */
export function serveChannel({ revisions, state, codec, extend, transport }: ChannelServerOptions): void {
  serveStdio((context) => {
    const { server, follow } = createServer(state, codec);
    extend?.(server);
    const ends = [follow()];
    // The SDK sends it to those who have subscribed.
    if (context.era === "modern") {
      ends.push(state.onChange((change) => {
        if (change === "watched") server.server.sendResourceUpdated({ uri: WATCHED_URI }).catch(() => {});
      }));
    }
    server.server.onclose = () => ends.forEach((end) => end());
    return server;
  }, { transport, legacy: revisions === "stateless" ? "reject" : "serve" });
}
