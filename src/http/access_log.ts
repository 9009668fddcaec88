// The access log: one line for each request that was let in, written when its answer is ready, or when its stream or WebSocket
// has ended; and one for each call on a channel that carries many.
import { type CallNote, CORRELATION_HEADER, correlationIdFrom, noteBody } from "../telemetry/call_note.ts";
import { lineOf, type LogFormat, type LogSink } from "../telemetry/log.ts";

/** Lines are gathered this long, or up to so many characters: to hand them over costs as much as dozens of them. */
const GATHER_MS = 50;
const GATHER_CHARS = 250_000;

/** Of a path, which may be as long as a client likes. */
const MAX_PATH_CHARS = 256;

/** A request on its way to its line. */
export interface AccessRecord {
  readonly note: CallNote;
  /** The answer is ready; it gets the client's correlation id as a header. @param streamEnded settles at a stream's end; null: it is none */
  answered(response: Response, streamEnded: Promise<unknown> | null): void;
}

/** A call that came as a message, on its way to its line. */
export interface CallRecord {
  readonly note: CallNote;
  /** @param answer the JSON-RPC response, as text; null where many messages were the answer, which have ended */
  answered(answer: string | null): void;
}

export interface AccessLogOptions {
  readonly worker: number;
  readonly format: LogFormat;
  readonly sink: LogSink;
  /** A clock that never goes back, in ms. */
  readonly nowMs?: () => number;
  /** ms since the epoch */
  readonly now?: () => number;
}

export class AccessLog {
  readonly #options: Required<AccessLogOptions>;
  #gathered = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The time of the latest line, and as text: at full rate many lines share one. */
  #timeMs = NaN;
  #timeText = "";

  constructor(options: AccessLogOptions) {
    this.#options = { nowMs: () => performance.now(), now: () => Date.now(), ...options };
  }

  /** @param path without its query */
  begin(request: Request, path: string, endpoint: string): AccessRecord {
    const { nowMs } = this.#options;
    const startMs = nowMs();
    const { method } = request;
    const given = request.headers.get(CORRELATION_HEADER);
    const note: CallNote = { correlationId: correlationIdFrom(given) };
    return {
      note,
      answered: (response, streamEnded) => {
        const { status } = response;
        // Whoever has named the request is told that the name was taken. For all others a header would cost more than the line.
        if (given !== null) response.headers.set(CORRELATION_HEADER, note.correlationId);
        const write = () => this.#write("request", { method, path, endpoint, status, startMs }, note);
        if (streamEnded === null) write();
        else streamEnded.then(write, write);
      },
    };
  }

  /** A call on a channel that was opened at `path`. */
  beginCall({ path, endpoint }: { path: string; endpoint: string }, correlationId: string): CallRecord {
    const startMs = this.#options.nowMs();
    const note: CallNote = { correlationId };
    return {
      note,
      answered: (answer) => {
        if (answer !== null) noteBody(note, answer);
        this.#write("call", { path, endpoint, startMs }, note);
      },
    };
  }

  /** Hands over what is gathered. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered === "") return;
    this.#options.sink.write(this.#gathered);
    this.#gathered = "";
  }

  #write(event: string, { method, path, endpoint, status, startMs }: Answered, note: CallNote): void {
    const { worker, format, nowMs } = this.#options;
    // Field by field: copying one object into another would cost as much as all else here.
    this.#gathered += lineOf(format, {
      time: this.#time(),
      level: "INFO",
      event,
      worker,
      method,
      path: path.length > MAX_PATH_CHARS ? path.slice(0, MAX_PATH_CHARS) : path,
      endpoint,
      status,
      latencyMs: Math.round((nowMs() - startMs) * 1_000) / 1_000,
      correlationId: note.correlationId,
      rpcMethod: note.rpcMethod,
      tool: note.tool,
      upstream: note.upstream,
      session: note.session,
      bytes: note.bytes,
    });
    if (this.#gathered.length >= GATHER_CHARS) this.close();
    else this.#timer ??= setTimeout(() => this.close(), GATHER_MS);
  }

  #time(): string {
    const timeMs = this.#options.now();
    if (timeMs !== this.#timeMs) {
      this.#timeMs = timeMs;
      this.#timeText = new Date(timeMs).toISOString();
    }
    return this.#timeText;
  }
}

/** What a line is made of, beside the note. */
interface Answered {
  readonly method?: string;
  readonly path: string;
  readonly endpoint: string;
  readonly status?: number;
  readonly startMs: number;
}
