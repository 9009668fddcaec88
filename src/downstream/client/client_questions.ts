// Requests of upstreams to a client (sampling, elicitation, roots). They are sent on a stream; the client responds by a message.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import {
  isObject,
  memberText,
  type Message,
  notificationText,
  replaceMember,
  requestText,
} from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";

type ResponseMessage = Extract<Message, { kind: "response" }>;

interface Question {
  readonly resolve: (answer: RpcAnswer) => void;
  /** The upstream's progress token, as JSON text. */
  readonly progressToken: string | undefined;
  readonly onProgress: (text: string) => void;
}

export interface Asking {
  /** Sends a message to the client. `isOurs`: the gateway's own message about the request. */
  readonly send: (text: string, isOurs?: true) => void;
  /** Aborted when the response is no longer needed. */
  readonly signal: CancelSignal;
  /** Takes the client's progress notifications about the request, as JSON text. */
  readonly onProgress: (text: string) => void;
}

export class ClientQuestions {
  readonly #waiting = new Map<number, Question>();
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /**
   * A small integer, as the official SDKs write: LangChain4j, among others, cannot read another id. It begins anywhere, so that ids differ
   * from those of another worker that served this session.
   */
  #nextId = 1 + Math.floor(Math.random() * 2 ** 30);

  /** @param timeoutMs how long the client may take: MCP_CLIENT_REQUEST_TIMEOUT */
  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Sends a request to the client. `params` is JSON text. @throws {SluiceError} CLIENT_DID_NOT_ANSWER; the signal's reason */
  ask(method: string, params: string | undefined, { send, signal, onProgress }: Asking): Promise<RpcAnswer> {
    // Otherwise the client would get a cancellation of a request that it never got.
    if (signal.aborted) return Promise.reject(signal.reason);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#clock.clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.#waiting.delete(id);
      };
      const giveUp = (error: unknown, reason: string) => {
        settle();
        send(notificationText("notifications/cancelled", JSON.stringify({ requestId: id, reason })), true);
        reject(error);
      };
      const onAbort = () => giveUp(signal.reason, "the server no longer waits for the answer");
      const timer = this.#clock.setTimeout(() => {
        const error = new SluiceError("CLIENT_DID_NOT_ANSWER", { method, timeoutMs: this.#timeoutMs });
        giveUp(error, "the answer took too long");
      }, this.#timeoutMs);
      signal.addEventListener("abort", onAbort, { once: true });
      const progressToken = progressTokenIn(params);
      this.#waiting.set(id, {
        resolve: (answer) => (settle(), resolve(answer)),
        progressToken,
        onProgress,
      });
      const sent = progressToken === undefined ? params : withProgressToken(params!, id);
      send(requestText(id, method, sent));
    });
  }

  /** Takes the client's response. @returns false if no request has its id */
  answer({ id, value, text }: ResponseMessage): boolean {
    const question = typeof id === "number" ? this.#waiting.get(id) : undefined;
    if (question === undefined) return false;
    const failed = !("result" in value);
    question.resolve({ text: memberText(text, failed ? "error" : "result")!, failed });
    return true;
  }

  /** Takes the client's progress notification. @returns false if no request has its token */
  progress({ params, text }: Extract<Message, { kind: "notification" }>): boolean {
    const token = isObject(params) ? params.progressToken : undefined;
    const question = typeof token === "number" ? this.#waiting.get(token) : undefined;
    if (question?.progressToken === undefined) return false;
    const told = replaceMember(memberText(text, "params")!, "progressToken", question.progressToken);
    question.onProgress(replaceMember(text, "params", told));
    return true;
  }
}

function progressTokenIn(params: string | undefined): string | undefined {
  const meta = params === undefined ? undefined : memberText(params, "_meta");
  return meta === undefined ? undefined : memberText(meta, "progressToken");
}

/** Replaces the progress token by the request's id: two upstreams may have chosen the same token (2025-11-25, progress: "unique across all active requests"). */
function withProgressToken(params: string, id: number): string {
  const meta = replaceMember(memberText(params, "_meta")!, "progressToken", String(id));
  return replaceMember(params, "_meta", meta);
}
