// The client from an upstream's point of view: it receives the upstream's notifications and answers its requests.
import type { CancelSignal } from "../../base/cancellation.ts";

/** The answer to a request, as unchanged JSON text. */
export interface RpcAnswer {
  /** The JSON-RPC result; if `failed`, the JSON-RPC error object. */
  readonly text: string;
  readonly failed: boolean;
}

/** The answer to an upstream that requests a capability the client has not declared. */
export const NOT_ASKABLE: RpcAnswer = { text: '{"code":-32601,"message":"Method not found"}', failed: true };

export interface AskOptions {
  /** Aborted when the answer is no longer needed. */
  readonly signal: CancelSignal;
  /** Receives the client's progress notifications about the request, as JSON text. */
  readonly onProgress: (text: string) => void;
}

export interface ClientPeer {
  /** Delivers a notification: the whole message as JSON text. */
  notify(text: string): void;
  /**
   * Sends the client a sampling, elicitation or roots request; `params` is JSON text. Absent if the client cannot be asked.
   * @throws {SluiceError} CLIENT_DID_NOT_ANSWER; the signal's reason
   */
  readonly request?: (method: string, params: string | undefined, options: AskOptions) => Promise<RpcAnswer>;
  /**
   * The same client for the messages of one upstream: those that still wait when the upstream is cut off are dropped. Absent if no
   * message waits.
   */
  from?(upstreamId: string): ClientPeer;
  /**
   * Called when the upstream has closed a call's stream and will be polled: the answer will take a while.
   * @param retryMs the pause that the upstream asked for when it closed the stream; null: it asked for none, or the stream broke
   */
  expectDelay?(retryMs: number | null): void;
}
