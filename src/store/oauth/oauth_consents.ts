// What users have allowed clients. A consent that is taken back ends everything that was issued by it.
import { newId } from "../sql/new_id.ts";
import { type Database, sql } from "../sql/sql.ts";
import { type ConsentRow, CONSENTS } from "./oauth_rows.ts";

export type NewConsent = Omit<ConsentRow, "id" | "createdAt" | "usedAt">;

export class OAuthConsents {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  async find({ userId, clientId, resource }: Pick<ConsentRow, "userId" | "clientId" | "resource">) {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM oauth_consents
          WHERE user_id = ${userId} AND client_id = ${clientId} AND resource = ${resource}`,
    );
    return record === undefined ? null : CONSENTS.decode(record);
  }

  /** Has the user allowed the client something, on whatever resource? */
  async hasAny({ userId, clientId }: Pick<ConsentRow, "userId" | "clientId">): Promise<boolean> {
    const found = await this.database.query(
      sql`SELECT 1 FROM oauth_consents WHERE user_id = ${userId} AND client_id = ${clientId} LIMIT 1`,
    );
    return found.length > 0;
  }

  /**
   * Keeps what a user allows. A consent of the same client and resource gets the scope and the name of now.
   * @param limit the consents that the user may have
   * @returns null: the user has as many already
   */
  async allow(given: NewConsent, limit: number): Promise<ConsentRow | null> {
    return await this.database.transaction(async (tx) => {
      const [{ amount }] = await tx.query<{ amount: number }>(
        sql`SELECT COUNT(*) AS amount FROM oauth_consents WHERE user_id = ${given.userId}
            AND NOT (client_id = ${given.clientId} AND resource = ${given.resource})`,
      );
      if (Number(amount) >= limit) return null;
      const row = { ...given, id: newId(), createdAt: this.now().toISOString(), usedAt: null };
      const [insert] = CONSENTS.inserts([row]);
      await tx.run(
        sql`${insert!} ON CONFLICT (user_id, client_id, resource) DO UPDATE SET
            client_name = excluded.client_name, client_host = excluded.client_host, scope = excluded.scope`,
      );
      return await new OAuthConsents(tx, this.now).find(given);
    });
  }

  /** The last used first. */
  async listOf(userId: string): Promise<ConsentRow[]> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM oauth_consents WHERE user_id = ${userId}
          ORDER BY COALESCE(used_at, created_at) DESC, id`,
    );
    return records.map((record) => CONSENTS.decode(record));
  }

  /** Deletes a consent of the user, with its codes and grants. @returns the ids of the grants; null: there is no such consent */
  async revoke(id: string, userId: string): Promise<string[] | null> {
    return await this.database.transaction(async (tx) => {
      // Codes that are being redeemed have the ids of their grants already.
      const grants = await tx.query<{ id: string }>(
        sql`SELECT id FROM oauth_grants WHERE consent_id = ${id}
            UNION SELECT grant_id AS id FROM oauth_codes WHERE consent_id = ${id} AND state <> 'new'`,
      );
      const { changes } = await tx.run(
        sql`DELETE FROM oauth_consents WHERE id = ${id} AND user_id = ${userId}`,
      );
      return changes === 0 ? null : grants.map((grant) => grant.id);
    });
  }

  /** An access token was issued. */
  async use(id: string): Promise<void> {
    await this.database.run(
      sql`UPDATE oauth_consents SET used_at = ${this.now().toISOString()} WHERE id = ${id}`,
    );
  }
}
