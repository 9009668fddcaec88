// The client's side as an upstream meets it: who takes the notifications and requests that an upstream sends of itself.
import type { CancelSignal } from "../../base/cancellation.ts";

/** What a request was answered with, as JSON text that nobody has touched. */
export interface RpcAnswer {
  /** The JSON-RPC result, or the JSON-RPC error object where `failed`. */
  readonly text: string;
  readonly failed: boolean;
}

/** What an upstream hears that asks a client for what it has not declared. */
export const NOT_ASKABLE: RpcAnswer = { text: '{"code":-32601,"message":"Method not found"}', failed: true };

export interface AskOptions {
  /** Aborted when nobody wants the answer any more. */
  readonly signal: CancelSignal;
  /** Takes the client's progress notifications about the question, as JSON text. */
  readonly onProgress: (text: string) => void;
}

export interface ClientPeer {
  /** Takes a notification, the whole message as JSON text. */
  notify(text: string): void;
  /**
   * Asks the client: sampling, elicitation, roots. `params` is JSON text. Absent where the client cannot be asked.
   * @throws {SluiceError} CLIENT_DID_NOT_ANSWER; the signal's reason
   */
  readonly request?: (method: string, params: string | undefined, options: AskOptions) => Promise<RpcAnswer>;
  /** The upstream has closed the stream of a call and wants to be asked again: the answer will take a while. */
  expectDelay?(): void;
}
