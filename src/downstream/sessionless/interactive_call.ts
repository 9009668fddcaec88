// A call that may ask its client for input. The client gets the questions by a response and answers by a further request; the call
// goes on between the two (2026-07-28, "Input Required Results").
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import {
  type AskOptions,
  type ClientPeer,
  NOT_ASKABLE,
  type RpcAnswer,
} from "../../upstream/client/client_peer.ts";

export interface InputRequest {
  readonly method: string;
  /** JSON text. */
  readonly params: string | undefined;
}

/** The contents of one response: the call's result, or the questions to the client. */
export type Turn =
  | { readonly kind: "answer"; readonly answer: RpcAnswer }
  | { readonly kind: "input"; readonly requests: ReadonlyMap<string, InputRequest> };

interface Question extends InputRequest {
  readonly resolve: (answer: RpcAnswer) => void;
}

/** Time to collect questions for one response, ms: upstreams send several questions as separate messages. */
const GATHER_MS = 15;

const IGNORED = () => {};

export class InteractiveCall {
  /** Ends the call. */
  readonly cancellation = new Cancellation();
  readonly #answer: Promise<RpcAnswer>;
  readonly #questions = new Map<string, Question>();
  /** The client can be asked. */
  readonly #mayAsk: boolean;
  /** Takes notifications while a request is open. */
  #notify: ((text: string) => void) | null = null;
  #onQuestion: () => void = IGNORED;
  #nextKey = 1;

  /** @param askable the methods that the client's capabilities allow; no others are sent to it */
  constructor(
    run: (client: ClientPeer, signal: CancelSignal) => Promise<RpcAnswer>,
    askable: ReadonlySet<string>,
  ) {
    const request: ClientPeer["request"] = (method, params, options) =>
      askable.has(method) ? this.#ask(method, params, options) : Promise.resolve(NOT_ASKABLE);
    const client: ClientPeer = {
      notify: (text) => this.#notify?.(text),
      ...(askable.size > 0 ? { request } : {}),
    };
    this.#mayAsk = askable.size > 0;
    this.#answer = run(client, this.cancellation);
    // Awaited by one request after the other; between them by none.
    this.#answer.catch(() => {});
  }

  /**
   * Waits for the contents of the next response.
   * @param notify takes notifications until then
   * @param responses the client's answers to the last questions; unknown ones are ignored
   */
  async turn(notify: (text: string) => void, responses: ReadonlyMap<string, string>): Promise<Turn> {
    for (const [key, text] of responses) this.#questions.get(key)?.resolve({ text, failed: false });
    this.#notify = notify;
    try {
      if (!this.#mayAsk) return { kind: "answer", answer: await this.#answer };
      const answered = this.#answer.then((answer): Turn => ({ kind: "answer", answer }));
      return await Promise.race([answered, this.#asked()]);
    } finally {
      this.#notify = null;
      this.#onQuestion = IGNORED;
    }
  }

  #asked(): Promise<Turn> {
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const answerSoon = () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          // The upstream has cancelled the question.
          if (this.#questions.size > 0) resolve({ kind: "input", requests: new Map(this.#questions) });
        }, GATHER_MS);
      };
      // A name, because V8 puts a function that is assigned to a property as it is made into the old generation: see CallReply.request.
      this.#onQuestion = answerSoon;
      // The client left some questions unanswered.
      if (this.#questions.size > 0) this.#onQuestion();
    });
  }

  #ask(method: string, params: string | undefined, { signal }: AskOptions): Promise<RpcAnswer> {
    const key = `input-${this.#nextKey++}`;
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#questions.delete(key);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        settle();
        reject(signal.reason);
      };
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#questions.set(key, { method, params, resolve: (answer) => (settle(), resolve(answer)) });
      this.#onQuestion();
    });
  }
}
