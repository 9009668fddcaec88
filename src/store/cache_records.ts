// CACHE_TYPE=database: records that expire, in the database that all replicas share.
import { NOW_MS } from "./sql/database_clock.ts";
import { type Database, sql, type SqlQuery } from "./sql/sql.ts";

/** Implements `Cache` of cache/cache.ts, which the room `store` must not import. */
export class CacheRecords {
  readonly #database: Database;
  readonly #now: SqlQuery;

  constructor(database: Database) {
    this.#database = database;
    this.#now = NOW_MS[database.dialect];
  }

  async get(key: string): Promise<string | null> {
    const [row] = await this.#database.query<{ value: string }>(
      sql`SELECT value FROM cache_records WHERE cache_key = ${key} AND expires_at > ${this.#now}`,
    );
    return row?.value ?? null;
  }

  async put(key: string, value: string, ttlMs: number): Promise<void> {
    await this.#database.run(
      sql`INSERT INTO cache_records (cache_key, value, expires_at)
          VALUES (${key}, ${value}, ${this.#now} + ${Math.ceil(ttlMs)})
          ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
    );
  }

  async compareAndSet(key: string, expected: string | null, value: string, ttlMs: number): Promise<boolean> {
    const now = this.#now;
    const ttl = Math.ceil(ttlMs);
    // PostgreSQL evaluates the condition again after a wait for the row's lock.
    const { changes } = await this.#database.run(
      expected === null
        ? sql`INSERT INTO cache_records (cache_key, value, expires_at) VALUES (${key}, ${value}, ${now} + ${ttl})
              ON CONFLICT (cache_key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
              WHERE cache_records.expires_at <= ${now}`
        : sql`UPDATE cache_records SET value = ${value}, expires_at = ${now} + ${ttl}
              WHERE cache_key = ${key} AND value = ${expected} AND expires_at > ${now}`,
    );
    return changes > 0;
  }

  async add(
    increments: readonly { readonly key: string; readonly by: number }[],
    ttlMs: number,
  ): Promise<number[]> {
    if (increments.length === 0) return [];
    const now = this.#now;
    const ttl = Math.ceil(ttlMs);
    // All callers use the same order: in PostgreSQL two statements could otherwise wait for each other's rows.
    const raised = increments.filter(({ by }) => by !== 0).sort((a, b) => a.key < b.key ? -1 : 1);
    const rows = raised.map(({ key, by }) => sql`(${key}, ${String(by)}, ${now} + ${ttl})`);
    const read = increments.filter(({ by }) => by === 0).map(({ key }) => key);
    const [sums, others] = await Promise.all([
      rows.length === 0 ? [] : this.#database.query<{ cache_key: string; value: string }>(
        sql`INSERT INTO cache_records (cache_key, value, expires_at) VALUES ${sql.join(rows)}
            ON CONFLICT (cache_key) DO UPDATE SET expires_at = excluded.expires_at, value = CASE
              WHEN cache_records.expires_at <= ${now} THEN excluded.value
              ELSE CAST(CAST(cache_records.value AS BIGINT) + CAST(excluded.value AS BIGINT) AS TEXT) END
            RETURNING cache_key, value`,
      ),
      read.length === 0 ? [] : this.#database.query<{ cache_key: string; value: string }>(
        sql`SELECT cache_key, value FROM cache_records
            WHERE cache_key IN ${sql.list(read)} AND expires_at > ${now}`,
      ),
    ]);
    const byKey = new Map([...sums, ...others].map(({ cache_key, value }) => [cache_key, Number(value)]));
    return increments.map(({ key }) => byKey.get(key) ?? 0);
  }

  async delete(key: string): Promise<boolean> {
    const rows = await this.#database.query<{ left_ms: number }>(
      sql`DELETE FROM cache_records WHERE cache_key = ${key} RETURNING expires_at - ${this.#now} AS left_ms`,
    );
    return rows.some(({ left_ms }) => Number(left_ms) > 0);
  }

  async list(prefix: string): Promise<{ key: string; value: string }[]> {
    const rows = await this.#database.query<{ cache_key: string; value: string }>(
      // LIKE would ignore case in SQLite.
      sql`SELECT cache_key, value FROM cache_records
          WHERE SUBSTR(cache_key, 1, ${prefix.length}) = ${prefix} AND expires_at > ${this.#now}`,
    );
    // The order of the database would depend on its collation.
    return rows
      .map(({ cache_key, value }) => ({ key: cache_key, value }))
      .sort((a, b) => a.key < b.key ? -1 : 1);
  }

  async sweep(): Promise<number> {
    const { changes } = await this.#database.run(
      sql`DELETE FROM cache_records WHERE expires_at <= ${this.#now}`,
    );
    return changes;
  }
}
