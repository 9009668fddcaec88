// Reads the body of a request as text, within limits of size and time.
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { DeadlineTimer, type Expiring } from "../base/deadline_timer.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads the JSON text of a request. @throws {SluiceError} what readJsonText() throws; BODY_TIMEOUT */
export type ReadBody = (request: Request) => Promise<string>;

export interface BodyLimits {
  readonly maxBytes: number;
  /** For the whole body, ms. */
  readonly timeoutMs: number;
}

export function bodyReader({ maxBytes, timeoutMs }: BodyLimits, clock: Clock): ReadBody {
  const timer = new DeadlineTimer(clock);
  return (request) => withinTime(timer, timeoutMs, readJsonText(request, maxBytes));
}

/** What `body` resolves to, or its failure. @throws {SluiceError} BODY_TIMEOUT */
function withinTime<T>(timer: DeadlineTimer, timeoutMs: number, body: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const reading = new Reading(timer, timeoutMs, reject);
    body.then((value) => {
      timer.forget(reading);
      resolve(value);
    }, (error) => {
      timer.forget(reading);
      reject(error);
    });
  });
}

class Reading implements Expiring {
  deadlineAt = Infinity;

  constructor(
    readonly timer: DeadlineTimer,
    readonly timeoutMs: number,
    readonly reject: (error: SluiceError) => void,
  ) {
    timer.watch(this);
    timer.set(this, timeoutMs);
  }

  expire(): void {
    this.timer.forget(this);
    this.reject(new SluiceError("BODY_TIMEOUT", { timeoutMs: this.timeoutMs }));
  }
}

/** @throws {SluiceError} UNSUPPORTED_MEDIA_TYPE, BODY_TOO_LARGE, PARSE_ERROR (not UTF-8), INVALID_REQUEST (broken off) */
export async function readJsonText(request: Request, maxBytes: number): Promise<string> {
  const { headers } = request;
  const type = headers.get("content-type");
  if (type !== "application/json" && !isJsonType(type)) throw new SluiceError("UNSUPPORTED_MEDIA_TYPE");
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") throw new SluiceError("UNSUPPORTED_MEDIA_TYPE");
  const length = headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) {
    throw new SluiceError("BODY_TOO_LARGE", { limit: maxBytes });
  }
  try {
    return decode(length === null ? await readUpTo(request, maxBytes) : await request.bytes());
  } catch (cause) {
    // Compressed bytes are no text; asked for here, since nearly every request would be asked in vain.
    if (headers.get("content-encoding") !== null) {
      throw new SluiceError("UNSUPPORTED_MEDIA_TYPE", {}, { cause });
    }
    // Wrong chunks, or a client that has hung up: not our fault.
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError("INVALID_REQUEST", { reason: "the body breaks off" }, { cause });
  }
}

function isJsonType(type: string | null): boolean {
  return type !== null && /^application\/json\s*(;|$)/i.test(type);
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new SluiceError("PARSE_ERROR", {}, { cause });
  }
}

/** A chunked body says its size only by ending. */
async function readUpTo(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new SluiceError("BODY_TOO_LARGE", { limit: maxBytes });
    chunks.push(chunk);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
