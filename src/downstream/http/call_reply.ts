// The HTTP response to one call or one batch. It is JSON unless a message comes before the result; then it is an event stream from
// that message on.
import type { Cancellation } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import type { ClientPeer } from "../../upstream/client/client_peer.ts";
import { type LoggedStream, PRIMED_SINCE } from "../exchange/event_log.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "../exchange/event_stream.ts";
import { JSON_HEADERS, type McpReply, type McpRequest } from "../exchange/mcp_exchange.ts";
import type { DownstreamSession } from "../session/downstream_session.ts";

export class CallReply implements ClientPeer {
  /** Settles with status and headers. */
  readonly reply: Promise<McpReply>;
  /** Takes the messages of upstreams during the call; undefined for a client that accepts no stream. */
  readonly client: ClientPeer | undefined;
  readonly request?: ClientPeer["request"];
  readonly #request: Pick<McpRequest, "acceptsJson" | "acceptsStream">;
  readonly #session: DownstreamSession | null;
  readonly #call: Cancellation;
  #carrier: EventStream | null = null;
  #stream: LoggedStream | null = null;
  #resolve!: (reply: McpReply) => void;
  #reject!: (error: unknown) => void;

  /** @param call is cancelled when the client has disconnected and cannot resume */
  constructor(
    request: Pick<McpRequest, "acceptsJson" | "acceptsStream">,
    session: DownstreamSession | null,
    call: Cancellation,
  ) {
    this.#request = request;
    this.#session = session;
    this.#call = call;
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.client = request.acceptsStream ? this : undefined;
    if (session !== null) {
      this.request = (method, params, { signal, onProgress }) =>
        session.questions.ask(method, params, { send: (text) => this.#send(text), signal, onProgress });
    }
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
    if (this.#carrier !== null) this.#end((stream) => stream.withdraw());
    else if (!this.#request.acceptsStream) this.finish(body);
    else this.#resolve({ status: 200, headers: EVENT_STREAM_HEADERS, body: "" });
  }

  #finish(body: string, status: number, messages: readonly string[]): void {
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
    this.#send(text);
  }

  expectDelay(): void {
    this.#open();
  }

  /** The call failed before its result. @param body the error response as JSON text, sent if a stream has begun */
  fail(error: unknown, body?: () => string): void {
    if (this.#carrier !== null && body !== undefined) this.finish(body());
    else this.#reject(error);
  }

  #send(message: string): void {
    const carrier = this.#open();
    if (this.#stream === null) carrier.send(message);
    else this.#stream.send(message);
  }

  #open(): EventStream {
    if (this.#carrier !== null) return this.#carrier;
    const carrier = this.#carrier = new EventStream(() => this.#lost(carrier));
    if (this.#session !== null) {
      this.#stream = this.#session.log.open();
      this.#stream.carryOn(carrier, null);
      if (this.#session.revision >= PRIMED_SINCE) this.#stream.prime();
    }
    this.#resolve({ status: 200, headers: EVENT_STREAM_HEADERS, body: carrier.readable });
    return carrier;
  }

  /** The client closed the stream; the request's own signal does not tell that. */
  #lost(carrier: EventStream): void {
    const stream = this.#stream;
    const gone = () => this.#call.cancel(new SluiceError("REQUEST_CANCELLED"));
    if (stream === null) return gone();
    stream.drop(carrier);
    if (stream.ended) return;
    // A disconnect is no cancellation if the stream can be resumed (2025-11-25, transports, "Sending Messages").
    if (this.#session!.revision < PRIMED_SINCE) gone();
    else this.#session!.ifStillLost(stream, gone);
  }
}
