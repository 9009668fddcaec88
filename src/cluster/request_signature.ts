// How replicas recognize each other: requests, replies and replica records are signed with a key derived from AUTH_ENCRYPTION_SECRET.
//
// The signature of a request covers a digest of its body and stands in a header, so a stranger's request is refused before any of its
// body is read.
import { createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";

/** What a forwarded request says of itself beside its envelope. Everything here is signed. */
export interface Voucher {
  /** The only replica that may take the request. */
  readonly replica: number;
  /** The worker there, as the id of the session or call names it. */
  readonly worker: number;
  /** When the request was made, ms since the epoch. */
  readonly at: number;
  /** Used once. */
  readonly nonce: string;
  /** SHA-256 of the body, in hex. */
  readonly digest: string;
}

const HEADERS = {
  format: "sluice-format",
  replica: "sluice-replica",
  worker: "sluice-worker",
  at: "sluice-time",
  nonce: "sluice-nonce",
  digest: "sluice-digest",
  signature: "sluice-signature",
  /** The head of a reply, as base64. */
  head: "sluice-reply",
} as const;

/**
 * The format of what replicas send each other. It is part of each signature. A replica refuses a request of another format by 401 with
 * its own format in this header, and the asking side reports REPLICA_INCOMPATIBLE: during an upgrade old and new replicas meet.
 */
export const FORWARD_FORMAT = "4";

export const FORMAT_HEADER = HEADERS.format;

/** A request is valid for this time before and after the time that it names: the replicas' clocks may differ by as much. */
export const SIGNATURE_WINDOW_MS = 30_000;

const MAX_NONCE_CHARS = 64;

/** What a replica's record says; see replica_record.ts. */
interface SignedRecord {
  readonly address: string;
  readonly process: string;
  readonly from: number;
  readonly until: number;
}

type HeaderPairs = [name: string, value: string][];

export class ReplicaSignatures {
  readonly #key: Uint8Array;

  /** @param secret the deployment's; the key is derived from it once */
  constructor(secret: string) {
    this.#key = new Uint8Array(hkdfSync("sha256", secret, "sluice", "requests between replicas", 32));
  }

  /** The headers of a request with this body. */
  requestHeaders(voucher: Omit<Voucher, "digest">, body: string): HeaderPairs {
    const digest = digestOf(body);
    return [
      [HEADERS.format, FORWARD_FORMAT],
      [HEADERS.replica, String(voucher.replica)],
      [HEADERS.worker, String(voucher.worker)],
      [HEADERS.at, String(voucher.at)],
      [HEADERS.nonce, voucher.nonce],
      [HEADERS.digest, digest],
      [HEADERS.signature, this.#signRequest({ ...voucher, digest })],
    ];
  }

  /**
   * Reads and checks the headers of a request. The body is still to be compared with the digest.
   * @throws {SluiceError} UNAUTHENTICATED for a request that no replica has signed, or not now
   */
  voucherIn(headers: Headers, now: number): Voucher {
    const text = (name: keyof typeof HEADERS) => headers.get(HEADERS[name]) ?? "";
    const voucher: Voucher = {
      replica: Number(text("replica")),
      worker: Number(text("worker")),
      at: Number(text("at") || NaN),
      nonce: text("nonce"),
      digest: text("digest"),
    };
    if (!isSameText(text("signature"), this.#signRequest(voucher))) {
      throw notOurs(
        "its signature is not a replica's: do all replicas have the same AUTH_ENCRYPTION_SECRET?",
      );
    }
    if (!(Math.abs(now - voucher.at) < SIGNATURE_WINDOW_MS) || voucher.nonce.length > MAX_NONCE_CHARS) {
      throw notOurs("the time that it names is not now: do the replicas' clocks differ?");
    }
    return voucher;
  }

  /** The headers of a reply. Its head belongs to one request, which the nonce names. */
  replyHeaders(nonce: string, head: string): HeaderPairs {
    const encoded = new TextEncoder().encode(head).toBase64();
    return [
      [HEADERS.format, FORWARD_FORMAT],
      [HEADERS.head, encoded],
      [HEADERS.signature, this.#signReply(nonce, encoded)],
    ];
  }

  /** The head of a reply to the request with this nonce; null: no replica has signed one. */
  headIn(response: { header(name: string): string | null }, nonce: string): string | null {
    const encoded = response.header(HEADERS.head);
    const signature = response.header(HEADERS.signature);
    if (encoded === null || signature === null) return null;
    if (!isSameText(signature, this.#signReply(nonce, encoded))) return null;
    return new TextDecoder().decode(Uint8Array.fromBase64(encoded));
  }

  /** The signature of a replica's record, valid for that number alone. */
  signRecord(number: number, { address, process, from, until }: SignedRecord): string {
    return this.#sign(["record", FORWARD_FORMAT, number, address, process, from, until]);
  }

  hasSignedRecord(signature: string, number: number, record: SignedRecord): boolean {
    return isSameText(signature, this.signRecord(number, record));
  }

  /** The signature of the text that declares a replica gone. */
  signGone(number: number): string {
    return this.#sign(["gone", FORWARD_FORMAT, number]);
  }

  #signRequest({ replica, worker, at, nonce, digest }: Voucher): string {
    return this.#sign(["request", FORWARD_FORMAT, replica, worker, at, nonce, digest]);
  }

  #signReply(nonce: string, head: string): string {
    return this.#sign(["reply", nonce, head]);
  }

  #sign(parts: readonly (string | number)[]): string {
    return createHmac("sha256", this.#key).update(parts.join("\n")).digest("hex");
  }
}

/** @throws {SluiceError} UNAUTHENTICATED for another body than the one that was signed */
export function checkBody({ digest }: Pick<Voucher, "digest">, body: string): void {
  if (!isSameText(digest, digestOf(body))) throw notOurs("its body is not the one that was signed");
}

function digestOf(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}

function isSameText(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => new TextEncoder().encode(text));
  // The length in bytes: a character of a header may take two.
  return a!.length === b!.length && timingSafeEqual(a!, b!);
}

function notOurs(cause: string): SluiceError {
  return new SluiceError("UNAUTHENTICATED", { reason: "the request does not come from a replica" }, {
    cause,
  });
}

/** Takes each nonce once within the window in which its request is valid. */
export class UsedNonces {
  readonly #clock: Clock;
  #since: number;
  #young = new Set<string>();
  #old = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** @returns false for a nonce that was taken before */
  take(nonce: string): boolean {
    const now = this.#clock.now();
    // A request may arrive from the window's length before its time to the window's length after it.
    if (now >= this.#since + 2 * SIGNATURE_WINDOW_MS) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#since = now;
    }
    if (this.#young.has(nonce) || this.#old.has(nonce)) return false;
    this.#young.add(nonce);
    return true;
  }
}
