// What a session has sent on its event streams, kept for a while: a client that lost a stream asks for the rest by GET with
// Last-Event-ID (MCP 2025-11-25, transports, "Resumability and Redelivery").
import type { EventStream } from "./event_stream.ts";

/** What all streams of a session keep together; the oldest events go first. */
const MAX_KEPT_CHARS = 1024 * 1024;
/** The same as a number of events: small ones take memory too. */
const MAX_KEPT_EVENTS = 1_000;

/** The pause that a client makes before it asks for the rest of a broken stream, ms. */
export const RETRY_MS = 1_000;

interface Event {
  readonly seq: number;
  readonly message: string;
}

/** One logical stream: it outlives the connections that carry it. */
export class LoggedStream {
  readonly #events: Event[] = [];
  /** Connections that carry the stream now, the newest last: a message goes out on one of them. */
  readonly #carriers: EventStream[] = [];
  readonly #log: EventLog;
  #nextSeq = 1;
  /** Sent on some connection; what is behind it waits for the next one. */
  #sentSeq = 0;
  #ended = false;

  constructor(readonly number: number, log: EventLog) {
    this.#log = log;
  }

  get isCarried(): boolean {
    return this.#carriers.length > 0;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get kept(): readonly Event[] {
    return this.#events;
  }

  /** An empty event with an id, so that a stream can be resumed before anything was said on it ("priming event"). */
  prime(): void {
    this.#carriers.at(-1)?.prime(this.#log.eventId(this.number, 0), RETRY_MS);
  }

  send(message: string): void {
    const event = { seq: this.#nextSeq++, message };
    this.#events.push(event);
    const carrier = this.#carriers.at(-1);
    if (carrier !== undefined) this.#sendOn(carrier, event);
    this.#log.noteKept(message.length);
  }

  /** All is said: connections end, and so does each that still comes for the rest. */
  end(): void {
    this.#ended = true;
    for (const carrier of [...this.#carriers]) carrier.close();
  }

  /** Carry the stream over this connection too. @param afterSeq the last event that the client has; null: all that were sent */
  carryOn(carrier: EventStream, afterSeq: number | null): void {
    this.#carriers.push(carrier);
    const from = afterSeq ?? this.#sentSeq;
    for (const event of this.#events) if (event.seq > from) this.#sendOn(carrier, event);
    if (this.#ended) carrier.close();
  }

  drop(carrier: EventStream): void {
    const at = this.#carriers.indexOf(carrier);
    if (at >= 0) this.#carriers.splice(at, 1);
  }

  closeCarriers(which: (carrier: EventStream) => boolean = () => true): void {
    for (const carrier of this.#carriers.filter(which)) carrier.close();
  }

  keepalive(): void {
    for (const carrier of this.#carriers) carrier.keepalive();
  }

  /** Forget the oldest event. @returns how many characters that was; -1 where there is none */
  forgetOldest(): number {
    return this.#events.shift()?.message.length ?? -1;
  }

  get carrierCount(): number {
    return this.#carriers.length;
  }

  #sendOn(carrier: EventStream, { seq, message }: Event): void {
    carrier.send(message, this.#log.eventId(this.number, seq));
    this.#sentSeq = Math.max(this.#sentSeq, seq);
  }
}

export class EventLog {
  /** The session may have had another worker before, and its events ids there: none of ours is one of those. */
  readonly #mark = crypto.randomUUID().slice(0, 8);
  /** By number, the oldest first. */
  readonly #streams = new Map<number, LoggedStream>();
  #nextNumber = 0;
  #keptChars = 0;
  #keptEvents = 0;

  open(): LoggedStream {
    const stream = new LoggedStream(this.#nextNumber++, this);
    this.#streams.set(stream.number, stream);
    return stream;
  }

  /** The id of a stream's event: no other in the session has it. */
  eventId(stream: number, seq: number): string {
    return `${stream}-${seq}-${this.#mark}`;
  }

  /**
   * The stream that an event id names, and where in it; null where we know no such stream (any more). Of the first stream, which
   * every log of the session has, an id of another log leaves open what its client has: `seq` is null.
   */
  find(eventId: string): { readonly stream: LoggedStream; readonly seq: number | null } | null {
    const [, number, seq, mark] = /^(\d{1,15})-(\d{1,15})-([\da-f]{8})$/.exec(eventId) ?? [];
    const isOurs = mark === this.#mark;
    const stream = isOurs || number === "0" ? this.#streams.get(Number(number)) : undefined;
    return stream === undefined ? null : { stream, seq: isOurs ? Number(seq) : null };
  }

  /** Nobody will come for it any more. */
  forget(stream: LoggedStream): void {
    if (!this.#streams.delete(stream.number)) return;
    this.#keptEvents -= stream.kept.length;
    for (const { message } of stream.kept) this.#keptChars -= message.length;
  }

  keepalive(): void {
    for (const stream of this.#streams.values()) stream.keepalive();
  }

  get carrierCount(): number {
    let count = 0;
    for (const stream of this.#streams.values()) count += stream.carrierCount;
    return count;
  }

  /** End the connections, not the streams: clients come back for the rest. */
  closeCarriers(which?: (carrier: EventStream) => boolean): void {
    for (const stream of this.#streams.values()) stream.closeCarriers(which);
  }

  /** Called by a stream that has kept an event of so many characters. */
  noteKept(chars: number): void {
    this.#keptChars += chars;
    this.#keptEvents++;
    for (const stream of this.#streams.values()) {
      while (this.#keptChars > MAX_KEPT_CHARS || this.#keptEvents > MAX_KEPT_EVENTS) {
        const forgotten = stream.forgetOldest();
        if (forgotten < 0) break;
        this.#keptChars -= forgotten;
        this.#keptEvents--;
      }
    }
  }
}
