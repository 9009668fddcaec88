// The dialect of the revisions with sessions (up to 2025-11-25): all messages of a channel belong to one session.
import type { JsonObject } from "../../mcp/json_rpc.ts";
import type { OnMessage } from "../transport/transport.ts";
import { type Dialect, type OpenCalls, PING_ID } from "./dialect.ts";

export class SessionDialect implements Dialect {
  readonly ping = `{"jsonrpc":"2.0","id":"${PING_ID}","method":"ping"}`;
  readonly #onMessage: OnMessage;

  readonly #isShared: boolean;

  /**
   * @param onMessage receives what the upstream sends outside calls
   * @param isShared calls of different callers use the channel
   */
  constructor(onMessage: OnMessage, isShared = false) {
    this.#onMessage = onMessage;
    this.#isShared = isShared;
  }

  take(message: JsonObject, text: string, calls: OpenCalls): undefined {
    // The upstream's request belongs to an unknown call. The latest call's client answers it and that call's deadline is
    // held. All calls of a connection are one caller's, unless it is shared.
    const isAsked = message.id !== undefined && !this.#isShared;
    const latest = isAsked ? [...calls.values()].at(-1)?.options.onMessage : undefined;
    (latest ?? this.#onMessage)(message, text);
  }

  /** The session sends the cancellation itself. */
  givenUp(): null {
    return null;
  }
}
