// How replicas know each other: what they send is signed with a key that follows from AUTH_ENCRYPTION_SECRET.
import { createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Clock } from "../base/clock.ts";

/** What is signed with a request, beside its body: it goes into headers. */
export interface SealedRequest {
  /** Who it is for: nobody else takes it. */
  readonly replica: number;
  /** When it was made, ms since the epoch. */
  readonly at: number;
  /** Used once. */
  readonly nonce: string;
}

/** A request is good for so long before and after the time that it names: the replicas' clocks may differ by this. */
export const SEAL_WINDOW_MS = 30_000;

export class ReplicaSeal {
  readonly #key: Uint8Array;

  /** @param secret the deployment's; the key is derived from it once */
  constructor(secret: string) {
    this.#key = new Uint8Array(hkdfSync("sha256", secret, "sluice", "requests between replicas", 32));
  }

  signRequest({ replica, at, nonce }: SealedRequest, target: string, body: string): string {
    const digest = createHash("sha256").update(body).digest("hex");
    return this.#sign(["request", "POST", target, replica, at, nonce, digest]);
  }

  /** The answer's head belongs to one request: `nonce` is that one's. */
  signReply(nonce: string, head: string): string {
    return this.#sign(["reply", nonce, head]);
  }

  #sign(parts: readonly (string | number)[]): string {
    return createHmac("sha256", this.#key).update(parts.join("\n")).digest("hex");
  }
}

export function isSameSignature(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => new TextEncoder().encode(text));
  // Of the bytes: what comes in a header may have characters of two.
  return a!.length === b!.length && timingSafeEqual(a!, b!);
}

/** Takes each nonce once within the window in which its request is good. */
export class UsedNonces {
  readonly #clock: Clock;
  #since: number;
  #young = new Set<string>();
  #old = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** @returns false where it was taken before */
  take(nonce: string): boolean {
    const now = this.#clock.now();
    // A request may come the window before its time and the window after it.
    if (now >= this.#since + 2 * SEAL_WINDOW_MS) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#since = now;
    }
    if (this.#young.has(nonce) || this.#old.has(nonce)) return false;
    this.#young.add(nonce);
    return true;
  }
}
