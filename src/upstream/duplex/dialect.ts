// What differs between revisions on a channel: who receives a message without a matching response.
import type { JsonObject } from "../../mcp/json_rpc.ts";
import type { RequestOptions } from "../transport/transport.ts";

/** A request that waits for its response. */
export interface OpenCall {
  readonly options: RequestOptions;
  /** The request asks for log messages (2026-07-28, logging). */
  readonly wantsLog: boolean;
  /** Ends the call without a response. */
  fail(error: unknown): void;
}

/** The open calls of a connection by id, in sending order. */
export type OpenCalls = ReadonlyMap<number, OpenCall>;

export interface Dialect {
  /** A request that makes the other side answer; see PING_ID. */
  readonly ping: string;
  /**
   * Delivers a notification or request from the upstream. The connection handles progress itself.
   * @returns the fault of a message that has no recipient
   */
  take(message: JsonObject, text: string, calls: OpenCalls): string | undefined;
  /** Called when a call is cancelled or times out. @returns the message for the other side; null: the session sends it */
  givenUp(id: number, call: OpenCall): string | null;
}

/** Sessions number their requests, so none has this id. */
export const PING_ID = "sluice-ping";
