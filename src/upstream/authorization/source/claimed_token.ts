// One worker of all replicas asks the authorization server for a token: the one that holds the claim in the database. The others wait
// for what it stores.
import { sleep } from "../../../base/clock.ts";
import { isError } from "../../../base/errors.ts";
import { LoginFault } from "../login_fault.ts";
import { openToken, sealToken } from "../sealed_token.ts";
import type { UpstreamToken } from "../upstream_token.ts";
import type { TokenLife } from "./token_life.ts";
import type { KeptTokens, TokenSourceDeps } from "./token_source_deps.ts";

/** The requests that a holder of the claim makes one after the other, at the most usual: two for metadata, one for the token. */
const CLAIM_PARTS = 3;

const POLL_MS = 100;

/** What the holder of a claim finds. */
export interface FoundRecord {
  readonly stored: UpstreamToken | null;
  /** `stored` as the database has it. */
  readonly sealed: string | null;
  /** See `TokenClaim`. */
  readonly isInterrupted: boolean;
}

export interface ClaimUse {
  /** The access token that is not wanted; null: any is. */
  readonly stale: string | null;
  readonly life: TokenLife;
  /** Asks the authorization server, and ends the claim by `save` or `release`. A claim also ends when it throws. */
  readonly ask: (found: FoundRecord) => Promise<UpstreamToken | null>;
}

export class ClaimedToken {
  readonly #kept: KeptTokens;
  readonly #deps: Pick<TokenSourceDeps, "clock" | "timeoutMs">;
  readonly #holder = crypto.randomUUID();

  constructor(kept: KeptTokens, deps: Pick<TokenSourceDeps, "clock" | "timeoutMs">) {
    this.#kept = kept;
    this.#deps = deps;
  }

  /**
   * The stored token if it is good, else what `ask` or another worker gets.
   * @throws {LoginFault} if another worker asks for too long; what `ask` throws
   */
  async get({ stale, life, ask }: ClaimUse): Promise<UpstreamToken | null> {
    const { records, key, secretBox } = this.#kept;
    const { clock, timeoutMs } = this.#deps;
    const giveUpAt = clock.now() + timeoutMs;
    for (;;) {
      const { isHeld, sealed, isInterrupted } = await records.claim(
        key,
        this.#holder,
        CLAIM_PARTS * timeoutMs,
      );
      const stored = sealed === null ? null : await openToken(secretBox, sealed, key);
      if (stored !== null && stored.accessToken !== stale && life.isUsable(stored)) {
        if (isHeld) await this.release();
        return stored;
      }
      if (isHeld) {
        try {
          return await ask({ stored, sealed, isInterrupted });
        } catch (error) {
          // Without a database the claim ends by itself.
          await this.release().catch(() => {});
          throw error;
        }
      }
      if (clock.now() >= giveUpAt) {
        throw new LoginFault("another worker has asked for a token, and has none yet");
      }
      await sleep(clock, POLL_MS);
    }
  }

  /**
   * Stores a token. That of a login is stored as soon as the database is available again: the authorization server may know the former
   * refresh token no more, so that the login would be lost with the new one.
   * @returns as `UpstreamTokens.save()`
   */
  async save(token: UpstreamToken): Promise<boolean> {
    const { records, key, secretBox } = this.#kept;
    const { clock, timeoutMs } = this.#deps;
    const { login } = token;
    const sealed = await sealToken(secretBox, token, key);
    const giveUpAt = clock.now() + CLAIM_PARTS * timeoutMs;
    for (;;) {
      try {
        return await records.save(key, this.#holder, sealed, {
          expiresAt: token.expiresAt,
          isRenewable: login !== undefined && login.refreshToken !== null,
        });
      } catch (error) {
        const isWaiting = login !== undefined && clock.now() < giveUpAt &&
          isError(error, "STORE_UNAVAILABLE");
        if (!isWaiting) throw error;
        await sleep(clock, POLL_MS);
      }
    }
  }

  async release(): Promise<void> {
    const { records, key } = this.#kept;
    await records.release(key, this.#holder);
  }
}
