// Requests of upstreams to the client (sampling, elicitation, roots): sent on a stream, answered by a POST of the client's.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, memberText, type Message, notificationText, replaceMember } from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";

type ResponseMessage = Extract<Message, { kind: "response" }>;

interface Question {
  readonly resolve: (answer: RpcAnswer) => void;
  /** The upstream's progress token for the question, as JSON text. */
  readonly progressToken: string | undefined;
  readonly onProgress: (text: string) => void;
}

export interface Asking {
  /** Sends a message to the client. */
  readonly send: (text: string) => void;
  /** Aborted when nobody wants the answer any more. */
  readonly signal: CancelSignal;
  /** Takes the client's progress notifications about the question, as JSON text. */
  readonly onProgress: (text: string) => void;
}

export class ClientQuestions {
  readonly #waiting = new Map<string, Question>();
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** No other worker that serves this session gives the same ids. */
  readonly #prefix = crypto.randomUUID().slice(0, 8);
  #nextId = 1;

  /** @param timeoutMs how long the client may take: MCP_CLIENT_REQUEST_TIMEOUT */
  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Ask the client. `params` is JSON text. @throws {SluiceError} CLIENT_DID_NOT_ANSWER; the signal's reason */
  ask(method: string, params: string | undefined, { send, signal, onProgress }: Asking): Promise<RpcAnswer> {
    // The client would be told that something it has never been asked is no longer wanted.
    if (signal.aborted) return Promise.reject(signal.reason);
    const id = `${this.#prefix}-${this.#nextId++}`;
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#clock.clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        this.#waiting.delete(id);
      };
      const giveUp = (error: unknown, reason: string) => {
        settle();
        send(notificationText("notifications/cancelled", JSON.stringify({ requestId: id, reason })));
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
      const text = sent === undefined ? "" : `,"params":${sent}`;
      send(`{"jsonrpc":"2.0","id":"${id}","method":${JSON.stringify(method)}${text}}`);
    });
  }

  /** The client's answer. @returns false where nobody has asked */
  answer({ id, value, text }: ResponseMessage): boolean {
    const question = typeof id === "string" ? this.#waiting.get(id) : undefined;
    if (question === undefined) return false;
    const failed = !("result" in value);
    question.resolve({ text: memberText(text, failed ? "error" : "result")!, failed });
    return true;
  }

  /** The client's progress notification about a question. @returns false where nobody has asked */
  progress({ params, text }: Extract<Message, { kind: "notification" }>): boolean {
    const token = isObject(params) ? params.progressToken : undefined;
    const question = typeof token === "string" ? this.#waiting.get(token) : undefined;
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

/** The question's id is its token: two upstreams may have chosen the same one (2025-11-25, progress: "unique across all active requests"). */
function withProgressToken(params: string, id: string): string {
  const meta = replaceMember(memberText(params, "_meta")!, "progressToken", JSON.stringify(id));
  return replaceMember(params, "_meta", meta);
}
