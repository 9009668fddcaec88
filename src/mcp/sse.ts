// Encodes and decodes server-sent events (WHATWG HTML, "Server-sent events").

export interface SseEvent {
  /** Default: "message". */
  readonly event: string;
  readonly data: string;
  /** The last event id as of this event. */
  readonly id: string | null;
}

/** Decodes bytes in pieces of any size into whole events. */
export class SseDecoder {
  readonly #decoder = new TextDecoder();
  readonly #maxEventChars: number;
  /** The pieces of the current line. They are joined once, because repeated joining of a long line takes quadratic time. */
  #rest: string[] = [];
  #restChars = 0;
  /** The last piece ended in CR. An LF at the start of the next piece belongs to it. */
  #endedInCr = false;
  #data: string[] = [];
  #dataChars = 0;
  #event = "";
  #id: string | null = null;
  /** The id as of the last complete event. */
  #committedId: string | null = null;
  #retryMs: number | null = null;
  #atStart = true;

  /** @param maxEventChars `push` throws RangeError for a longer event */
  constructor(maxEventChars: number) {
    this.#maxEventChars = maxEventChars;
  }

  /** The reconnection delay that the server requested last, ms. */
  get retryMs(): number | null {
    return this.#retryMs;
  }

  /** The id for resuming a broken stream. An incomplete event is then sent again. */
  get lastEventId(): string | null {
    return this.#committedId;
  }

  /** What has arrived of an event that is not whole yet, characters. */
  get keptChars(): number {
    return this.#restChars + this.#dataChars;
  }

  push(chunk: Uint8Array): SseEvent[] {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (this.#atStart && text.length > 0) {
      this.#atStart = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    if (this.#endedInCr && text.startsWith("\n")) text = text.slice(1);
    else if (text === "") return [];
    this.#endedInCr = text.endsWith("\r");
    const events: SseEvent[] = [];
    let lf = text.indexOf("\n");
    let cr = text.indexOf("\r");
    let lineStart = 0;
    while (lf >= 0 || cr >= 0) {
      const lineEnd = cr < 0 ? lf : lf < 0 ? cr : Math.min(lf, cr);
      const end = text.slice(lineStart, lineEnd);
      this.#line(this.#rest.length === 0 ? end : this.#takeRest() + end, events);
      lineStart = lineEnd + (lineEnd === cr && lf === cr + 1 ? 2 : 1);
      if (lf >= 0 && lf < lineStart) lf = text.indexOf("\n", lineStart);
      if (cr >= 0 && cr < lineStart) cr = text.indexOf("\r", lineStart);
    }
    if (lineStart < text.length) this.#rest.push(text.slice(lineStart));
    this.#restChars += text.length - lineStart;
    if (this.keptChars > this.#maxEventChars) {
      throw new RangeError(`an event is longer than ${this.#maxEventChars} characters`);
    }
    return events;
  }

  #takeRest(): string {
    const rest = this.#rest.join("");
    this.#rest = [];
    this.#restChars = 0;
    return rest;
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === "") {
      this.#committedId = this.#id;
      if (this.#data.length > 0) {
        events.push({ event: this.#event || "message", data: this.#data.join("\n"), id: this.#id });
      }
      this.#data = [];
      this.#dataChars = 0;
      this.#event = "";
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.charCodeAt(0) === 0x20) value = value.slice(1);
    if (field === "data") {
      this.#data.push(value);
      // One more for the line itself, because lines without data take memory too.
      this.#dataChars += value.length + 1;
    } else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.#retryMs = Number(value);
  }
}

/** Encodes one event. A message with several lines stays one event. */
export function encodeSseEvent(data: string, { event, id }: { event?: string; id?: string } = {}): string {
  const lines = data.includes("\n") || data.includes("\r")
    ? data.split(/\r\n|\n|\r/).map((line) => `data: ${line}\n`).join("")
    : `data: ${data}\n`;
  return `${id === undefined ? "" : `id: ${id}\n`}${
    event === undefined ? "" : `event: ${event}\n`
  }${lines}\n`;
}

/** Keeps intermediaries from closing a silent stream. */
export const SSE_KEEPALIVE = ": keepalive\n\n";
