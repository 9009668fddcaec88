// Reads the body of a request as text, within limits of size and time.
import type { Transform } from "node:stream";
import { isUtf8 } from "node:buffer";
import { createGunzip, createInflate } from "node:zlib";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import { DeadlineTimer, type Expiring } from "../base/deadline_timer.ts";
import { Arrival, GatheredBytes, UNCOUNTED_BYTES } from "../base/arrival.ts";
import type { CallerIdentity } from "../base/sharing/caller_identity.ts";
import type { ClientMemory } from "../base/sharing/client_memory.ts";
import { LARGE_BYTES, loopTurns } from "../base/sharing/loop_turns.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
/** Faster by far. For texts that are known to be UTF-8. */
const lenientDecoder = new TextDecoder();

const CONTENT_DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  deflate: () => createInflate(),
};

/** The content codings that a request may have. */
export const DECODED_CONTENT: readonly string[] = Object.keys(CONTENT_DECODERS);

/** Who sends a request, and when it is answered. */
export interface Sender {
  readonly principal: CallerIdentity;
  /** `completed` settles when the response is sent, or cannot be sent any more. */
  readonly info: { readonly completed: Promise<unknown> };
}

/**
 * Reads the text of a request's body. A large one counts as memory of its sender while it arrives and until it is answered, and is
 * decoded, and then parsed, when it is the sender's turn.
 * @param sender default: a replica, whose requests are counted where clients sent them
 * @throws {SluiceError} what readText() throws; BODY_TIMEOUT, CLIENT_MEMORY_FULL
 */
export type ReadBody = (request: Request, sender?: Sender) => Promise<string>;

const JSON_TYPE = "application/json";

type MediaType = typeof JSON_TYPE | "application/x-www-form-urlencoded";

export interface BodyLimits {
  readonly maxBytes: number;
  /** For the whole body, ms. */
  readonly timeoutMs: number;
  /** Default: JSON. */
  readonly mediaType?: MediaType;
}

/** @param memory default: nothing is counted */
export function bodyReader(
  { maxBytes, timeoutMs, mediaType = JSON_TYPE }: BodyLimits,
  clock: Clock,
  memory?: Pick<ClientMemory, "ownerFor">,
): ReadBody {
  const timer = new DeadlineTimer(clock);
  return (request, sender) =>
    new Promise((resolve, reject) => {
      const reading = new Reading(timer, timeoutMs, reject);
      const counted = sender === undefined || memory === undefined ? undefined : { memory, sender, reading };
      readText(request, maxBytes, counted, mediaType).then((text) => {
        timer.forget(reading);
        resolve(text);
      }, (error) => {
        timer.forget(reading);
        reject(error);
      });
    });
}

/** One body under its time limit. */
class Reading implements Expiring {
  deadlineAt = Infinity;
  slot = -1;
  /** Breaks off the body of a request that has failed. Small bodies are left to the end of their connection. */
  cancelBody: (() => void) | undefined;
  /** Why the request has failed. */
  failure: SluiceError | undefined;

  constructor(
    readonly timer: DeadlineTimer,
    readonly timeoutMs: number,
    readonly reject: (error: SluiceError) => void,
  ) {
    timer.watch(this);
    timer.set(this, timeoutMs);
  }

  expire(): void {
    this.stop(new SluiceError("BODY_TIMEOUT", { timeoutMs: this.timeoutMs }));
  }

  stop(error: SluiceError): void {
    this.timer.forget(this);
    this.failure = error;
    this.reject(error);
    this.cancelBody?.();
  }
}

interface Counted {
  readonly memory: Pick<ClientMemory, "ownerFor">;
  readonly sender: Sender;
  readonly reading: Reading;
}

/**
 * @param maxBytes of the body, as sent and as decoded
 * @param counted who a large body counts for; default: nobody
 * @throws {SluiceError} UNSUPPORTED_MEDIA_TYPE, UNSUPPORTED_ENCODING, BODY_TOO_LARGE, PARSE_ERROR (not UTF-8), INVALID_REQUEST (broken
 *  off, or not in its coding), CLIENT_MEMORY_FULL
 */
export async function readText(
  request: Request,
  maxBytes: number,
  counted?: Counted,
  mediaType: MediaType = JSON_TYPE,
): Promise<string> {
  const { headers } = request;
  const type = headers.get("content-type");
  if (type !== mediaType && !isOfType(type, mediaType)) {
    throw new SluiceError("UNSUPPORTED_MEDIA_TYPE", { type: mediaType });
  }
  const encoding = headers.get("content-encoding");
  const decoded = encoding === null ? null : contentDecoder(encoding);
  const length = headers.get("content-length");
  if (length !== null && Number(length) > maxBytes) {
    throw new SluiceError("BODY_TOO_LARGE", { limit: maxBytes });
  }
  try {
    const isSmall = decoded === null && length !== null && Number(length) <= UNCOUNTED_BYTES;
    return isSmall ? textOf(await request.bytes()) : await readLarge(request, maxBytes, decoded, counted);
  } catch (cause) {
    // Wrong chunks, or a client that has hung up: not our fault.
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError("INVALID_REQUEST", { reason: "the body breaks off" }, { cause });
  }
}

/** Reads a body that may be large. It stays counted until the request is answered. */
async function readLarge(
  request: Request,
  maxBytes: number,
  decoded: ContentDecoder | null,
  counted: Counted | undefined,
): Promise<string> {
  const owner = counted?.memory.ownerFor(counted.sender.principal);
  const arrival = new Arrival(owner, () => counted!.reading.stop(new SluiceError("CLIENT_MEMORY_FULL")));
  const end = () => arrival.end();
  try {
    const bytes = await readUpTo(request, maxBytes, arrival, counted?.reading);
    const plain = decoded === null ? bytes : await decoded(bytes, maxBytes, arrival);
    arrival.keeps(plain.length);
    if (plain.length > LARGE_BYTES) await loopTurns.next(counted?.sender.principal);
    const text = textOf(plain);
    counted?.sender.info.completed.then(end, end);
    return text;
  } catch (error) {
    end();
    throw error;
  }
}

/** Is it this media type, with parameters or in other case? */
function isOfType(type: string | null, mediaType: MediaType): boolean {
  return type?.split(";", 1)[0].trimEnd().toLowerCase() === mediaType;
}

/** Counts what comes of the bytes while it comes. */
type ContentDecoder = (bytes: Uint8Array, maxBytes: number, arrival: Arrival) => Promise<Uint8Array>;

/** @returns null for the coding `identity`. @throws {SluiceError} UNSUPPORTED_ENCODING */
function contentDecoder(encoding: string): ContentDecoder | null {
  const coding = encoding.trim().toLowerCase();
  if (coding === "identity") return null;
  if (!Object.hasOwn(CONTENT_DECODERS, coding)) {
    throw new SluiceError("UNSUPPORTED_ENCODING", { decoded: DECODED_CONTENT.join(", ") });
  }
  return async (bytes, maxBytes, arrival) => {
    const decoder = CONTENT_DECODERS[coding]!();
    const gathered = new GatheredBytes();
    try {
      decoder.end(bytes);
      for await (const piece of decoder) {
        if (gathered.length + piece.length > maxBytes) {
          throw new SluiceError("BODY_TOO_LARGE", { limit: maxBytes });
        }
        gathered.add(piece);
        arrival.keeps(bytes.length + gathered.length);
      }
      return gathered.bytes;
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      throw new SluiceError("INVALID_REQUEST", { reason: `the body is not ${coding}` }, { cause });
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
async function readUpTo(
  request: Request,
  maxBytes: number,
  arrival: Arrival,
  reading: Reading | undefined,
): Promise<Uint8Array> {
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const cancel = () => void reader.cancel().catch(() => {});
  if (reading !== undefined) reading.cancelBody = cancel;
  const gathered = new GatheredBytes();
  try {
    for (let { value } = await reader.read(); value !== undefined; { value } = await reader.read()) {
      if (gathered.length + value.length > maxBytes) {
        throw new SluiceError("BODY_TOO_LARGE", { limit: maxBytes });
      }
      gathered.add(value);
      arrival.keeps(gathered.length);
    }
  } catch (error) {
    cancel();
    throw error;
  }
  if (reading?.failure !== undefined) throw reading.failure;
  return gathered.bytes;
}
