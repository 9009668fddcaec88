// The public keys of another issuer, read from its address (JWT_ISSUERS). They are read again when they are old, and when a token
// names a key that is not among them. A token can cause a read at most every MIN_INTERVAL_MS, whatever it names.
import type { JWK } from "jose";
import type { Clock } from "../../base/clock.ts";
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import type { Log } from "../../telemetry/log.ts";
import { algorithmsOf, keyFault, keySet, type KeysFor } from "./public_keys.ts";

export interface IssuerKeysDeps {
  readonly issuer: string;
  /** The algorithms that the issuer may sign with. */
  readonly algorithms: readonly string[];
  /** Reads the text at the issuer's address, within its own limits of time and size. Rejects if it cannot. */
  readonly read: () => Promise<string>;
  readonly clock: Clock;
  readonly log: Log;
  readonly count: (outcome: "success" | "failure") => void;
  /** JWKS_CACHE_TTL */
  readonly ttlMs: number;
  /** JWKS_GRACE */
  readonly graceMs: number;
}

/** Shortest time between two reads. */
const MIN_INTERVAL_MS = 10_000;

/** Providers publish two to ten keys. */
const MAX_KEYS = 100;

interface KeptKeys {
  readonly find: KeysFor;
  readonly readAt: number;
}

export class IssuerKeys {
  readonly #deps: IssuerKeysDeps;
  #kept: KeptKeys | null = null;
  #lastRead = -Infinity;
  #reading: Promise<void> | null = null;

  constructor(deps: IssuerKeysDeps) {
    this.#deps = deps;
  }

  /** @throws {SluiceError} TOKEN_KEYS_UNAVAILABLE if there are no keys, or only keys that are older than the grace */
  readonly keysFor: KeysFor = async (header) => {
    const { clock, ttlMs, graceMs } = this.#deps;
    const ageMs = () => this.#kept === null ? Infinity : clock.now() - this.#kept.readAt;
    // A clock that was set back says nothing of the age.
    if (ageMs() >= ttlMs || ageMs() < 0) await this.refresh();
    if (ageMs() >= ttlMs + graceMs) throw new SluiceError("TOKEN_KEYS_UNAVAILABLE");
    const before = this.#kept!;
    const keys = await before.find(header);
    if (keys.length > 0) return keys;
    await this.refresh();
    return this.#kept === before ? [] : await this.#kept!.find(header);
  };

  /** Reads the keys, unless they were read a moment ago. Several callers share one read. Never rejects. */
  refresh(): Promise<void> {
    if (this.#reading !== null) return this.#reading;
    const now = this.#deps.clock.now();
    const sinceMs = now - this.#lastRead;
    if (sinceMs >= 0 && sinceMs < MIN_INTERVAL_MS) return Promise.resolve();
    this.#lastRead = now;
    return this.#reading = this.#read().finally(() => this.#reading = null);
  }

  async #read(): Promise<void> {
    const { issuer, algorithms, read, clock, log, count, ttlMs, graceMs } = this.#deps;
    try {
      const { keys, leftOut } = usableKeys(await read(), algorithms);
      this.#kept = { find: keySet(keys), readAt: clock.now() };
      count("success");
      log.info("keys of a token issuer read", { issuer, keys: keys.length, leftOut });
    } catch (error) {
      count("failure");
      const until = this.#kept === null ? null : new Date(this.#kept.readAt + ttlMs + graceMs).toISOString();
      log.warning("keys of a token issuer cannot be read", {
        issuer,
        reason: reasonOf(error),
        formerKeysUntil: until,
      });
    }
  }
}

/** @throws {Error} with the reason, if there is no key that the gateway can use */
export function usableKeys(
  text: string,
  algorithms: readonly string[],
): { readonly keys: readonly JWK[]; readonly leftOut: readonly string[] } {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new Error("the answer is not JSON");
  }
  if (!isObject(set) || !Array.isArray(set.keys)) throw new Error("the answer is no JSON Web Key Set");
  if (set.keys.length > MAX_KEYS) throw new Error(`the answer has more than ${MAX_KEYS} keys`);
  const keys: JWK[] = [];
  const leftOut = new Set<string>();
  for (const key of set.keys) {
    const fault = isObject(key) ? faultOf(key as JWK, algorithms) : "is no object";
    if (fault === null) keys.push(publicPart(key as JWK));
    else leftOut.add(`a key ${fault}`);
  }
  if (keys.length === 0) {
    throw new Error(`the answer has no key that can be used: ${[...leftOut].join("; ") || "it is empty"}`);
  }
  return { keys, leftOut: [...leftOut] };
}

function faultOf(key: JWK, algorithms: readonly string[]): string | null {
  const fault = keyFault(key);
  if (fault !== null) return fault;
  if (key.use !== undefined && key.use !== "sig") return "is not for signatures";
  const own = algorithmsOf(key);
  const isUsable = key.alg === undefined
    ? own.some((each) => algorithms.includes(each))
    : algorithms.includes(key.alg);
  return isUsable ? null : `is for none of the algorithms ${algorithms.join(", ")}`;
}

/** The members that a key needs, without certificates and other members. */
function publicPart({ kty, crv, x, y, n, e, kid, alg, use, key_ops }: JWK): JWK {
  const part = { kty, crv, x, y, n, e, kid, alg, use, key_ops };
  return Object.fromEntries(
    Object.entries(part).filter(([, value]) => value !== undefined),
  ) as unknown as JWK;
}
