// One ordered way for whole messages in both directions: a child process's pipes, an event stream with its POSTs, a WebSocket.
import type { ExchangeOptions, HeaderList } from "../transport/transport.ts";
import type { Edges } from "./lost_answer.ts";

/** Our side of a channel: what a connection does with it. */
export interface Channel {
  /**
   * Sends one message, a JSON text. Resolves when the other side has taken it, which may be later than the answer to it.
   * @throws {SluiceError} UPSTREAM_*, of which UPSTREAM_SESSION_EXPIRED ends the connection; the signal's reason
   */
  send(text: string, exchange: ExchangeOptions): Promise<void>;
  /** Ends it, and whatever it runs on. Never throws, takes no longer than a few seconds. */
  close(): Promise<void>;
}

/** What a channel tells its connection. */
export interface Receiver {
  /** One message came whole. */
  receive(text: string): void;
  /** A message was longer than it may be and is lost; the channel goes on. @param edges as far as they are known */
  lost(edges?: Edges): void;
  /** The channel is over and carries nothing any more; `reason` completes "the upstream is gone: ". */
  ended(reason: string): void;
}

/**
 * Opens a channel for a new session.
 * @param passed the caller's headers that the session is opened with, and keeps
 * @throws {SluiceError} UPSTREAM_*; the signal's reason
 */
export type OpenChannel = (
  passed: HeaderList,
  receiver: Receiver,
  exchange: ExchangeOptions,
) => Promise<Channel>;
