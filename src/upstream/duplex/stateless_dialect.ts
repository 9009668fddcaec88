// The dialect of 2026-07-28: calls of many callers share a channel, so each message must name its call or subscription.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, type JsonObject, notificationText } from "../../mcp/json_rpc.ts";
import { META } from "../../mcp/revisions.ts";
import type { Greeting } from "../transport/transport.ts";
import { type Dialect, type OpenCall, type OpenCalls, PING_ID } from "./dialect.ts";

/** Time after the end of a call in which its log messages may still arrive, ms. */
const ECHO_MS = 5_000;

export class StatelessDialect implements Dialect {
  /** The greeting serves as ping, since 2026-07-28 has none. Every server must answer it. */
  readonly ping: string;
  readonly #upstream: string;
  readonly #clock: Clock;
  #echoUntil = 0;

  constructor(upstream: string, { method, params }: Greeting, clock: Clock) {
    this.#upstream = upstream;
    this.#clock = clock;
    this.ping = `{"jsonrpc":"2.0","id":"${PING_ID}","method":${JSON.stringify(method)},"params":${params}}`;
  }

  take(message: JsonObject, text: string, calls: OpenCalls): string | undefined {
    if (message.id !== undefined) return "a request, which 2026-07-28 servers must not send";
    const params = isObject(message.params) ? message.params : {};
    const meta = isObject(params._meta) ? params._meta : {};
    if (META.subscriptionId in meta) {
      const subscription = subscriptionIn(calls, meta[META.subscriptionId]);
      subscription?.options.onMessage?.(message, text);
      return subscription === undefined ? "a notification for an unknown subscription" : undefined;
    }
    switch (message.method) {
      case "notifications/message":
        return this.#log(message, text, calls);
      case "notifications/cancelled":
        return this.#tornDown(params.requestId, calls);
      default:
        return "a notification that names no subscription";
    }
  }

  givenUp(requestId: number, { wantsLog }: OpenCall): string {
    if (wantsLog) this.#echoUntil = this.#clock.now() + ECHO_MS;
    return notificationText("notifications/cancelled", JSON.stringify({ requestId }));
  }

  /**
   * Delivers a log message, which names no call. It can only come from a call that requested log messages, and is delivered
   * if there is exactly one.
   */
  #log(message: JsonObject, text: string, calls: OpenCalls): string | undefined {
    const [only, ...others] = [...calls.values()].filter(({ wantsLog }) => wantsLog);
    if (only === undefined) return "a log message that no call requested";
    if (others.length > 0 || this.#clock.now() < this.#echoUntil) {
      return "a log message that several calls may have caused";
    }
    only.options.onMessage?.(message, text);
  }

  /** The server ends a subscription (cancellation, "Behavior Requirements"). A response may or may not follow. */
  #tornDown(id: unknown, calls: OpenCalls): undefined {
    const error = new SluiceError("UPSTREAM_CLOSED", { upstream: this.#upstream, sent: 1 });
    subscriptionIn(calls, id)?.fail(error);
  }
}

function subscriptionIn(calls: OpenCalls, id: unknown): OpenCall | undefined {
  const call = typeof id === "number" ? calls.get(id) : undefined;
  return call?.options.isLongLived === true ? call : undefined;
}
