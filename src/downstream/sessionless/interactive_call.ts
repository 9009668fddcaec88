// A call that may ask its client things, for clients that are asked by a reply and answer by a request: it goes on between
// the two (2026-07-28, "Input Required Results").
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

/** What one reply says: the call's answer, or what the client is asked. */
export type Turn =
  | { readonly kind: "answer"; readonly answer: RpcAnswer }
  | { readonly kind: "input"; readonly requests: ReadonlyMap<string, InputRequest> };

interface Question extends InputRequest {
  readonly resolve: (answer: RpcAnswer) => void;
}

/** Upstreams ask for several things at once, each in a message of its own: they go out in one reply. */
const GATHER_MS = 15;

export class InteractiveCall {
  /** Ends the call. */
  readonly cancellation = new Cancellation();
  readonly #answer: Promise<RpcAnswer>;
  readonly #questions = new Map<string, Question>();
  /** Takes notifications while a reply is open. */
  #notify: ((text: string) => void) | null = null;
  #onQuestion: () => void = () => {};
  #nextKey = 1;

  /** @param askable the methods that the client has declared it can be asked: nothing else may go out to it */
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
    this.#answer = run(client, this.cancellation);
    // Awaited in turns; between them nobody does.
    this.#answer.catch(() => {});
  }

  /**
   * Wait for what the next reply says.
   * @param notify takes notifications meanwhile
   * @param responses the client's answers to the last turn's questions; what nobody has asked is left aside
   */
  async turn(notify: (text: string) => void, responses: ReadonlyMap<string, string>): Promise<Turn> {
    for (const [key, text] of responses) this.#questions.get(key)?.resolve({ text, failed: false });
    this.#notify = notify;
    try {
      const answered = this.#answer.then((answer): Turn => ({ kind: "answer", answer }));
      return await Promise.race([answered, this.#asked()]);
    } finally {
      this.#notify = null;
      this.#onQuestion = () => {};
    }
  }

  #asked(): Promise<Turn> {
    return new Promise((resolve) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      this.#onQuestion = () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          // Taken back meanwhile.
          if (this.#questions.size > 0) resolve({ kind: "input", requests: new Map(this.#questions) });
        }, GATHER_MS);
      };
      // The client has left some unanswered.
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
