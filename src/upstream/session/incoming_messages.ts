// What an upstream sends of itself: notifications go to the client or to the catalog, requests to the client and back.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { reasonOf } from "../../base/errors.ts";
import { errorText, isObject, type JsonObject, memberText, resultText } from "../../mcp/json_rpc.ts";
import { type ClientPeer, NOT_ASKABLE, type RpcAnswer } from "../client/client_peer.ts";
import type { OnMessage, UpstreamConnection } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";

export interface IncomingMessagesOptions {
  /** Takes what the upstream sends outside any call. */
  readonly client?: ClientPeer;
  /** Takes the method of a `notifications/{tools,prompts,resources}/list_changed`. */
  readonly onListChanged?: (method: string) => void;
}

/** The call on whose stream a message came. */
interface Call {
  readonly client: ClientPeer | undefined;
  readonly deadline: Deadline;
  readonly signal: CancelSignal | undefined;
}

/** How long a word that nobody waits for may take to reach the upstream, ms. */
const UNAWAITED_TIMEOUT_MS = 5_000;

export function unawaited(): { readonly deadline: Deadline } {
  return { deadline: new Deadline(UNAWAITED_TIMEOUT_MS, "a fixed limit") };
}

export class IncomingMessages {
  /** Set as soon as there is one; what comes before it is lost. */
  connection: UpstreamConnection | undefined;
  readonly #options: IncomingMessagesOptions;
  /** The upstream's requests that wait for the client, by the text of their id. */
  readonly #asking = new Map<string, Cancellation>();

  constructor(options: IncomingMessagesOptions) {
    this.#options = options;
  }

  /** A message outside any call. */
  readonly receive: OnMessage = (value, text) => this.#receive(value, text, this.#options.client);

  /** A message on a call's stream. */
  receiveDuring(value: JsonObject, text: string, call: Call): void {
    this.#receive(value, text, call.client ?? this.#options.client, call);
  }

  /** The session is over: nobody waits for the client's answers any more. */
  close(): void {
    for (const asking of this.#asking.values()) asking.cancel(ended());
  }

  #receive(value: JsonObject, text: string, client: ClientPeer | undefined, call?: Call): void {
    if (value.id !== undefined) return void this.#answer(value, text, client, call);
    const method = String(value.method);
    if (LIST_CHANGES.has(method)) this.#options.onListChanged?.(method);
    else if (method === "notifications/cancelled") this.#cancelled(value, text);
    else client?.notify(text);
  }

  /** The upstream no longer wants what it has asked the client for. */
  #cancelled(value: JsonObject, text: string): void {
    if (!isObject(value.params)) return;
    const id = memberText(memberText(text, "params")!, "requestId");
    if (id !== undefined) this.#asking.get(id)?.cancel(ended());
  }

  async #answer(
    { method }: JsonObject,
    text: string,
    client: ClientPeer | undefined,
    call: Call | undefined,
  ): Promise<void> {
    const id = memberText(text, "id")!;
    let answer: RpcAnswer | null;
    if (method === "ping") answer = { text: "{}", failed: false };
    else if (client?.request === undefined) answer = NOT_ASKABLE;
    else answer = await this.#ask(client, String(method), memberText(text, "params"), { id, call });
    if (answer === null) return;
    const body = answer.failed ? errorText(id, answer.text) : resultText(id, answer.text);
    await this.connection?.notify(body, unawaited()).catch(() => {});
  }

  /** @returns null where the upstream has taken its question back */
  async #ask(
    client: ClientPeer,
    method: string,
    params: string | undefined,
    { id, call }: { readonly id: string; readonly call: Call | undefined },
  ): Promise<RpcAnswer | null> {
    const asking = new Cancellation();
    const giveUp = () => asking.cancel(call!.signal!.reason);
    this.#asking.set(id, asking);
    call?.signal?.addEventListener("abort", giveUp, { once: true });
    call?.deadline.hold();
    try {
      return await client.request!(method, params, {
        signal: asking,
        onProgress: (text) => void this.connection?.notify(text, unawaited()).catch(() => {}),
      });
    } catch (error) {
      if (asking.aborted) return null;
      return { text: JSON.stringify({ code: INTERNAL_ERROR, message: reasonOf(error) }), failed: true };
    } finally {
      call?.deadline.release();
      call?.signal?.removeEventListener("abort", giveUp);
      this.#asking.delete(id);
    }
  }
}

export const LIST_CHANGES: ReadonlySet<string> = new Set([
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
]);

const INTERNAL_ERROR = -32603;

function ended(): DOMException {
  return new DOMException("nobody waits for the answer any more", "AbortError");
}
