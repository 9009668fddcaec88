// The access log. Each request that is let in has a line `request`, written when its answer is ready, or when its stream or WebSocket
// has ended. Each call on a channel that carries many (legacy SSE, WebSocket, stdio) has a line `call`. Each request of a batch has
// one too, behind the batch's own line and without a latency: the batch is answered as a whole.
import type { Principal } from "../auth/principal.ts";
import {
  type CallNote,
  CORRELATION_HEADER,
  correlationIdFrom,
  correlationIdOf,
  noteBody,
  noteCaller,
} from "../telemetry/call_note.ts";
import { lineOf, type LogFormat, type LogSink } from "../telemetry/log.ts";

/** Lines are gathered for this long, or up to so many characters: handing them over costs as much as dozens of lines. */
const GATHER_MS = 50;
const GATHER_CHARS = 250_000;

/** A path may be as long as a client likes. */
const MAX_PATH_CHARS = 256;

/** A request that will have a line. */
export interface AccessRecord {
  readonly note: CallNote;
  /** The answer is ready. It gets the client's correlation id as a header. @param streamEnded settles at a stream's end; null: no stream */
  answered(response: Response, streamEnded: Promise<unknown> | null): void;
}

/** A call that came as a message, and will have a line. */
export interface CallRecord {
  readonly note: CallNote;
  /** @param answer the JSON-RPC response, as text; null if many messages were the answer, and have ended */
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

  begin(request: Request, { path, endpoint, client }: Place): AccessRecord {
    const { nowMs } = this.#options;
    const startMs = nowMs();
    const { method } = request;
    const given = request.headers.get(CORRELATION_HEADER);
    const note: CallNote = { correlationId: correlationIdFrom(given), client };
    return {
      note,
      answered: (response, streamEnded) => {
        const { status } = response;
        // A client that has named its request is told that the name was taken. For all others a header would cost more than the line.
        if (given !== null) response.headers.set(CORRELATION_HEADER, note.correlationId);
        const write = () => this.#write("request", { method, path, endpoint, status, startMs }, note);
        if (streamEnded === null) write();
        else streamEnded.then(write, write);
      },
    };
  }

  /** A call on a channel that was opened at `path`. */
  beginCall({ path, endpoint, client }: Place, { principal, received }: CallSender): CallRecord {
    const startMs = this.#options.nowMs();
    const note: CallNote = { correlationId: correlationIdOf(received), client };
    noteCaller(note, principal);
    return {
      note,
      answered: (answer) => {
        if (answer !== null) noteBody(note, answer);
        this.#write("call", { path, endpoint, startMs }, note);
      },
    };
  }

  /** Hands over the gathered lines. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered === "") return;
    this.#options.sink.write(this.#gathered);
    this.#gathered = "";
  }

  #write(
    event: string,
    { method, path, endpoint, status, startMs }: Answered,
    note: CallNote,
    batch = note,
  ): void {
    const { worker, format, nowMs } = this.#options;
    // Field by field: copying one object into another would cost as much as everything else here.
    this.#gathered += lineOf(format, {
      time: this.#time(),
      level: "INFO",
      event,
      worker,
      method,
      path: path.length > MAX_PATH_CHARS ? path.slice(0, MAX_PATH_CHARS) : path,
      endpoint,
      status,
      latencyMs: startMs === undefined ? undefined : Math.round((nowMs() - startMs) * 1_000) / 1_000,
      correlationId: note.correlationId,
      client: batch.client,
      caller: batch.caller,
      jti: batch.jti,
      rpcMethod: note.rpcMethod,
      tool: note.tool,
      upstream: note.upstream,
      session: batch.session,
      code: note.code,
      bytes: note.bytes,
    });
    if (note.calls !== undefined) {
      for (const call of note.calls) this.#write("call", { path, endpoint }, call, note);
    }
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

/** Where a request came in, and where from. */
export interface Place {
  /** Without its query. */
  readonly path: string;
  readonly endpoint: string;
  readonly client?: string;
}

export interface CallSender {
  readonly principal: Principal;
  readonly received: { get(name: string): string | null };
}

/** The parts of a line that are not in the note. */
interface Answered {
  readonly method?: string;
  readonly path: string;
  readonly endpoint: string;
  readonly status?: number;
  readonly startMs?: number;
}
