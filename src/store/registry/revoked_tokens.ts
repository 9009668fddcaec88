// Revoked tokens, by their id (`jti`). They are read with the catalog, so a revocation reaches workers and replicas like a change
// of the catalog.
import { type Clock, systemClock } from "../../base/clock.ts";
import { raiseRightsVersion } from "../sql/catalog_version.ts";
import { type Database, sql } from "../sql/sql.ts";
import type { ApiTokens } from "../tokens/api_tokens.ts";

export interface RevokedTokenRow {
  readonly jti: string;
  /** ISO 8601, UTC. */
  readonly revokedAt: string;
  /** An email address; null if the command line revoked the token. */
  readonly revokedBy: string | null;
  readonly reason: string | null;
  /** When the token expires, ms since the epoch. null if that is not known; the revocation is then never deleted. */
  readonly expiresAt: number | null;
}

export type Revocation = Omit<RevokedTokenRow, "revokedAt">;

/** Time after the expiry until a revocation is deleted: the clock of another replica may be behind. */
const KEPT_AFTER_EXPIRY_MS = 60 * 60 * 1000;

export class RevokedTokens {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock = systemClock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Revokes a token. Of an existing revocation only an unknown expiry is changed. */
  async revoke({ jti, revokedBy, reason, expiresAt }: Revocation): Promise<void> {
    const revokedAt = new Date(this.#clock.now()).toISOString();
    await this.#database.transaction(async (tx) => {
      const { changes } = await tx.run(
        sql`INSERT INTO revoked_tokens (jti, revoked_at, revoked_by, reason, expires_at)
            VALUES (${jti}, ${revokedAt}, ${revokedBy}, ${reason}, ${expiresAt})
            ON CONFLICT (jti) DO UPDATE SET expires_at = excluded.expires_at
              WHERE revoked_tokens.expires_at IS NULL AND excluded.expires_at IS NOT NULL`,
      );
      if (changes > 0) await raiseRightsVersion(tx);
    });
  }

  /** Revokes a token, once. @returns false if it is revoked already */
  async revokeFirst({ jti, revokedBy, reason, expiresAt }: Revocation): Promise<boolean> {
    const revokedAt = new Date(this.#clock.now()).toISOString();
    return await this.#database.transaction(async (tx) => {
      const { changes } = await tx.run(
        sql`INSERT INTO revoked_tokens (jti, revoked_at, revoked_by, reason, expires_at)
            VALUES (${jti}, ${revokedAt}, ${revokedBy}, ${reason}, ${expiresAt}) ON CONFLICT (jti) DO NOTHING`,
      );
      if (changes > 0) await raiseRightsVersion(tx);
      return changes > 0;
    });
  }

  /** All revocations, the oldest first. */
  async list(): Promise<RevokedTokenRow[]> {
    const rows = await this.#database.query<{
      jti: string;
      revoked_at: string;
      revoked_by: string | null;
      reason: string | null;
      expires_at: number | string | null;
    }>(sql`SELECT jti, revoked_at, revoked_by, reason, expires_at FROM revoked_tokens ORDER BY revoked_at`);
    return rows.map((row) => ({
      jti: row.jti,
      revokedAt: row.revoked_at,
      revokedBy: row.revoked_by,
      reason: row.reason,
      expiresAt: row.expires_at === null ? null : Number(row.expires_at),
    }));
  }

  async ids(): Promise<string[]> {
    const rows = await this.#database.query<{ jti: string }>(sql`SELECT jti FROM revoked_tokens`);
    return rows.map(({ jti }) => jti);
  }

  /** Deletes revocations of expired tokens, which are refused anyway. @returns how many */
  async sweep(): Promise<number> {
    const { changes } = await this.#database.run(
      sql`DELETE FROM revoked_tokens WHERE expires_at <= ${this.#clock.now() - KEPT_AFTER_EXPIRY_MS}`,
    );
    return changes;
  }
}

/** Revokes a token of any kind: the row of an API token says so; other tokens have no row, and are revoked by their id alone. */
export async function revokeTokenOf(
  { apiTokens, revokedTokens }: { readonly apiTokens: ApiTokens; readonly revokedTokens: RevokedTokens },
  revocation: Revocation,
): Promise<void> {
  const { jti: id, revokedBy, reason } = revocation;
  if (!await apiTokens.revoke({ id, revokedBy, reason })) await revokedTokens.revoke(revocation);
}
