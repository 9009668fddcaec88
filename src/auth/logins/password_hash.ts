// Password hashes, as texts that name their method and cost ("PHC strings"). New ones are made by scrypt, which runs on other threads.
// Hashes of ContextForge (argon2id) are verified too, and replaced at the next login.
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { SluiceError } from "../../base/errors.ts";

/** A stored hash that asks for more than this is not verified. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

const SALT_BYTES = 16;
const HASH_BYTES = 32;

interface Cost {
  /** The logarithm of the number of iterations. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** As OWASP recommends (Password Storage Cheat Sheet, "scrypt"): 32 MiB, and about 0.3 s of a processor. */
const COST: Cost = { ln: 15, r: 8, p: 3 };

export interface PasswordHashesOptions {
  /** Of new hashes; tests take a lower one. */
  readonly cost?: Cost;
  /** Passwords that are hashed at the same time. */
  readonly maxAtOnce: number;
  /** Passwords that wait for these. */
  readonly maxWaiting: number;
  /** Verifies an argon2id hash on another thread. */
  readonly verifyArgon2: (password: string, hash: string) => Promise<boolean>;
}

/** Each hash takes memory and a processor, so few are made at a time. */
export class PasswordHashes {
  readonly #options: PasswordHashesOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  readonly #cost: Cost;
  /** The hash of no password: logins of unknown users take as long as others. */
  readonly #nobodys: string;

  constructor(options: PasswordHashesOptions) {
    this.#options = options;
    this.#cost = options.cost ?? COST;
    this.#nobodys = encode(this.#cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
  }

  /** @throws {SluiceError} OVERLOADED if too many passwords wait */
  make(password: string): Promise<string> {
    return this.#inTurn(async () => {
      const salt = randomBytes(SALT_BYTES);
      return encode(this.#cost, salt, await derive(password, salt, this.#cost, HASH_BYTES));
    });
  }

  /**
   * @param stored null: there is none, and no password is right
   * @throws {SluiceError} OVERLOADED if too many passwords wait
   */
  verify(password: string, stored: string | null): Promise<boolean> {
    return this.#inTurn(async () => {
      if (stored?.startsWith("$argon2id$")) return await this.#options.verifyArgon2(password, stored);
      const { cost, salt, hash } = decode(stored ?? this.#nobodys) ?? decode(this.#nobodys)!;
      const derived = await derive(password, salt, cost, hash.length);
      return timingSafeEqual(derived, hash);
    });
  }

  /** Was the hash made as new ones are? */
  isCurrent(stored: string): boolean {
    const { ln, r, p } = decode(stored)?.cost ?? {};
    return ln === this.#cost.ln && r === this.#cost.r && p === this.#cost.p;
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const { maxAtOnce, maxWaiting } = this.#options;
    if (this.#running >= maxAtOnce) {
      if (this.#waiting.length >= maxWaiting) throw new SluiceError("OVERLOADED");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

function derive(password: string, salt: Uint8Array, { ln, r, p }: Cost, length: number): Promise<Uint8Array> {
  const options = { N: 2 ** ln, r, p, maxmem: 2 * MAX_MEMORY_BYTES };
  return new Promise((resolve, reject) => {
    // NFKC: a password that is typed on another keyboard is the same.
    scrypt(
      password.normalize("NFKC"),
      salt,
      length,
      options,
      (error, key) => error ? reject(error) : resolve(key),
    );
  });
}

function encode({ ln, r, p }: Cost, salt: Uint8Array, hash: Uint8Array): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
}

/** null if the text is no scrypt hash, or one that costs too much. */
function decode(text: string): { cost: Cost; salt: Uint8Array; hash: Uint8Array } | null {
  const parts = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]+)\$([\w+/]+)$/.exec(text);
  if (parts === null) return null;
  const [ln, r, p] = parts.slice(1, 4).map(Number);
  if (128 * 2 ** ln * r > MAX_MEMORY_BYTES) return null;
  return { cost: { ln, r, p }, salt: Uint8Array.fromBase64(parts[4]), hash: Uint8Array.fromBase64(parts[5]) };
}

function base64(bytes: Uint8Array): string {
  return new Uint8Array(bytes).toBase64({ omitPadding: true });
}
