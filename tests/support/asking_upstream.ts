// An upstream with sessions that asks its client things during a call.
import { type FakeAnswer, FakeUpstream } from "./fake_upstream.ts";

export const FORM = { method: "elicitation/create", params: { message: "Sure?" } };

export interface AskingOptions {
  /** How many questions it asks, one after the other. */
  readonly questions?: number;
  /** Its question; default: FORM. */
  readonly question?: { readonly method: string; readonly params?: unknown };
  /** Notifications that it sends before the first one. */
  readonly notes?: readonly unknown[];
  /** And after the last. */
  readonly lastNotes?: readonly unknown[];
}

/** The result of each of its calls says what it was answered: `{"said": [...]}`. */
export function askingUpstream(
  { questions = 1, question = FORM, notes = [], lastNotes = [] }: AskingOptions = {},
): FakeUpstream {
  const waiting: PromiseWithResolvers<string>[] = [];
  return new FakeUpstream(({ method, id, http }) => {
    // A GET, by which the gateway listens, has no body.
    if (method === "response" && http.body !== undefined) {
      waiting.shift()!.resolve(http.body);
      return { status: 202 };
    }
    if (method !== "tools/call") return undefined;
    async function* body() {
      for (const note of notes) yield `data: ${JSON.stringify(note)}\n\n`;
      const said: unknown[] = [];
      for (let n = 1; n <= questions; n++) {
        const answer = Promise.withResolvers<string>();
        waiting.push(answer);
        yield `data: ${JSON.stringify({ jsonrpc: "2.0", id: `q${n}`, ...question })}\n\n`;
        const givenUp = () => answer.reject(http.signal!.reason);
        http.signal?.addEventListener("abort", givenUp, { once: true });
        said.push(JSON.parse(await answer.promise).result);
      }
      for (const note of lastNotes) yield `data: ${JSON.stringify(note)}\n\n`;
      yield `data: ${JSON.stringify({ jsonrpc: "2.0", id, result: { said } })}\n\n`;
    }
    return { headers: { "content-type": "text/event-stream" }, body: body() } satisfies FakeAnswer;
  });
}
