// A connection over one channel. Responses are matched to requests by id; the dialect decides who gets every other message.
import { unlessAborted } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { isError, reasonOf, SluiceError } from "../../base/errors.ts";
import { printable } from "../transport/printable.ts";
import { SeenAnswer, seenForeign } from "../../base/seen_answer.ts";
import { logLevelIn, mayClaim } from "../../mcp/claims.ts";
import { errorText, isObject, type JsonObject, memberText, piecesOf } from "../../mcp/json_rpc.ts";
import { META } from "../../mcp/revisions.ts";
import type { ExchangeOptions, Reply, RequestOptions, UpstreamConnection } from "../transport/transport.ts";
import { NOT_ASKABLE } from "../client/client_peer.ts";
import { Deadline, inTime, upstreamTimeout } from "../resilience/deadline.ts";
import type { Channel, Receiver } from "./duplex_channel.ts";
import { type Dialect, type OpenCall, PING_ID } from "./dialect.ts";
import { answeredBy, type Edges, edgesOf } from "./overlong_response.ts";
import { ProgressTokens } from "./progress_tokens.ts";
import { type IdleLimits, IdleWatch } from "./idle_watch.ts";

export interface DuplexOptions extends IdleLimits {
  /** The upstream's name in errors. */
  readonly upstream: string;
  readonly maxResponseBytes: number;
  readonly clock: Clock;
  readonly dialect: Dialect;
  /** Receives the fault of a message that is invalid or has no recipient, for the log. The message is dropped. */
  readonly onStray: (what: string) => void;
  /** Called once, when the connection has become unusable. */
  readonly onEnded: () => void;
}

interface Pending extends OpenCall {
  readonly callersToken: string | undefined;
  readonly settle: (outcome: Reply | { readonly error: unknown }) => void;
}

/** Limit of a text that is no message and is kept, and of its part that an error quotes, in characters. */
const MAX_FOREIGN_KEPT = 4_096;
const MAX_FOREIGN_QUOTED = 200;

/** Time limit for sending a long-lived request, which has no deadline of its own, ms. */
const SEND_TIMEOUT_MS = 30_000;

export class DuplexConnection implements UpstreamConnection, Receiver {
  readonly sessionId = null;
  readonly isStateful = true;
  readonly #options: DuplexOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #tokens = new ProgressTokens();
  readonly #idleWatch: IdleWatch;
  #channel: Channel | undefined;
  /** The beginning of the first text since the last message that is none. */
  #foreign: Uint8Array | undefined;
  #isEstablished = false;
  #isRetired = false;
  /** The reason why the connection is unusable. */
  #end: { readonly reason: string } | undefined;

  constructor(options: DuplexOptions) {
    this.#options = options;
    this.#idleWatch = new IdleWatch(options, options.clock, {
      isBusy: () => this.#some(({ isLongLived = false }) => !isLongLived),
      isWanted: () => this.#isWanted(),
      ping: () => {
        const deadline = new Deadline(options.pingAfterMs, "a fixed limit", options.clock.now());
        this.#tell(options.dialect.ping, { deadline });
      },
      onIdle: () => void this.close(),
      onDead: () => void this.#fail("the upstream did not answer a ping"),
    });
  }

  get closed(): boolean {
    return this.#end !== undefined;
  }

  /** Called when the channel is open. The connection may have ended meanwhile. */
  attach(channel: Channel): void {
    this.#channel = channel;
    if (this.closed) void channel.close();
  }

  established(): void {
    this.#isEstablished = true;
    if (this.closed) return;
    this.#idleWatch.start();
    if (this.#isRetired) this.retire();
  }

  async request(id: number, body: string, options: RequestOptions): Promise<Reply> {
    options.signal?.throwIfAborted();
    if (this.closed) throw this.#gone(0);
    const { body: text, callersToken } = this.#tokens.replace(body, id);
    this.#idleWatch.used(isSubscription(text));
    return await new Promise<Reply>((resolve, reject) => {
      const { clock, dialect } = this.#options;
      const { signal, deadline, isLongLived = false } = options;
      const giveUp = (error: unknown) => {
        const call = this.#pending.get(id);
        const notice = call === undefined ? null : dialect.givenUp(id, call);
        settle({ error });
        if (notice !== null && !this.closed) this.#tell(notice, this.#shortly());
      };
      const expire = () => {
        const waitMs = deadline.at - clock.now();
        // The upstream waits for a client's answer, for this call or for another one that it cannot tell apart. Its silence
        // is no fault, so the deadline is checked again later.
        if (this.#isHeld()) timer = clock.setTimeout(expire, deadline.ms);
        else if (waitMs > 0) timer = clock.setTimeout(expire, waitMs);
        else giveUp(this.#timeout(deadline));
      };
      const cancel = () => giveUp(signal!.reason);
      const settle: Pending["settle"] = (outcome) => {
        if (!this.#pending.delete(id)) return;
        this.#idleWatch.used();
        if (timer !== undefined) clock.clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome);
        if (this.#isRetired && this.#isEstablished) this.#closeIfUnwanted();
      };
      let timer = isLongLived ? undefined : clock.setTimeout(expire, Math.max(0, deadline.at - clock.now()));
      const wantsLog = mayClaim(text, META.logLevel) && logLevelIn(memberText(text, "params")) !== null;
      const fail = (error: unknown) => settle({ error });
      this.#pending.set(id, { options, callersToken, wantsLog, settle, fail });
      signal?.addEventListener("abort", cancel, { once: true });
      this.#send(text, isLongLived ? { ...this.#shortly(), signal } : options).catch((error) => {
        settle({ error });
        if (isError(error, "UPSTREAM_SESSION_EXPIRED")) {
          this.#fail("the upstream no longer knows the session");
        }
      });
    });
  }

  async notify(body: string, exchange: ExchangeOptions): Promise<void> {
    exchange.signal?.throwIfAborted();
    if (this.closed) throw this.#gone(0);
    const { upstream, clock } = this.#options;
    const { deadline, signal } = exchange;
    // An upstream that does not read must not hold up the sender.
    const work = { upstream, phase: "accept the message", signal, clock };
    await inTime(deadline, work, (giveUp) => unlessAborted(this.#send(body, exchange), giveUp));
  }

  /** The channel already carries messages outside calls. */
  listen(): void {}

  async close(): Promise<void> {
    this.#finish("the gateway closed the connection");
    await this.#channel?.close();
  }

  /** Closes the connection after its running calls, and after those that wait for it to open (`UpstreamChannel.retire`). */
  retire(): void {
    this.#isRetired = true;
    if (this.#isEstablished) this.#options.clock.setTimeout(() => this.#closeIfUnwanted(), 0);
  }

  #closeIfUnwanted(): void {
    if (!this.#isWanted()) void this.close();
  }

  receive(text: string): void {
    if (this.closed) return;
    this.#idleWatch.heard();
    // Most channels drop an overlong message while it arrives. This message arrived in one piece.
    if (text.length > this.#options.maxResponseBytes) return this.lost(edgesOf(text));
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return this.#takeForeign(text, "not JSON");
    }
    for (const [piece, own] of piecesOf(value, text)) this.#receive(piece, own);
  }

  #receive(value: unknown, text: string): void {
    if (!isObject(value)) return this.#takeForeign(text, "not a JSON-RPC message");
    if (typeof value.method !== "string" && !("result" in value || "error" in value)) {
      return this.#takeForeign(text, "neither a request nor a response");
    }
    this.#foreign = undefined;
    if (typeof value.method === "string") {
      try {
        this.#dispatch(value, text);
      } catch (error) {
        // One faulty message must not affect later ones.
        this.#options.onStray(`a message that cannot be handled: ${reasonOf(error)}`);
      }
    } else if (value.id !== PING_ID) this.#respond(value, text);
  }

  lost(edges?: Edges, why?: SluiceError): void {
    const { upstream, maxResponseBytes: limit, onStray } = this.#options;
    const lost = edges === undefined ? undefined : answeredBy(edges);
    if (lost === null) return onStray("a message beyond the size limit, or the memory of its caller");
    const error = why ?? new SluiceError("UPSTREAM_RESPONSE_TOO_LARGE", { upstream, limit });
    for (const [id, { settle }] of [...this.#pending]) {
      // If the dropped response may belong to any request, all requests fail.
      if (lost === undefined || lost === id) settle({ error });
    }
  }

  ended(reason: string): void {
    this.#fail(reason);
  }

  #dispatch(value: JsonObject, text: string): void {
    const { onStray } = this.#options;
    if (value.method === "notifications/progress") {
      const id = this.#tokens.requestOf(value) ?? NaN;
      const pending = this.#pending.get(id);
      const callersToken = pending?.callersToken ?? this.#tokens.ofTask(id);
      // The progress is late or was not requested.
      if (callersToken === undefined) return onStray("progress for no pending request");
      const told = ProgressTokens.restore(value, text, callersToken);
      return pending === undefined ? this.#take(...told) : pending.options.onMessage?.(...told);
    }
    this.#take(value, text);
  }

  #take(value: JsonObject, text: string): void {
    const { dialect, onStray } = this.#options;
    const stray = dialect.take(value, text, this.#pending);
    if (stray === undefined) return;
    onStray(stray);
    // The upstream waits for the answer, and the call with it.
    if (value.id !== undefined) {
      this.#tell(errorText(memberText(text, "id")!, NOT_ASKABLE.text), this.#shortly());
    }
  }

  #respond(value: JsonObject, text: string): void {
    const pending = this.#pending.get(typeof value.id === "number" ? value.id : NaN);
    // The response to a cancelled call is late, which is no fault.
    if (pending === undefined) this.#options.onStray("a response to no pending request");
    else {
      this.#tokens.answered(value.id as number, value, pending.callersToken);
      pending.settle({ value, text, sessionId: null });
    }
  }

  /** A copy is kept, because a part of a string keeps the whole string in memory. */
  #takeForeign(text: string, fault: string): void {
    this.#foreign ??= new TextEncoder().encode(text.slice(0, MAX_FOREIGN_KEPT));
    this.#options.onStray(fault);
  }

  #isHeld(): boolean {
    return this.#some(({ isLongLived = false, deadline }) => !isLongLived && deadline.isHeld);
  }

  #isWanted(): boolean {
    return this.#some(({ isIncidental = false }) => !isIncidental);
  }

  #some(holds: (options: RequestOptions) => boolean): boolean {
    for (const { options } of this.#pending.values()) if (holds(options)) return true;
    return false;
  }

  #shortly(): ExchangeOptions {
    return { deadline: new Deadline(SEND_TIMEOUT_MS, "a fixed limit", this.#options.clock.now()) };
  }

  /** Sends a message without waiting. */
  #tell(text: string, exchange: ExchangeOptions): void {
    this.#send(text, exchange).catch(() => {});
  }

  async #send(text: string, exchange: ExchangeOptions): Promise<void> {
    if (this.#channel === undefined) throw this.#gone(0);
    await this.#channel.send(text, exchange);
  }

  #fail(reason: string): void {
    if (this.closed) return;
    this.#finish(reason);
    void this.#channel?.close();
  }

  #finish(reason: string): void {
    if (this.closed) return;
    this.#end = { reason };
    this.#idleWatch.stop();
    const error = this.#gone(1);
    for (const { settle } of [...this.#pending.values()]) settle({ error });
    this.#options.onEnded();
  }

  /** @param sent 0: the request certainly has not reached the upstream */
  #gone(sent: 0 | 1): SluiceError {
    const { upstream } = this.#options;
    const reason = this.#end?.reason ?? "the connection is not open";
    const said = this.#said();
    // Before the handshake there is no session to lose, so the upstream counts as unreachable.
    return this.#isEstablished
      ? new SluiceError("UPSTREAM_CLOSED", { upstream, sent }, { cause: said ?? new Error(reason) })
      : new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream, reason }, { cause: said });
  }

  #timeout(deadline: Deadline): SluiceError {
    const error = upstreamTimeout(this.#options.upstream, "answer", deadline);
    // The stderr of a process that has started is about anything.
    const said = this.#said(this.#isEstablished ? "" : undefined);
    return said === undefined ? error : new SluiceError(error.code, error.params, { cause: said });
  }

  /** The words of the other side in place of messages, or those of a process on its stderr. */
  #said(stderr = this.#channel?.lastWords ?? ""): SeenAnswer | undefined {
    if (this.#foreign === undefined) return stderr === "" ? undefined : new SeenAnswer(stderr, "stderr");
    const text = new TextDecoder().decode(this.#foreign);
    const words = printable(this.#channel?.withoutSecrets(text) ?? "");
    const quoted = words.length > MAX_FOREIGN_QUOTED ? `${words.slice(0, MAX_FOREIGN_QUOTED)}…` : words;
    const isProcess = this.#channel?.lastWords !== undefined;
    return seenForeign(quoted, isProcess ? "stdout" : "messages", stderr);
  }
}

/** A subscriber waits for messages outside calls. */
function isSubscription(body: string): boolean {
  return /^\{"jsonrpc":"2.0","id":\d+,"method":"resources\/subscribe"/.test(body);
}
