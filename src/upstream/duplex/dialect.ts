// What the two eras of the protocol do differently on a channel.
import type { JsonObject } from "../../mcp/json_rpc.ts";
import type { RequestOptions } from "../transport/transport.ts";

/** A request that waits for its response. */
export interface OpenCall {
  readonly options: RequestOptions;
  /** It wants log messages, and says so itself (2026-07-28, logging). */
  readonly wantsLog: boolean;
  /** Ends it without a response. */
  fail(error: unknown): void;
}

/** The open calls of a connection by their ids, in the order in which they were sent. */
export type OpenCalls = ReadonlyMap<number, OpenCall>;

export interface Dialect {
  /** A request for a word from the other side, whatever it is; see PING_ID. */
  readonly ping: string;
  /**
   * Gives a notification or request of the upstream's to whom it is for; progress is the connection's own affair.
   * @returns what is wrong with one that is for nobody
   */
  take(message: JsonObject, text: string, calls: OpenCalls): string | undefined;
  /** A call was given up before its response. @returns what the other side is told of it; null: that is the session's affair */
  givenUp(id: number, call: OpenCall): string | null;
}

/** No session numbers its requests so. */
export const PING_ID = "sluice-ping";
