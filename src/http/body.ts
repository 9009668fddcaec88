// Reads the body of a request as text, within limits of size and time.
import { promisify } from "node:util";
import { isUtf8 } from "node:buffer";
import { gunzip, inflate } from "node:zlib";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { DeadlineTimer, type Expiring } from "../base/deadline_timer.ts";
import { LARGE_BYTES, loopTurns } from "../base/sharing/loop_turns.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
/** Faster by far. For texts that are known to be UTF-8. */
const lenientDecoder = new TextDecoder();

const CONTENT_DECODERS: Readonly<
  Record<string, (bytes: Uint8Array, limit: { maxOutputLength: number }) => Promise<Uint8Array>>
> = { gzip: promisify(gunzip), deflate: promisify(inflate) };

/** The content codings that a request may have. */
export const DECODED_CONTENT: readonly string[] = Object.keys(CONTENT_DECODERS);

/**
 * Reads the JSON text of a request. A large one is decoded, and then parsed, when it is the turn of `caller`.
 * @throws {SluiceError} what readJsonText() throws; BODY_TIMEOUT
 */
export type ReadBody = (request: Request, caller?: unknown) => Promise<string>;

export interface BodyLimits {
  readonly maxBytes: number;
  /** For the whole body, ms. */
  readonly timeoutMs: number;
}

export function bodyReader({ maxBytes, timeoutMs }: BodyLimits, clock: Clock): ReadBody {
  const timer = new DeadlineTimer(clock);
  return (request, caller) => withinTime(timer, timeoutMs, readJsonText(request, maxBytes, caller));
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

/**
 * @param maxBytes of the body, as sent and as decoded
 * @throws {SluiceError} UNSUPPORTED_MEDIA_TYPE, UNSUPPORTED_ENCODING, BODY_TOO_LARGE, PARSE_ERROR (not UTF-8), INVALID_REQUEST (broken
 *  off, or not in its coding)
 */
export async function readJsonText(request: Request, maxBytes: number, caller?: unknown): Promise<string> {
  const { headers } = request;
  const type = headers.get("content-type");
  if (type !== "application/json" && !isJsonType(type)) throw new SluiceError("UNSUPPORTED_MEDIA_TYPE");
  const encoding = headers.get("content-encoding");
  const decoded = encoding === null ? null : contentDecoder(encoding);
  const length = headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) {
    throw new SluiceError("BODY_TOO_LARGE", { limit: maxBytes });
  }
  try {
    const bytes = length === null ? await readUpTo(request, maxBytes) : await request.bytes();
    const plain = decoded === null ? bytes : await decoded(bytes, maxBytes);
    if (plain.length > LARGE_BYTES) await loopTurns.next(caller);
    return textOf(plain);
  } catch (cause) {
    // Wrong chunks, or a client that has hung up: not our fault.
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError("INVALID_REQUEST", { reason: "the body breaks off" }, { cause });
  }
}

function isJsonType(type: string | null): boolean {
  return type !== null && /^application\/json\s*(;|$)/i.test(type);
}

type ContentDecoder = (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>;

/** @returns null for the coding `identity`. @throws {SluiceError} UNSUPPORTED_ENCODING */
function contentDecoder(encoding: string): ContentDecoder | null {
  const coding = encoding.trim().toLowerCase();
  if (coding === "identity") return null;
  if (!Object.hasOwn(CONTENT_DECODERS, coding)) {
    throw new SluiceError("UNSUPPORTED_ENCODING", { decoded: DECODED_CONTENT.join(", ") });
  }
  return async (bytes, maxBytes) => {
    try {
      return await CONTENT_DECODERS[coding]!(bytes, { maxOutputLength: maxBytes });
    } catch (cause) {
      throw (cause as { code?: string }).code === "ERR_BUFFER_TOO_LARGE"
        ? new SluiceError("BODY_TOO_LARGE", { limit: maxBytes })
        : new SluiceError("INVALID_REQUEST", { reason: `the body is not ${coding}` }, { cause });
    }
  };
}

function textOf(bytes: Uint8Array): string {
  if (bytes.length > LARGE_BYTES && isUtf8(bytes)) return lenientDecoder.decode(bytes);
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
