// Clients that have registered themselves. Anybody may, so that their number is bounded: a client that nobody has used makes room.
import { NOW_MS } from "../sql/database_clock.ts";
import { type Database, sql } from "../sql/sql.ts";
import { type ClientRow, CLIENTS } from "./oauth_rows.ts";

export type NewClient = Omit<ClientRow, "isUsed" | "createdAt" | "expiresAt">;

export class OAuthClients {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /**
   * @param limit the clients that there may be. The unused ones that expire first make room
   * @returns false if all of them are used, so that there is no room
   */
  async insert(given: NewClient, ttlMs: number, limit: number): Promise<boolean> {
    const now = this.now();
    const row = {
      ...given,
      isUsed: false,
      createdAt: now.toISOString(),
      expiresAt: now.getTime() + ttlMs,
    };
    return await this.database.transaction(async (tx) => {
      const [{ amount }] = await tx.query<{ amount: number }>(
        sql`SELECT COUNT(*) AS amount FROM oauth_clients`,
      );
      const beyond = Number(amount) + 1 - limit;
      if (beyond > 0) {
        const { changes } = await tx.run(
          sql`DELETE FROM oauth_clients WHERE id IN (SELECT id FROM oauth_clients
              WHERE is_used = 0 ORDER BY expires_at, id LIMIT ${beyond})`,
        );
        if (changes < beyond) return false;
      }
      for (const statement of CLIENTS.inserts([row])) await tx.run(statement);
      return true;
    });
  }

  /** null: there is no such client, or its registration has expired. */
  async get(id: string): Promise<ClientRow | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM oauth_clients WHERE id = ${id} AND expires_at > ${NOW_MS[this.database.dialect]}`,
    );
    return record === undefined ? null : CLIENTS.decode(record);
  }

  /** A registration that is used lasts anew. */
  async use(id: string, ttlMs: number): Promise<void> {
    await this.database.run(
      sql`UPDATE oauth_clients SET is_used = 1, expires_at = ${
        this.now().getTime() + ttlMs
      } WHERE id = ${id}`,
    );
  }

  async sweep(): Promise<void> {
    await this.database.run(
      sql`DELETE FROM oauth_clients WHERE expires_at <= ${NOW_MS[this.database.dialect]}`,
    );
  }
}
