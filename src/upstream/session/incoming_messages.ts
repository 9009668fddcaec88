// Routes what an upstream sends on its own: notifications to the client or the catalog, requests to the client and its
// answers back.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import { reasonOf } from "../../base/errors.ts";
import { errorText, isObject, type JsonObject, memberText, resultText } from "../../mcp/json_rpc.ts";
import { type ClientPeer, NOT_ASKABLE, type RpcAnswer } from "../client/client_peer.ts";
import type { OnMessage, UpstreamConnection } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";

export interface IncomingMessagesOptions {
  /** Receives what the upstream sends outside any call. Default: the client of a running call, if it is clear of which. */
  readonly client?: ClientPeer;
  /** Calls of different callers use the session. What comes outside of their streams is for none of them. */
  readonly isShared?: boolean;
  /** Receives the method of a `notifications/{tools,prompts,resources}/list_changed`. */
  readonly onListChanged?: (method: string) => void;
}

/** A call on whose stream messages arrive. */
export interface RunningCall {
  readonly client: ClientPeer | undefined;
  readonly deadline: Deadline;
  readonly signal: CancelSignal | undefined;
}

/** A call during which messages outside its stream may arrive. */
export interface AskableCall extends RunningCall, Linked<AskableCall> {}

/** Limit of an upstream's requests that wait for the client, in one session. Further ones are answered by an error at once. */
const MAX_ASKING = 100;

/** Time limit for sending a message that nobody waits for, ms. */
const UNAWAITED_TIMEOUT_MS = 5_000;

export function unawaited(): { readonly deadline: Deadline } {
  return { deadline: new Deadline(UNAWAITED_TIMEOUT_MS, "a fixed limit") };
}

export class IncomingMessages {
  /** Set once the connection exists; messages before that are dropped. */
  connection: UpstreamConnection | undefined;
  readonly #options: IncomingMessagesOptions;
  /** The upstream's requests that wait for the client, by the JSON text of their id. */
  readonly #asking = new Map<string, Cancellation>();
  /** The calls during which messages outside their streams may arrive, the latest last. */
  readonly #running = new LinkedList<AskableCall>();
  /** `calls`: notifications are received only on a call's stream. A request may concern a running call wherever it arrives. */
  #receives: "all" | "calls" | "nothing" = "all";

  constructor(options: IncomingMessagesOptions) {
    this.#options = options;
  }

  /** Receives a message outside any call. */
  readonly receive: OnMessage = (value, text) => {
    if (this.#receives === "nothing" || (this.#receives === "calls" && value.id === undefined)) return;
    this.#receive(value, text, this.#options.client ?? this.#clientOf(value));
  };

  /** Adds a call that the upstream may ask about outside of its stream. */
  enter(call: AskableCall): void {
    this.#running.push(call);
  }

  leave(call: AskableCall): void {
    this.#running.remove(call);
  }

  /** Receives a message on a call's stream. A call that has been cancelled receives nothing more. */
  receiveDuring(value: JsonObject, text: string, call: RunningCall): void {
    if (this.#receives === "nothing" || call.signal?.aborted) return;
    this.#receive(value, text, call.client ?? this.#options.client, call);
  }

  /** Drops later notifications outside calls. */
  retire(): void {
    if (this.#receives === "all") this.#receives = "calls";
  }

  /** Drops later messages and cancels the requests to the client, because the session has ended. */
  close(): void {
    this.#receives = "nothing";
    for (const asking of this.#asking.values()) asking.cancel(ended());
  }

  /**
   * All calls of a session are one caller's. Any of its clients may be asked; a notification is for none of several.
   */
  #clientOf({ id }: JsonObject): ClientPeer | undefined {
    if (this.#options.isShared === true) return undefined;
    const clients = [...this.#running].flatMap(({ client }) => client ?? []);
    if (id === undefined) return clients.length === 1 ? clients[0] : undefined;
    return clients.findLast(({ request }) => request !== undefined);
  }

  #receive(value: JsonObject, text: string, client: ClientPeer | undefined, call?: RunningCall): void {
    if (value.id !== undefined) return void this.#answer(value, text, client, call);
    const method = String(value.method);
    if (LIST_CHANGES.has(method)) this.#options.onListChanged?.(method);
    else if (method === "notifications/cancelled") this.#cancelled(value, text);
    else client?.notify(text);
  }

  /** Cancels a request to the client that the upstream has withdrawn. */
  #cancelled(value: JsonObject, text: string): void {
    if (!isObject(value.params)) return;
    const id = memberText(memberText(text, "params")!, "requestId");
    if (id !== undefined) this.#asking.get(id)?.cancel(ended());
  }

  async #answer(
    { method }: JsonObject,
    text: string,
    client: ClientPeer | undefined,
    call: RunningCall | undefined,
  ): Promise<void> {
    const id = memberText(text, "id")!;
    let answer: RpcAnswer | null;
    if (method === "ping") answer = { text: "{}", failed: false };
    else if (client?.request === undefined) answer = NOT_ASKABLE;
    else if (this.#asking.size >= MAX_ASKING) answer = TOO_MANY_ASKED;
    else answer = await this.#ask(client, String(method), memberText(text, "params"), { id, call });
    if (answer === null) return;
    const body = answer.failed ? errorText(id, answer.text) : resultText(id, answer.text);
    await this.connection?.notify(body, unawaited()).catch(() => {});
  }

  /** @returns null if the upstream has withdrawn its request */
  async #ask(
    client: ClientPeer,
    method: string,
    params: string | undefined,
    { id, call }: { readonly id: string; readonly call: RunningCall | undefined },
  ): Promise<RpcAnswer | null> {
    const asking = new Cancellation();
    const giveUp = () => asking.cancel(call!.signal!.reason);
    this.#asking.set(id, asking);
    call?.signal?.addEventListener("abort", giveUp, { once: true });
    // Outside of a call's stream the question may belong to any of them.
    const waiting = call === undefined ? [...this.#running] : [call];
    for (const { deadline } of waiting) deadline.hold();
    try {
      return await client.request!(method, params, {
        signal: asking,
        onProgress: (text) => void this.connection?.notify(text, unawaited()).catch(() => {}),
      });
    } catch (error) {
      if (asking.aborted) return null;
      return { text: JSON.stringify({ code: INTERNAL_ERROR, message: reasonOf(error) }), failed: true };
    } finally {
      for (const { deadline } of waiting) deadline.release();
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

const TOO_MANY_ASKED: RpcAnswer = {
  text: JSON.stringify({
    code: INTERNAL_ERROR,
    message: `The client has ${MAX_ASKING} requests of this session to answer; wait for their responses`,
  }),
  failed: true,
};

function ended(): DOMException {
  return new DOMException("the answer is no longer needed", "AbortError");
}
