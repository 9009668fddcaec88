// The small records of downstream sessions that outlive their workers.
import { type Database, sql } from "./sql.ts";
import type { SessionRecord } from "./store.ts";

export interface SessionRecords {
  /** Keeps the record in place of one with the same id. */
  put(record: SessionRecord): Promise<void>;
  /** @returns also a record that has expired but was not swept yet: look at `expiresAt` */
  get(id: string): Promise<SessionRecord | null>;
  /** @returns false when there was none */
  delete(id: string): Promise<boolean>;
  /** Sweeps what expired at or before `nowMs` (ms since the epoch). @returns how many */
  deleteExpired(nowMs: number): Promise<number>;
}

export function createSessionRecords(database: Database): SessionRecords {
  return {
    async put({ id, record, expiresAt }) {
      await database.run(
        sql`INSERT INTO session_records (id, record, expires_at) VALUES (${id}, ${record}, ${expiresAt})
            ON CONFLICT (id) DO UPDATE SET record = excluded.record, expires_at = excluded.expires_at`,
      );
    },
    async get(id) {
      const [row] = await database.query<{ record: string; expires_at: number }>(
        sql`SELECT record, expires_at FROM session_records WHERE id = ${id}`,
      );
      return row === undefined ? null : { id, record: row.record, expiresAt: Number(row.expires_at) };
    },
    async delete(id) {
      const { changes } = await database.run(sql`DELETE FROM session_records WHERE id = ${id}`);
      return changes > 0;
    },
    async deleteExpired(nowMs) {
      const { changes } = await database.run(sql`DELETE FROM session_records WHERE expires_at <= ${nowMs}`);
      return changes;
    },
  };
}
