// The access log: one line for each request that was let in, written when its answer is ready; of a stream, when it has ended.
import { type CallNote, CORRELATION_HEADER, correlationIdOf } from "../telemetry/call_note.ts";
import { lineOf, type LineSink, type LogFormat } from "../telemetry/log.ts";

/** Lines are gathered this long, or up to so many characters: each write of the sink costs more than ten lines do. */
const GATHER_MS = 50;
const GATHER_CHARS = 3_500;

/** Of a path, which may be as long as a client likes. */
const MAX_PATH_CHARS = 256;

/** A request on its way to its line. */
export interface AccessRecord {
  readonly note: CallNote;
  /** The answer is ready; it gets the client's correlation id as a header. @param streamEnded settles at a stream's end; null: it is none */
  answered(response: Response, streamEnded: Promise<unknown> | null): void;
}

export interface AccessLogOptions {
  readonly worker: number;
  readonly format: LogFormat;
  readonly sink: LineSink;
  /** A clock that never goes back, in ms. */
  readonly nowMs?: () => number;
  readonly now?: () => Date;
}

export class AccessLog {
  readonly #options: Required<AccessLogOptions>;
  #gathered = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: AccessLogOptions) {
    this.#options = { nowMs: () => performance.now(), now: () => new Date(), ...options };
  }

  /** @param path without its query */
  begin(request: Request, path: string, endpoint: string): AccessRecord {
    const { nowMs } = this.#options;
    const startMs = nowMs();
    const { method } = request;
    const note: CallNote = { correlationId: correlationIdOf(request.headers) };
    const wasGiven = request.headers.has(CORRELATION_HEADER);
    return {
      note,
      answered: (response, streamEnded) => {
        const { status } = response;
        // Whoever has named the request is told that the name was taken. For all others a header would cost more than the line.
        if (wasGiven) response.headers.set(CORRELATION_HEADER, note.correlationId);
        const write = () => {
          const latencyMs = Math.round((nowMs() - startMs) * 1_000) / 1_000;
          this.#write({ method, path: path.slice(0, MAX_PATH_CHARS), endpoint, status, latencyMs, ...note });
        };
        if (streamEnded === null) write();
        else streamEnded.then(write, write);
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

  #write(fields: Record<string, unknown>): void {
    const { worker, format, now } = this.#options;
    this.#gathered += lineOf(format, {
      time: now().toISOString(),
      level: "INFO",
      event: "request",
      worker,
      ...fields,
    });
    if (this.#gathered.length >= GATHER_CHARS) this.close();
    else this.#timer ??= setTimeout(() => this.close(), GATHER_MS);
  }
}
