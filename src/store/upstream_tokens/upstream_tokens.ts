// Room `upstream_tokens`: the tokens that upstreams' authorization servers have given the gateway, sealed. A row is also the claim of
// the one worker, of all replicas, that asks for a new token.
import { NOW_MS } from "../sql/database_clock.ts";
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";

export interface TokenKey {
  readonly gatewayId: string;
  /** Whose token it is; "": everybody's. */
  readonly owner: string;
  /** Names the credentials that the token is for. A token of others is forgotten by the next claim. */
  readonly version: string;
  /** Of a token that was exchanged for a caller's own. */
  readonly ends?: {
    /** When the caller's token ends, ms since the epoch. */
    readonly at: number;
    /** The beginning of all owners of the same caller. */
    readonly caller: string;
  };
}

export interface TokenClaim {
  /** The claim is the holder's now. Otherwise another one asks for a token. */
  readonly isHeld: boolean;
  /** The stored token; null: there is none of these credentials. */
  readonly sealed: string | null;
  /** The former holder neither stored a token nor let go of its claim. It has ended, perhaps after the server had given a token. */
  readonly isInterrupted: boolean;
}

/** What pages tell of the token of a login. */
export interface TokenEnd {
  /** ms since the epoch; null: the server did not say. */
  readonly expiresAt: number | null;
  /** There is a refresh token. */
  readonly isRenewable: boolean;
}

interface Record {
  readonly sealed: string | null;
  readonly version: string;
  /** ms since the epoch; 0: nobody has a claim. */
  readonly claimed_until: number | string;
}

/** Exchanged tokens of one caller at one upstream. Those that end first are forgotten, and can be had again. */
const MAX_OF_CALLER = 20;

export class UpstreamTokens {
  readonly #database: Database;
  readonly #now: SqlQuery;

  constructor(database: Database) {
    this.#database = database;
    this.#now = NOW_MS[database.dialect];
  }

  /** Claims a token for `ttlMs`, unless another holder has the claim. @throws {SluiceError} STORE_UNAVAILABLE */
  async claim(
    { gatewayId, owner, version, ends }: TokenKey,
    holder: string,
    ttlMs: number,
  ): Promise<TokenClaim> {
    const before = await this.#find(gatewayId, owner);
    // PostgreSQL evaluates the condition again after a wait for the row's lock.
    const [held] = await this.#database.query<Pick<Record, "sealed">>(
      sql`INSERT INTO upstream_tokens (gateway_id, owner, version, sealed, holder, claimed_until, expires_at)
          VALUES (${gatewayId}, ${owner}, ${version}, ${null}, ${holder}, ${this.#now} + ${ttlMs}, ${
        ends?.at ?? null
      })
          ON CONFLICT (gateway_id, owner) DO UPDATE SET
            sealed = CASE WHEN upstream_tokens.version = excluded.version THEN upstream_tokens.sealed END,
            version = excluded.version, holder = excluded.holder, claimed_until = excluded.claimed_until,
            expires_at = COALESCE(excluded.expires_at, upstream_tokens.expires_at)
          WHERE upstream_tokens.claimed_until <= ${this.#now} OR upstream_tokens.version <> excluded.version
          RETURNING sealed`,
    );
    if (held !== undefined) {
      if (ends !== undefined && held.sealed === null) await this.#limit(gatewayId, ends.caller);
      const isInterrupted = held.sealed !== null && held.sealed === before?.sealed &&
        Number(before.claimed_until) !== 0;
      return { isHeld: true, sealed: held.sealed, isInterrupted };
    }
    const row = await this.#find(gatewayId, owner);
    return { isHeld: false, sealed: row?.version === version ? row.sealed : null, isInterrupted: false };
  }

  async #find(gatewayId: string, owner: string): Promise<Record | undefined> {
    const [row] = await this.#database.query<Record>(
      sql`SELECT sealed, version, claimed_until FROM upstream_tokens
          WHERE gateway_id = ${gatewayId} AND owner = ${owner}`,
    );
    return row;
  }

  /**
   * Stores the token of the claim, and ends the claim. Only the end of a login's row is the token's: an exchanged token ends with the
   * caller's, and the gateway's own stays, because it says to which server its client belongs.
   * @returns false if nothing was stored: the claim is another holder's by now, or the row is gone
   */
  async save(
    { gatewayId, owner, version }: TokenKey,
    holder: string,
    sealed: string,
    { expiresAt, isRenewable }: TokenEnd,
  ): Promise<boolean> {
    const saved = await this.#database.query(
      sql`UPDATE upstream_tokens SET sealed = ${sealed}, claimed_until = 0, is_renewable = ${
        isRenewable ? 1 : 0
      },
            expires_at = CASE WHEN connected_at IS NULL THEN expires_at ELSE ${expiresAt} END
          WHERE gateway_id = ${gatewayId} AND owner = ${owner} AND version = ${version} AND holder = ${holder}
          RETURNING gateway_id`,
    );
    return saved.length > 0;
  }

  async release({ gatewayId, owner, version }: TokenKey, holder: string): Promise<void> {
    await this.#database.run(
      sql`UPDATE upstream_tokens SET claimed_until = 0
          WHERE gateway_id = ${gatewayId} AND owner = ${owner} AND version = ${version} AND holder = ${holder}`,
    );
  }

  /** Forgets what was exchanged for tokens of callers that have ended. */
  async sweep(): Promise<void> {
    await this.#database.run(
      sql`DELETE FROM upstream_tokens WHERE connected_at IS NULL AND expires_at <= ${this.#now}`,
    );
  }

  async #limit(gatewayId: string, caller: string): Promise<void> {
    await this.#database.run(
      sql`DELETE FROM upstream_tokens WHERE gateway_id = ${gatewayId} AND owner IN (
            SELECT owner FROM upstream_tokens
            WHERE gateway_id = ${gatewayId} AND SUBSTR(owner, 1, ${caller.length}) = ${caller}
            ORDER BY expires_at DESC, owner LIMIT 1000 OFFSET ${MAX_OF_CALLER})`,
    );
  }
}
