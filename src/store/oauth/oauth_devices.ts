// Logins of terminals (RFC 8628). Each change of their state is one statement that compares and sets.
import { NOW_MS } from "../sql/database_clock.ts";
import { type Database, sql } from "../sql/sql.ts";
import { OAuthGrants } from "./oauth_grants.ts";
import { DEVICE_CODES, type DeviceCodeRow, type GrantRow } from "./oauth_rows.ts";

export class OAuthDevices {
  constructor(private readonly database: Database) {}

  /** @param limit the logins that may be pending. @returns false if there are as many already */
  async insert(row: DeviceCodeRow, limit: number): Promise<boolean> {
    return await this.database.transaction(async (tx) => {
      const [{ amount }] = await tx.query<{ amount: number }>(
        sql`SELECT COUNT(*) AS amount FROM oauth_device_codes WHERE expires_at > ${NOW_MS[tx.dialect]}`,
      );
      if (Number(amount) >= limit) return false;
      for (const statement of DEVICE_CODES.inserts([row])) await tx.run(statement);
      return true;
    });
  }

  /** The login, also if it has expired. */
  async find(deviceHash: string): Promise<DeviceCodeRow | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM oauth_device_codes WHERE device_hash = ${deviceHash}`,
    );
    return record === undefined ? null : DEVICE_CODES.decode(record);
  }

  /** The login that waits for a person; null: there is none with this code. */
  async pending(userCode: string): Promise<DeviceCodeRow | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM oauth_device_codes WHERE user_code = ${userCode} AND state = 'pending'
          AND expires_at > ${NOW_MS[this.database.dialect]}`,
    );
    return record === undefined ? null : DEVICE_CODES.decode(record);
  }

  /** @param at ms since the epoch */
  async polled(deviceHash: string, at: number): Promise<void> {
    await this.database.run(
      sql`UPDATE oauth_device_codes SET polled_at = ${at} WHERE device_hash = ${deviceHash}`,
    );
  }

  /** @param allowed null: the person has not allowed it; `at`: now, ms since the epoch. @returns false if the login does not wait any more */
  async decide(
    userCode: string,
    allowed: { readonly consentId: string; readonly scope: string; readonly at: number } | null,
  ): Promise<boolean> {
    const decided = allowed === null
      ? sql`state = 'denied'`
      : sql`state = 'allowed', consent_id = ${allowed.consentId}, scope = ${allowed.scope},
            allowed_at = ${allowed.at}`;
    const { changes } = await this.database.run(
      sql`UPDATE oauth_device_codes SET ${decided} WHERE user_code = ${userCode} AND state = 'pending'
          AND expires_at > ${NOW_MS[this.database.dialect]}`,
    );
    return changes > 0;
  }

  /** Makes the grant of a login that is allowed. @returns the ids of grants that end for it; null: another request was first */
  async redeem(deviceHash: string, grant: GrantRow): Promise<string[] | null> {
    return await this.database.transaction(async (tx) => {
      const { changes } = await tx.run(
        sql`UPDATE oauth_device_codes SET state = 'redeemed'
            WHERE device_hash = ${deviceHash} AND state = 'allowed'`,
      );
      return changes === 0 ? null : await new OAuthGrants(tx).insert(grant);
    });
  }

  async sweep(): Promise<void> {
    await this.database.run(
      sql`DELETE FROM oauth_device_codes WHERE expires_at <= ${NOW_MS[this.database.dialect]}`,
    );
  }
}
