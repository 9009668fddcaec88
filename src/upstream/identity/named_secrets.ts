// Where the secrets of references come from, and the credentials of one upstream that has such references.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { SeenAnswer } from "../../base/seen_answer.ts";
import { type Reference, type ReferenceKind, referencesIn, withSecrets } from "./secret_references.ts";
import type { SecretCommand } from "./secret_command.ts";
import { readSecretFile, SecretFault } from "./secret_files.ts";

export interface SecretsOptions {
  /** SECRETS_DIRECTORY; null: there are none in files. */
  readonly directory: string | null;
  /** null: there is no SECRET_COMMAND. */
  readonly command: SecretCommand | null;
  readonly clock: Clock;
  /** Called when a secret cannot be read, also where its former value is used on. */
  readonly onFailure?: (upstream: string, kind: ReferenceKind) => void;
}

export class Secrets {
  readonly #options: SecretsOptions;
  /** Grows when all secrets have to be read again. */
  #generation = 0;

  constructor(options: SecretsOptions) {
    this.#options = options;
  }

  get generation(): number {
    return this.#generation;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** The setting that has to be set for references of this kind; null: it is. */
  missingSetting(kind: ReferenceKind): string | null {
    const { directory, command } = this.#options;
    if (kind === "file") return directory === null ? "SECRETS_DIRECTORY" : null;
    return command === null ? "SECRET_COMMAND" : null;
  }

  /** Each secret is read again before its next use. */
  renew(): void {
    this.#generation++;
    this.#options.command?.forget();
  }

  /** Forgets the secrets that a command has printed: an upstream has refused one. */
  forgetPrinted(): void {
    this.#options.command?.forget();
  }

  /** When the secrets of `value` have to be read again, in ms since the epoch. */
  heldUntil(value: unknown): number {
    const printed = referencesIn(value).filter(({ kind }) => kind === "secret");
    return Math.min(
      Infinity,
      ...printed.map(({ name }) => this.#options.command?.heldUntil(name) ?? Infinity),
    );
  }

  /** A copy of `value` with the secrets. @throws {SluiceError} UPSTREAM_LOGIN_FAILED */
  async resolved<T>(value: T, upstream: string): Promise<T> {
    try {
      return await withSecrets(value, (reference) => this.#counted(reference, upstream));
    } catch (error) {
      if (!(error instanceof SecretFault)) throw error;
      const cause = error.stderr === "" ? undefined : new SeenAnswer(error.stderr, "stderr");
      throw new SluiceError("UPSTREAM_LOGIN_FAILED", { upstream, reason: error.message }, { cause });
    }
  }

  async #counted(reference: Reference, upstream: string): Promise<string> {
    try {
      return await this.#read(reference);
    } catch (error) {
      this.#options.onFailure?.(upstream, reference.kind);
      throw error;
    }
  }

  #read({ kind, name }: Reference): Promise<string> {
    const missing = this.missingSetting(kind);
    if (missing !== null) {
      throw new SecretFault(`its credentials name the secret "${name}", which needs ${missing}`);
    }
    const { directory, command } = this.#options;
    return kind === "file" ? readSecretFile(directory!, name) : command!.read(name);
  }
}

/** A refused secret is not looked up again within this time, so that callers of an upstream cannot make the gateway read all the time. */
const REREAD_MS = 1_000;

/** Pause after a command that could not print a secret again. */
const RETRY_MS = 30_000;

/** The credentials of one upstream as they are now. */
export class CurrentSecrets<T> {
  readonly #secrets: Secrets;
  readonly #written: T;
  readonly #upstream: string;
  #known: { readonly value: T; readonly text: string; readonly generation: number } | null = null;
  /** ms since the epoch */
  #until = 0;
  #readAt = -Infinity;
  #reading: Promise<T> | null = null;

  constructor(secrets: Secrets, written: T, upstream: string) {
    this.#secrets = secrets;
    this.#written = written;
    this.#upstream = upstream;
  }

  /** null: never read. */
  get known(): T | null {
    return this.#known?.value ?? null;
  }

  /** The same object as long as nothing has changed. @throws {SluiceError} UPSTREAM_LOGIN_FAILED */
  current(): T | Promise<T> {
    const { generation, clock } = this.#secrets;
    if (this.#known?.generation === generation && clock.now() < this.#until) return this.#known.value;
    return this.#reading ??= this.#read().catch((error) => this.#former(error)).finally(() =>
      this.#reading = null
    );
  }

  /**
   * After a refusal of `used`.
   * @returns null if the secrets are the same, so that a second try would be refused as well
   * @throws {SluiceError} UPSTREAM_LOGIN_FAILED
   */
  async afterRefusal(used: T): Promise<T | null> {
    if (this.#reading === null && this.#known?.value === used) {
      if (this.#secrets.clock.now() - this.#readAt < REREAD_MS) return null;
      this.#secrets.forgetPrinted();
      this.#reading = this.#read().finally(() => this.#reading = null);
    }
    const next = await (this.#reading ?? this.current());
    return next === used ? null : next;
  }

  /** The store of secrets may be away for a while: what was printed before is used until SIGHUP or the upstream's refusal. */
  #former(error: unknown): T {
    const { generation, clock } = this.#secrets;
    if (this.#known?.generation !== generation) throw error;
    this.#until = clock.now() + RETRY_MS;
    return this.#known.value;
  }

  async #read(): Promise<T> {
    const { generation } = this.#secrets;
    this.#readAt = this.#secrets.clock.now();
    const value = await this.#secrets.resolved(this.#written, this.#upstream);
    const text = JSON.stringify(value);
    const same = this.#known?.text === text ? this.#known.value : value;
    this.#known = { value: same, text, generation };
    this.#until = this.#secrets.heldUntil(this.#written);
    return same;
  }
}
