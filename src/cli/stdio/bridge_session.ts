// The client's session at the gateway, over streamable HTTP. If the gateway no longer knows the session, the bridge repeats the client's
// `initialize` and what the client has set up since, and the client goes on without noticing.
import {
  isObject,
  type JsonObject,
  type Message,
  notificationText,
  replaceMember,
  type RequestMessage,
} from "../../mcp/json_rpc.ts";
import { type BridgeLink, failRequests, pause, POST_HEADERS, REFUSED_MS, REOPEN_MS } from "./bridge_link.ts";
import { connectRefusal, Refusal } from "./gateway_fault.ts";
import { MessageStream } from "./message_stream.ts";

/** Attempts to resume the stream of a call without a message in between. */
const MAX_RESUMES = 5;

/** The lists whose changes the client may have missed, by capability. */
const LISTS = ["tools", "resources", "prompts"] as const;

export class BridgeSession {
  readonly #link: BridgeLink;
  /** The client's `initialize`, as text; null before it. */
  #opening: string | null = null;
  #id: string | null = null;
  #revision: string | null = null;
  #capabilities: JsonObject = {};
  #isListening = false;
  #renewing: Promise<void> | null = null;
  /** Requests that a new session needs again: subscriptions by URI, and the log level. */
  readonly #setUp = new Map<string, string>();
  #renewals = 0;

  constructor(link: BridgeLink) {
    this.#link = link;
  }

  /** Begins the session. @throws {Refusal} */
  async open({ text }: RequestMessage, signal: AbortSignal): Promise<void> {
    const response = await this.#open(text, signal);
    this.#setUp.clear();
    this.#link.deliver(response);
  }

  /** Sends a notification or a response of the client. Resolves when the gateway has it. @throws {Refusal} */
  async tell(text: string, messages: readonly Message[]): Promise<void> {
    const response = await this.#post(text, this.#link.ending);
    await response.body?.cancel();
    const isInitialized = messages.some((message) =>
      message.kind === "notification" && message.method === "notifications/initialized"
    );
    if (isInitialized && !this.#isListening) {
      this.#isListening = true;
      void this.#listen();
    }
  }

  /**
   * Sends requests: one, or a batch. Their responses are delivered, refusals too.
   * @param isOpen does the client still wait for a response?
   */
  async ask(
    text: string,
    requests: readonly RequestMessage[],
    { signal, isOpen }: {
      readonly signal: AbortSignal;
      readonly isOpen: (request: RequestMessage) => boolean;
    },
  ): Promise<void> {
    const waiting = () => signal.aborted ? [] : requests.filter(isOpen);
    try {
      const response = await this.#post(text, signal);
      const stream = MessageStream.in(response);
      if (stream === null) {
        const body = await response.text();
        if (body !== "" && !signal.aborted) this.#link.deliver(body);
      } else await this.#follow(stream, signal, waiting);
      for (const request of requests) if (!isOpen(request)) this.#remember(request);
      if (waiting().length === 0) return;
      throw connectRefusal("the connection broke before the response", this.#link.gateway.origin);
    } catch (error) {
      if (!signal.aborted) failRequests(this.#link, waiting(), error);
    }
  }

  /** Ends the session, if the gateway answers soon. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#id === null) return;
    const request = { method: "DELETE", headers: this.#headers(), signal } as const;
    await this.#link.gateway.send(request).then((response) => response.body?.cancel(), () => {});
  }

  /** Delivers the messages of a call's stream, and resumes it where the connection breaks. */
  async #follow(
    first: MessageStream,
    signal: AbortSignal,
    waiting: () => readonly RequestMessage[],
  ): Promise<void> {
    let stream: MessageStream | null = first;
    let lastEventId: string | null = null;
    for (let resumes = 0; stream !== null; resumes++) {
      for await (const message of stream.messages()) {
        if (signal.aborted) return;
        resumes = 0;
        this.#link.deliver(message);
      }
      lastEventId = stream.lastEventId ?? lastEventId;
      if (lastEventId === null || waiting().length === 0 || resumes === MAX_RESUMES) return;
      await pause(this.#link, stream.retryMs ?? REOPEN_MS, signal);
      signal.throwIfAborted();
      stream = MessageStream.in(await this.#get(lastEventId, signal));
    }
  }

  /** Delivers what belongs to no call, until the bridge ends. */
  async #listen(): Promise<void> {
    const { ending, report } = this.#link;
    let session = this.#id;
    let lastEventId: string | null = null;
    while (!ending.aborted) {
      if (session !== this.#id) [session, lastEventId] = [this.#id, null];
      let waitMs = REOPEN_MS;
      try {
        const stream = MessageStream.in(await this.#get(lastEventId, ending));
        if (stream === null) return;
        for await (const message of stream.messages()) this.#link.deliver(message);
        lastEventId = stream.lastEventId ?? lastEventId;
        waitMs = stream.retryMs ?? REOPEN_MS;
      } catch (error) {
        if (ending.aborted || !(error instanceof Refusal) || error.status === 405) return;
        waitMs = REFUSED_MS;
        if (isLost(error)) {
          await this.#renew(session).then(
            () => waitMs = 0,
            (error) => error instanceof Refusal && report(error),
          );
        } else if (error.status === 400) [lastEventId, waitMs] = [null, 0];
        else report(error);
      }
      await pause(this.#link, waitMs, ending);
    }
  }

  /** Sends a message in the session, once more in a new one if the gateway no longer knows it. @throws {Refusal} */
  async #post(body: string, signal: AbortSignal): Promise<Response> {
    const session = this.#id;
    const send = () =>
      this.#link.gateway.send({
        method: "POST",
        headers: { ...POST_HEADERS, ...this.#headers() },
        body,
        signal,
      });
    try {
      return await send();
    } catch (error) {
      if (!isLost(error)) throw error;
      await this.#renew(session);
      return await send();
    }
  }

  async #get(lastEventId: string | null, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { accept: "text/event-stream", ...this.#headers() };
    if (lastEventId !== null) headers["last-event-id"] = lastEventId;
    return await this.#link.gateway.send({ method: "GET", headers, signal });
  }

  #headers(): Record<string, string> {
    return {
      ...(this.#id === null ? {} : { "mcp-session-id": this.#id }),
      ...(this.#revision === null ? {} : { "mcp-protocol-version": this.#revision }),
    };
  }

  /** Several requests find the session gone; one of them opens the next. @param lost the session that is gone */
  async #renew(lost: string | null): Promise<void> {
    if (this.#id !== lost) return;
    this.#renewing ??= this.#reopen().finally(() => this.#renewing = null);
    await this.#renewing;
  }

  /** @throws {Refusal} */
  async #reopen(): Promise<void> {
    const { deliver, ending } = this.#link;
    if (this.#opening === null) return;
    await this.#open(this.#opening, ending);
    const requests = [...this.#setUp.values()].map((text) =>
      replaceMember(text, "id", JSON.stringify(`sluice-bridge-${++this.#renewals}`))
    );
    for (const body of [notificationText("notifications/initialized"), ...requests]) {
      const headers = { ...POST_HEADERS, ...this.#headers() };
      const response = await this.#link.gateway.send({ method: "POST", headers, body, signal: ending });
      await response.body?.cancel();
    }
    for (const list of LISTS) {
      const offered = this.#capabilities[list];
      if (isObject(offered) && offered.listChanged === true) {
        deliver(notificationText(`notifications/${list}/list_changed`));
      }
    }
  }

  /** @returns the response to `initialize`, as text. @throws {Refusal} */
  async #open(body: string, signal: AbortSignal): Promise<string> {
    const response = await this.#link.gateway.send({ method: "POST", headers: POST_HEADERS, body, signal });
    const stream = MessageStream.in(response);
    let text = stream === null ? await response.text() : "";
    if (stream !== null) { for await (const message of stream.messages()) text = message; }
    const { result }: { result?: unknown } = JSON.parse(text);
    if (isObject(result)) {
      this.#opening = body;
      this.#id = response.headers.get("mcp-session-id");
      this.#revision = typeof result.protocolVersion === "string" ? result.protocolVersion : null;
      this.#capabilities = isObject(result.capabilities) ? result.capabilities : {};
    }
    return text;
  }

  #remember({ method, params, text }: RequestMessage): void {
    const uri = isObject(params) ? JSON.stringify(params.uri) : "";
    if (method === "resources/subscribe") this.#setUp.set(uri, text);
    if (method === "resources/unsubscribe") this.#setUp.delete(uri);
    if (method === "logging/setLevel") this.#setUp.set(method, text);
  }
}

/** Does the gateway not know the session any more? */
function isLost(error: unknown): boolean {
  return error instanceof Refusal && error.code === "SESSION_NOT_FOUND";
}
