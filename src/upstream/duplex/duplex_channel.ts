// An ordered channel for whole messages in both directions: a process's pipes, an event stream with POSTs, or a WebSocket.
import type { SluiceError } from "../../base/errors.ts";
import type { MemoryOwner } from "../../base/sharing/client_memory.ts";
import type { ConnectOptions, ExchangeOptions, HeaderList } from "../transport/transport.ts";
import type { Edges } from "./overlong_response.ts";

/** The sending side of a channel. */
export interface Channel {
  /**
   * Sends one message, a JSON text. Resolves when the other side has accepted the message, which may be after its response
   * arrived.
   * @throws {SluiceError} UPSTREAM_*, of which UPSTREAM_SESSION_EXPIRED ends the connection; the signal's reason
   */
  send(text: string, exchange: ExchangeOptions): Promise<void>;
  /** Closes the channel and its process or socket, within a few seconds. Never throws. */
  close(): Promise<void>;
  /** Takes out of a text from the other side what the other side must keep secret. */
  withoutSecrets(text: string): string;
  /** What a process wrote to its standard error last, in one line, without secrets; "": nothing. Other channels have none. */
  readonly lastWords?: string;
}

/** Receives a channel's events. */
export interface Receiver {
  /** Receives one whole message. */
  receive(text: string): void;
  /**
   * A message was dropped; the channel continues.
   * @param edges the known parts of the message
   * @param why default: it exceeded the size limit
   */
  lost(edges?: Edges, why?: SluiceError): void;
  /** The channel has ended. `reason` completes "the upstream is gone: ". */
  ended(reason: string): void;
}

/**
 * Opens a channel for a new session.
 * @param passed the caller's headers for opening the session, kept for its lifetime
 * @throws {SluiceError} UPSTREAM_*; the signal's reason
 */
export type OpenChannel = (
  passed: HeaderList,
  receiver: Receiver,
  exchange: ConnectOptions,
) => Promise<Channel>;

/** For whom a message counts while it arrives; undefined: for nobody, because calls of several callers use the channel. */
export function ownerOf({ caller, isShared = false }: ConnectOptions): MemoryOwner | undefined {
  return isShared ? undefined : caller;
}
