// The HTTP response to one call or one batch. It is JSON unless a message comes before the result; then it is an event stream from
// that message on.
import type { Callers } from "../../auth/callers.ts";
import type { Caller } from "../../base/sharing/caller.ts";
import type { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { Cancellation } from "../../base/cancellation.ts";
import { SluiceError, toSluiceError } from "../../base/errors.ts";
import type { ClientPeer } from "../../upstream/client/client_peer.ts";
import { type LoggedStream, PRIMED_SINCE } from "../exchange/event_log.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "../exchange/event_stream.ts";
import { JSON_HEADERS, type McpReply, type McpRequest } from "../exchange/mcp_exchange.ts";
import type { DownstreamSession } from "../session/downstream_session.ts";

export interface CallReplyLimits {
  readonly callers: Pick<Callers, "of" | "enterPending">;
  readonly memory: ClientMemory;
}

type Asking = Pick<McpRequest, "acceptsJson" | "acceptsStream" | "principal">;

export class CallReply implements ClientPeer {
  /** Settles with status and headers. */
  readonly reply: Promise<McpReply>;
  /** Takes the messages of upstreams during the call; undefined for a client that accepts no stream. */
  readonly client: ClientPeer | undefined;
  /** The upstream of the call. A batch may have several. */
  #upstreamId: string | null = null;
  readonly #request: Asking;
  readonly #session: DownstreamSession | null;
  readonly #call: Cancellation;
  readonly #limits: CallReplyLimits;
  /** The caller for whom the call counts as pending since it lost its stream. */
  #pendingOf: Caller | undefined;
  #carrier: EventStream | null = null;
  #stream: LoggedStream | null = null;
  #resolve!: (reply: McpReply) => void;
  #reject!: (error: unknown) => void;

  /** @param call is cancelled when the client has disconnected and cannot resume */
  constructor(
    request: Asking,
    session: DownstreamSession | null,
    call: Cancellation,
    limits: CallReplyLimits,
  ) {
    this.#limits = limits;
    this.#request = request;
    this.#session = session;
    this.#call = call;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.client = request.acceptsStream ? this : undefined;
  }

  /**
   * A getter: V8 allocates a function that is assigned to a property in the old generation. Each call would then keep all its objects
   * until the next full collection.
   */
  get request(): ClientPeer["request"] {
    const session = this.#session;
    if (session === null) return undefined;
    return (method, params, { signal, onProgress }) =>
      session.questions.ask(method, params, { send: this.#sendFor(this.#upstreamId), signal, onProgress });
  }

  /** Sends the JSON-RPC response, as text. @param status used if no stream has begun */
  finish(body: string, status = 200): void {
    this.#finish(body, status, [body]);
  }

  /** Sends the responses to a batch: as one array, or one by one on a stream. */
  finishBatch(responses: readonly string[]): void {
    this.#finish(`[${responses.join(",")}]`, 200, responses);
  }

  /**
   * The client has cancelled the call: the stream ends without a response (2025-11-25, cancellation, "Behavior").
   * @param body sent to a client that accepts no stream, since HTTP needs a response
   */
  withdraw(body: string): void {
    this.#leave();
    if (this.#carrier !== null) this.#end((stream) => stream.withdraw());
    else if (!this.#request.acceptsStream) this.finish(body);
    else this.#resolve({ status: 200, headers: EVENT_STREAM_HEADERS, body: "" });
  }

  #finish(body: string, status: number, messages: readonly string[]): void {
    this.#leave();
    if (this.#carrier === null && (this.#request.acceptsJson || status !== 200)) {
      return this.#resolve({ status, headers: JSON_HEADERS, body });
    }
    for (const message of messages) this.#send(message);
    this.#end((stream) => stream.end());
  }

  #end(endLogged: (stream: LoggedStream) => void): void {
    const stream = this.#stream;
    if (stream === null) return this.#carrier!.close();
    endLogged(stream);
    this.#session!.forgetLater(stream);
  }

  notify(text: string): void {
    this.#send(text, this.#upstreamId);
  }

  /** The reply to a single call is its own peer, so that a warm call makes no other. */
  from(upstreamId: string): ClientPeer {
    if (this.#upstreamId === null || this.#upstreamId === upstreamId) {
      this.#upstreamId = upstreamId;
      return this;
    }
    const send = this.#sendFor(upstreamId);
    const session = this.#session;
    return {
      notify: (text) => send(text),
      ...(session === null ? {} : {
        request: (method, params, asking) => session.questions.ask(method, params, { ...asking, send }),
      }),
      expectDelay: (retryMs) => this.expectDelay(retryMs),
    };
  }

  /**
   * Opens the stream. If the upstream closed its own on purpose, ends the client's in the same way, where the client can resume it
   * (2025-11-25, transports, "Sending Messages to the Server").
   */
  expectDelay(retryMs: number | null): void {
    this.begin();
    const session = this.#session;
    if (retryMs === null || session === null || !session.mayPoll(retryMs)) return;
    // A call that may not wait without a connection keeps the one that it has.
    if (this.#enterPending() === null) this.#stream!.letPoll(retryMs);
  }

  /** Opens the stream before the first message. */
  begin(): void {
    this.#open();
  }

  /** The call failed before its result. @param body the error response as JSON text, sent if a stream has begun */
  fail(error: unknown, body?: () => string): void {
    this.#leave();
    if (this.#carrier === null) this.#reject(error);
    else if (body !== undefined) this.finish(body());
    else this.#end((stream) => stream.end());
  }

  #sendFor(upstreamId: string | null): (text: string, isOurs?: true) => void {
    return (text, isOurs) => this.#send(text, isOurs ? null : upstreamId);
  }

  #send(message: string, upstreamId: string | null = null): void {
    const carrier = this.#open();
    if (this.#stream === null) carrier.send(message);
    else this.#stream.send(message, upstreamId);
  }

  #open(): EventStream {
    if (this.#carrier !== null) return this.#carrier;
    const { memory } = this.#limits;
    const carrier: EventStream = new EventStream(
      memory.hold(this.#request.principal),
      () => this.#stream === null ? this.#gone() : this.#stream.drop(carrier),
    );
    this.#carrier = carrier;
    if (this.#session !== null) {
      this.#stream = this.#session.log.open(() => this.#lost());
      this.#stream.carryOn(carrier, null);
      if (this.#session.revision >= PRIMED_SINCE) this.#stream.prime();
    }
    this.#resolve({ status: 200, headers: EVENT_STREAM_HEADERS, body: carrier.readable });
    return carrier;
  }

  /** Nothing carries the stream; the request's own signal does not tell that. */
  #lost(): void {
    // A disconnect is no cancellation if the stream can be resumed (2025-11-25, transports, "Sending Messages").
    if (this.#session!.revision < PRIMED_SINCE) return this.#gone();
    const excess = this.#enterPending();
    if (excess !== null) this.#gone(excess);
    else this.#session!.ifStillLost(this.#stream!, () => this.#gone());
  }

  /** The client will not read the answer. */
  #gone(why = new SluiceError("REQUEST_CANCELLED")): void {
    this.#call.cancel(why);
  }

  /** The call goes on without a connection. Counts until its end. @returns why it may not */
  #enterPending(): SluiceError | null {
    if (this.#pendingOf !== undefined) return null;
    const { callers } = this.#limits;
    const caller = callers.of(this.#request.principal);
    try {
      callers.enterPending(caller);
    } catch (error) {
      return toSluiceError(error);
    }
    this.#pendingOf = caller;
    return null;
  }

  #leave(): void {
    if (this.#pendingOf !== undefined) this.#pendingOf.pending--;
    this.#pendingOf = undefined;
  }
}
