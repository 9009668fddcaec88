// The sealed id of a downstream session. Every worker can read the owner and the caller from it; nobody can forge one.
import { createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import type { Principal } from "../../auth/principal.ts";
import { reachKey } from "../../auth/token_reach.ts";
import { BoundedMap } from "../../base/bounded_map.ts";

/** The contents of an id. */
export interface SessionClaims {
  /** The replica that opened the session. */
  readonly replica: number;
  /** The worker of that replica. */
  readonly worker: number;
  /** Expiry, seconds since the epoch. */
  readonly expiresAt: number;
  /** The random part, in hex: the session's key in the cache. */
  readonly name: string;
  /** Hash of the `SessionOwner`. */
  readonly binding: string;
}

/** A worker's place, as session ids name it. */
export interface WorkerPlace {
  /** The number of its replica. It changes when other replicas have declared this one gone. */
  readonly replica: { readonly now: number };
  readonly worker: number;
}

/** The caller and endpoint that a session belongs to. */
export interface SessionOwner {
  readonly issuer: string | null;
  readonly subject: string;
  /** The limits of the tokens that may use the session; see `reachKey()`. */
  readonly reach: string;
  /** The virtual server of the path or of the token; null for the endpoint that shows everything. */
  readonly serverId: string | null;
}

// Layout: key id 1, replica 4, worker 2, expiry 4, name 10, binding 8, then the authentication tag 16 bytes; 72 characters in all.
const NAME_BYTES = 10;
const BINDING_BYTES = 8;
const BODY_BYTES = 1 + 4 + 2 + 4 + NAME_BYTES + BINDING_BYTES;
const TAG_BYTES = 16;
const ID_CHARS = (BODY_BYTES + TAG_BYTES) * 8 / 5;
const MAX_REMEMBERED = 10_000;

export class SessionIds {
  readonly #key: Uint8Array;
  readonly #keyId: number;
  /** Cache of opened ids, so that warm requests need no cryptography. */
  readonly #opened = new BoundedMap<string, SessionClaims>({ maxEntries: MAX_REMEMBERED });

  /** @param secret AUTH_ENCRYPTION_SECRET; the key is derived from it once */
  constructor(secret: string) {
    this.#key = new Uint8Array(hkdfSync("sha256", secret, "sluice", "downstream session id", 32));
    this.#keyId = createHash("sha256").update(this.#key).digest()[0]!;
  }

  seal({ replica, worker, expiresAt, owner }: {
    readonly replica: number;
    readonly worker: number;
    readonly expiresAt: number;
    readonly owner: SessionOwner;
  }): string {
    const bytes = new Uint8Array(BODY_BYTES + TAG_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, this.#keyId);
    view.setUint32(1, replica);
    view.setUint16(5, worker);
    view.setUint32(7, expiresAt);
    crypto.getRandomValues(bytes.subarray(11, 11 + NAME_BYTES));
    bytes.set(bindingOf(owner), 11 + NAME_BYTES);
    bytes.set(this.#tag(bytes.subarray(0, BODY_BYTES)), BODY_BYTES);
    return encodeBase32(bytes);
  }

  /** The contents of an id; null if it is forged or expired. @param nowMs ms since the epoch */
  open(id: string, nowMs: number): SessionClaims | null {
    let claims = this.#opened.get(id);
    if (claims === undefined) {
      const opened = this.#unseal(id);
      if (opened === null) return null;
      claims = opened;
      this.#opened.set(id, claims);
    }
    return claims.expiresAt * 1000 > nowMs ? claims : null;
  }

  #unseal(id: string): SessionClaims | null {
    // Length is exact: an id with an extra character would decode to the same bytes, and one session would have two ids.
    if (id.length !== ID_CHARS) return null;
    const bytes = decodeBase32(id);
    if (bytes === null || bytes[0] !== this.#keyId) return null;
    if (!timingSafeEqual(this.#tag(bytes.subarray(0, BODY_BYTES)), bytes.subarray(BODY_BYTES))) return null;
    const view = new DataView(bytes.buffer);
    return {
      replica: view.getUint32(1),
      worker: view.getUint16(5),
      expiresAt: view.getUint32(7),
      name: bytes.subarray(11, 11 + NAME_BYTES).toHex(),
      binding: bytes.subarray(11 + NAME_BYTES, BODY_BYTES).toHex(),
    };
  }

  #tag(body: Uint8Array): Uint8Array {
    return createHmac("sha256", this.#key).update(body).digest().subarray(0, TAG_BYTES);
  }
}

/** The owner of sessions that this caller opens at this endpoint. */
export function ownerOf(principal: Principal, serverId: string | null): SessionOwner {
  const { issuer, subject } = principal;
  return { issuer, subject, reach: reachKey(principal), serverId: serverId ?? principal.serverId };
}

/** Is the session this caller's, at this endpoint? */
export function isBoundTo(claims: SessionClaims, owner: SessionOwner): boolean {
  return claims.binding === bindingOf(owner).toHex();
}

function bindingOf({ issuer, subject, reach, serverId }: SessionOwner): Uint8Array {
  // JSON separates them, whatever characters they contain.
  const text = JSON.stringify([issuer, subject, reach, serverId]);
  return new Uint8Array(createHash("sha256").update(text).digest()).subarray(0, BINDING_BYTES);
}

// RFC 4648 base32 in lower case: within the alphabet [A-Za-z0-9-] that strict intermediaries allow in a session id.
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

function encodeBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8 | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >> bits) & 31];
    }
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}

function decodeBase32(text: string): Uint8Array | null {
  const bytes = new Uint8Array(Math.floor(text.length * 5 / 8));
  let at = 0;
  let bits = 0;
  let value = 0;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return null;
    value = (value << 5 | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (value >> bits) & 255;
    }
  }
  return bytes;
}
