// Messages on a channel that is one session's (revisions to 2025-11-25).
import type { JsonObject } from "../../mcp/json_rpc.ts";
import type { OnMessage } from "../transport/transport.ts";
import { type Dialect, type OpenCalls, PING_ID } from "./dialect.ts";

export class SessionDialect implements Dialect {
  readonly ping = `{"jsonrpc":"2.0","id":"${PING_ID}","method":"ping"}`;
  readonly #onMessage: OnMessage;

  /** @param onMessage takes what the upstream sends of itself outside any call */
  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  take(message: JsonObject, text: string, calls: OpenCalls): undefined {
    // A question is asked because of a call, though nothing says which: the latest one's client answers it, on that call's
    // stream, and its deadline waits. All calls of a connection are one client's.
    const latest = message.id === undefined ? undefined : [...calls.values()].at(-1)?.options.onMessage;
    (latest ?? this.#onMessage)(message, text);
  }

  /** The session says it, in its own words. */
  givenUp(): null {
    return null;
  }
}
