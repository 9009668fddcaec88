// The log of events that a session has sent. A client that lost a stream gets the rest by GET with Last-Event-ID (MCP 2025-11-25,
// transports, "Resumability and Redelivery").
import type { CallerIdentity } from "../../base/sharing/caller_identity.ts";
import type { ClientMemory, Holding } from "../../base/sharing/client_memory.ts";
import type { EventStream } from "./event_stream.ts";

/** Characters kept for all streams of a session. The oldest events are dropped first. The memory of the caller bounds them, too. */
const MAX_KEPT_CHARS = 1024 * 1024;
/** Events kept, since small ones take memory too. */
const MAX_KEPT_EVENTS = 1_000;

/** The first revision whose clients accept an event without a message (2025-11-25, "priming event"). Older SDKs fail on it. */
export const PRIMED_SINCE = "2025-11-25";

/** The `retry` value for clients, ms: their pause before they resume a broken stream. */
export const RETRY_MS = 1_000;

/**
 * The same where the whole gateway stops. The official TypeScript client tries twice at this interval and then gives the stream up,
 * so that a restart may take twice this time.
 */
export const RESTART_RETRY_MS = 6_000;

interface Event {
  readonly seq: number;
  readonly message: string;
  /** The upstream that sent the message; null: the gateway, or the answer to a call. */
  readonly upstreamId: string | null;
}

/** One logical stream. It outlives the connections that carry it. */
export class LoggedStream {
  readonly #events: Event[] = [];
  /** Connections that carry the stream, newest last. A message is sent on one of them. */
  readonly #carriers: EventStream[] = [];
  readonly #log: EventLog;
  #nextSeq = 1;
  /** The last event that was sent on a connection. Later events wait for the next connection. */
  #sentSeq = 0;
  #ended = false;
  #isWithdrawn = false;
  #isPolled = false;
  #losses = 0;
  readonly #onLost: () => void;

  /** @param onLost called when the last connection has ended before the stream */
  constructor(readonly number: number, log: EventLog, onLost: () => void) {
    this.#log = log;
    this.#onLost = onLost;
  }

  get isCarried(): boolean {
    return this.#carriers.length > 0;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Has the client cancelled the call? The stream ended without a response then, and must not be resumed. */
  get isWithdrawn(): boolean {
    return this.#isWithdrawn;
  }

  /** How often the last connection has ended before the stream. */
  get losses(): number {
    return this.#losses;
  }

  /** The gateway ended the connections, so that the client polls, and the client has not had everything since. */
  get awaitsPoll(): boolean {
    return this.#isPolled && !this.isCarried && !(this.#ended && this.#isSent);
  }

  /** Something that the client polls for has to be kept. */
  get mustKeep(): boolean {
    return this.awaitsPoll && !this.#isSent && this.#events.length < MAX_KEPT_EVENTS;
  }

  get kept(): readonly Event[] {
    return this.#events;
  }

  /** Sends an empty event with an id, so that the stream can be resumed before its first message ("priming event"). */
  prime(): void {
    this.#carriers.at(-1)?.prime(this.#log.eventId(this.number, 0), RETRY_MS);
  }

  send(message: string, upstreamId: string | null = null): void {
    const event = { seq: this.#nextSeq++, message, upstreamId };
    const carrier = this.#carriers.at(-1);
    if (carrier !== undefined) this.#sendOn(carrier, event);
    if (this.#log.mayKeep(this, message.length)) this.#events.push(event);
  }

  /** The stream is complete. Its connections end; so does each later one after it got the rest. */
  end(): void {
    this.#ended = true;
    for (const carrier of [...this.#carriers]) carrier.close();
  }

  /** The same for a call that the client has cancelled. */
  withdraw(): void {
    this.#isWithdrawn = true;
    this.end();
  }

  /** Adds a connection. @param afterSeq the last event that the client has; null: all that were sent */
  carryOn(carrier: EventStream, afterSeq: number | null): void {
    this.#carriers.push(carrier);
    const from = afterSeq ?? this.#sentSeq;
    for (const event of this.#events) if (event.seq > from) this.#sendOn(carrier, event);
    if (this.#ended) carrier.close();
  }

  drop(carrier: EventStream): void {
    const at = this.#carriers.indexOf(carrier);
    if (at < 0) return;
    this.#carriers.splice(at, 1);
    if (this.isCarried || this.#ended) return;
    this.#losses++;
    this.#onLost();
  }

  closeCarriers(which: (carrier: EventStream) => boolean = () => true): void {
    for (const carrier of this.#carriers.filter(which)) carrier.close();
  }

  /** Ends the connections; clients open them again after a pause. */
  suspendCarriers(retryMs: number): void {
    for (const carrier of [...this.#carriers]) {
      carrier.retryAfter(retryMs);
      carrier.close();
    }
  }

  /** The same for the stream of a call. What comes until the client is back is kept for it. */
  letPoll(retryMs: number): void {
    this.#isPolled = true;
    this.suspendCarriers(retryMs);
  }

  keepalive(): void {
    for (const carrier of this.#carriers) carrier.keepalive();
  }

  /** Drops the events of some upstreams, sent or not. @returns the dropped ones */
  forgetOf(isCutOff: (upstreamId: string) => boolean): readonly Event[] {
    const { true: cut = [], false: kept = [] } = Object.groupBy(
      this.#events,
      ({ upstreamId }) => String(upstreamId !== null && isCutOff(upstreamId)) as "true" | "false",
    );
    if (cut.length > 0) this.#events.splice(0, Infinity, ...kept);
    return cut;
  }

  /** Drops the oldest event. @returns its characters; -1 where there is none */
  forgetOldest(): number {
    return this.#events.shift()?.message.length ?? -1;
  }

  /** Drops all events. */
  forgetAll(): void {
    this.#events.length = 0;
  }

  get carrierCount(): number {
    return this.#carriers.length;
  }

  get #isSent(): boolean {
    return this.#sentSeq === this.#nextSeq - 1;
  }

  #sendOn(carrier: EventStream, { seq, message }: Event): void {
    carrier.send(message, this.#log.eventId(this.number, seq));
    this.#sentSeq = Math.max(this.#sentSeq, seq);
  }
}

export class EventLog {
  /** Part of every event id. The session may have had another worker, whose event ids must differ. */
  readonly #mark = crypto.randomUUID().slice(0, 8);
  readonly #streams = new Map<number, LoggedStream>();
  /** Streams with kept events. A session may have thousands without, of calls that have just ended. */
  readonly #keeping = new Set<LoggedStream>();
  readonly #memory: Holding;
  #nextNumber = 0;
  #keptEvents = 0;

  /** @param owner the caller whose memory the events take; they are dropped before something else of that caller is refused */
  constructor(memory: ClientMemory, owner: CallerIdentity) {
    this.#memory = memory.hold(owner, { spare: () => this.#forgetAll() });
  }

  /** @param onLost see `LoggedStream` */
  open(onLost: () => void = () => {}): LoggedStream {
    const stream = new LoggedStream(this.#nextNumber++, this, onLost);
    this.#streams.set(stream.number, stream);
    return stream;
  }

  /** The id of an event; unique in the session. */
  eventId(stream: number, seq: number): string {
    return `${stream}-${seq}-${this.#mark}`;
  }

  /**
   * The stream and the position that an event id names; null for an unknown or dropped stream. Every log of the session has the first
   * stream, so an id from another worker's log names it too; `seq` is null then, because the position is unknown here.
   */
  find(eventId: string): { readonly stream: LoggedStream; readonly seq: number | null } | null {
    const [, number, seq, mark] = /^(\d{1,15})-(\d{1,15})-([\da-f]{8})$/.exec(eventId) ?? [];
    const isOurs = mark === this.#mark;
    const stream = isOurs || number === "0" ? this.#streams.get(Number(number)) : undefined;
    return stream === undefined ? null : { stream, seq: isOurs ? Number(seq) : null };
  }

  /** Drops a stream that nobody will resume. */
  forget(stream: LoggedStream): void {
    if (!this.#streams.delete(stream.number)) return;
    this.#keeping.delete(stream);
    this.#keptEvents -= stream.kept.length;
    this.#memory.grow(-stream.kept.reduce((sum, { message }) => sum + message.length, 0));
  }

  /** Drops what upstreams have sent that the client may not hear of any more. */
  forgetOf(isCutOff: (upstreamId: string) => boolean): void {
    for (const stream of this.#keeping) {
      const forgotten = stream.forgetOf(isCutOff);
      this.#keptEvents -= forgotten.length;
      this.#memory.grow(-forgotten.reduce((sum, { message }) => sum + message.length, 0));
      if (stream.kept.length === 0) this.#keeping.delete(stream);
    }
  }

  keepalive(): void {
    for (const stream of this.#streams.values()) stream.keepalive();
  }

  get carrierCount(): number {
    let count = 0;
    for (const stream of this.#streams.values()) count += stream.carrierCount;
    return count;
  }

  /** A client polls for the rest of a call. */
  get awaitsPoll(): boolean {
    for (const stream of this.#streams.values()) if (stream.awaitsPoll) return true;
    return false;
  }

  /** Ends the connections but keeps the streams: clients resume them. */
  closeCarriers(which?: (carrier: EventStream) => boolean): void {
    for (const stream of this.#streams.values()) stream.closeCarriers(which);
  }

  /** Makes room for one more event of `by`, at the cost of older ones. @returns false if the event cannot be kept */
  mayKeep(by: LoggedStream, chars: number): boolean {
    if (chars > MAX_KEPT_CHARS && !by.mustKeep) return false;
    const isFull = () => this.#memory.chars + chars > MAX_KEPT_CHARS || this.#keptEvents >= MAX_KEPT_EVENTS;
    for (const stream of this.#keeping) {
      if (stream.mustKeep) continue;
      while (isFull()) {
        const forgotten = stream.forgetOldest();
        if (forgotten < 0) break;
        this.#memory.grow(-forgotten);
        this.#keptEvents--;
      }
      if (!isFull()) break;
      this.#keeping.delete(stream);
    }
    if (!this.#memory.tryGrow(chars)) return false;
    this.#keptEvents++;
    this.#keeping.add(by);
    return true;
  }

  /** The session has ended. */
  close(): void {
    this.closeCarriers();
    this.#forgetAll();
    this.#memory.close();
  }

  #forgetAll(): void {
    for (const stream of this.#keeping) stream.forgetAll();
    this.#keeping.clear();
    this.#memory.grow(-this.#memory.chars);
    this.#keptEvents = 0;
  }
}
