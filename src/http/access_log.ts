// The access log. Each admitted request has a line `request`, written when its response is ready, or when its stream or WebSocket has
// ended. Each call on a duplex channel (SSE of 2024-11-05, WebSocket, stdio) has a line `call`. Each request of a batch has a line
// `call` too, after the batch's own line and without a latency, since the batch is answered as a whole.
//
// Requests have notes without the access log as well: failures, traces and the audit trail name what is in them.
import type { Principal } from "../auth/principal.ts";
import { type CallNote, correlationIdOf, noteBody, noteCaller, noteOf } from "../telemetry/call_note.ts";
import { lineOf, type LogFormat, type LogSink } from "../telemetry/log.ts";

/** Lines are buffered for this time or up to this size. Handing a buffer to the supervisor costs as much as dozens of lines. */
const BUFFER_MS = 50;
const BUFFER_CHARS = 250_000;

/** Longer paths are cut: a client chooses their length. */
const MAX_PATH_CHARS = 256;

/** Paths of the REST API in which a one-time token stands. */
const TOKEN_IN_PATH = /(\/(?:invitations|reset-password)\/)[^/]+/;

/** A path without the secrets that may stand in it. */
export function shownPath(endpoint: string, path: string): string {
  const shown = endpoint === "admin" || endpoint === "login" ? path.replace(TOKEN_IN_PATH, "$1*****") : path;
  return shown.length > MAX_PATH_CHARS ? shown.slice(0, MAX_PATH_CHARS) : shown;
}

/** A request under way; its line is written at its end. */
export interface AccessRecord {
  readonly note: CallNote;
  /** The response is ready. @param streamEnded settles at the stream's end; null: no stream */
  answered(status: number, streamEnded: Promise<unknown> | null): void;
}

/** A call on a duplex channel; its line is written at its end. */
export interface CallRecord {
  readonly note: CallNote;
  /** @param answer the JSON-RPC response as text; null for a listener that has ended */
  answered(answer: string | null): void;
}

export interface AccessLogOptions {
  readonly worker: number;
  readonly format: LogFormat;
  readonly sink: LogSink;
  /** false: requests have notes, and no lines (DISABLE_ACCESS_LOG). */
  readonly writes?: boolean;
  /** The client of a request behind trusted proxies; null: nobody needs to know. */
  readonly originOf?: ((headers: Received, client: string) => string) | null;
  /** A monotonic clock, ms. */
  readonly nowMs?: () => number;
  /** Wall clock, ms since the epoch. */
  readonly now?: () => number;
}

const DEFAULTS = {
  writes: true,
  originOf: null,
  nowMs: () => performance.now(),
  now: () => Date.now(),
} as const;

export class AccessLog {
  readonly #options: Required<AccessLogOptions>;
  #buffer = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The time of the latest line, as number and as text. At full rate many lines share it. */
  #timeMs = NaN;
  #timeText = "";

  constructor(options: AccessLogOptions) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /** Somebody reads the clients' addresses in notes. Finding one costs a warm call 0.2 µs. */
  get namesClients(): boolean {
    return this.#options.writes || this.#options.originOf !== null;
  }

  begin({ method, headers }: Request, correlationId: string, place: Place): AccessRecord {
    const { writes, nowMs } = this.#options;
    const note = this.#note(correlationId, place, headers);
    if (!writes) return { note, answered: unwritten };
    const startMs = nowMs();
    const { path, endpoint } = place;
    return {
      note,
      answered: (status, streamEnded) => {
        const write = () => this.#write("request", { method, path, endpoint, status, startMs }, note);
        if (streamEnded === null) write();
        else streamEnded.then(write, write);
      },
    };
  }

  /** A call on a duplex channel that was opened at `path`. */
  beginCall({ path, endpoint, client }: Place, { principal, received }: CallSender): CallRecord {
    const startMs = this.#options.nowMs();
    const note = this.#note(correlationIdOf(received), { endpoint, client }, received);
    noteCaller(note, principal);
    return {
      note,
      answered: (answer) => {
        if (answer !== null) noteBody(note, answer);
        this.#write("call", { path, endpoint, startMs }, note);
      },
    };
  }

  #note(
    correlationId: string,
    { endpoint, client }: Pick<Place, "endpoint" | "client">,
    headers: Received,
  ): CallNote {
    const { originOf, writes: isLogged } = this.#options;
    const origin = originOf === null || client === undefined ? undefined : originOf(headers, client);
    return noteOf({ correlationId, isLogged, client, endpoint, origin });
  }

  /** Writes the buffered lines. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#buffer === "") return;
    this.#options.sink.write(this.#buffer, "request");
    this.#buffer = "";
  }

  #write(
    event: string,
    { method, path, endpoint, status, startMs }: Answered,
    note: CallNote,
    batch = note,
  ): void {
    if (!this.#options.writes) return;
    const { worker, format, nowMs } = this.#options;
    // Listed field by field: spreading one object into another would double the cost of a line.
    this.#buffer += lineOf(format, {
      time: this.#time(),
      level: "INFO",
      event,
      worker,
      method,
      path: shownPath(endpoint, path),
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
    if (this.#buffer.length >= BUFFER_CHARS) this.close();
    else this.#timer ??= setTimeout(() => this.close(), BUFFER_MS);
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

function unwritten(): void {}

/** Where a request arrived, and from which address. */
export interface Place {
  /** Without its query. */
  readonly path: string;
  readonly endpoint: string;
  readonly client?: string;
}

export interface CallSender {
  readonly principal: Principal;
  readonly received: Received;
}

type Received = { get(name: string): string | null };

/** The fields of a line that the note does not hold. */
interface Answered {
  readonly method?: string;
  readonly path: string;
  readonly endpoint: string;
  readonly status?: number;
  readonly startMs?: number;
}
