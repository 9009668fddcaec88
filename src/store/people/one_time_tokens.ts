// Tokens that can be used once: to make the first administrator, or to set a password. Only a token's hash is stored.
import { NOW_MS } from "../sql/database_clock.ts";
import { type Database, sql } from "../sql/sql.ts";

export class OneTimeTokens {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Stores the token of a purpose. A token that is still valid stays, so that one of several processes that start together hands
   * out a token. The database's clock decides.
   * @returns whether the token was stored
   */
  async offer(purpose: string, tokenHash: string, ttlMs: number): Promise<boolean> {
    const now = NOW_MS[this.#database.dialect];
    const { changes } = await this.#database.run(
      sql`INSERT INTO one_time_tokens (purpose, token_hash, expires_at)
          VALUES (${purpose}, ${tokenHash}, ${now} + ${ttlMs})
          ON CONFLICT (purpose) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at
            WHERE one_time_tokens.expires_at <= ${now}`,
    );
    return changes > 0;
  }

  /** Stores the token of a purpose in the place of a former one, and drops tokens that have expired. */
  async replace(purpose: string, tokenHash: string, ttlMs: number): Promise<void> {
    const now = NOW_MS[this.#database.dialect];
    await this.#database.transaction(async (tx) => {
      await tx.run(sql`DELETE FROM one_time_tokens WHERE purpose = ${purpose} OR expires_at <= ${now}`);
      await tx.run(
        sql`INSERT INTO one_time_tokens (purpose, token_hash, expires_at)
            VALUES (${purpose}, ${tokenHash}, ${now} + ${ttlMs})`,
      );
    });
  }

  /** What the token is for, and when it expires (ms since the epoch); null: there is no such token, or it has expired. */
  async find(tokenHash: string): Promise<{ readonly purpose: string; readonly expiresAt: number } | null> {
    const [row] = await this.#database.query<{ purpose: string; expires_at: number | string }>(
      sql`SELECT purpose, expires_at FROM one_time_tokens WHERE token_hash = ${tokenHash}
          AND expires_at > ${NOW_MS[this.#database.dialect]}`,
    );
    return row === undefined ? null : { purpose: row.purpose, expiresAt: Number(row.expires_at) };
  }

  async isOpen(purpose: string, tokenHash: string): Promise<boolean> {
    const rows = await this.#database.query(
      sql`SELECT purpose FROM one_time_tokens WHERE purpose = ${purpose} AND token_hash = ${tokenHash}
          AND expires_at > ${NOW_MS[this.#database.dialect]}`,
    );
    return rows.length > 0;
  }

  /** Uses the token up. @returns false if there is no such token, or if it has expired */
  async use(purpose: string, tokenHash: string): Promise<boolean> {
    const { changes } = await this.#database.run(
      sql`DELETE FROM one_time_tokens WHERE purpose = ${purpose} AND token_hash = ${tokenHash}
          AND expires_at > ${NOW_MS[this.#database.dialect]}`,
    );
    return changes > 0;
  }
}
