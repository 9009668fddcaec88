// Named leases. One process of all that share the database holds a lease, until it releases the lease or the time is over. The
// database's clock decides, so the clocks of replicas need not agree. Taking a lease is one statement without session state, so
// it works through PgBouncer.
import { NOW_MS } from "./sql/database_clock.ts";
import { type Database, sql } from "./sql/sql.ts";

/** The answer to a request for a lease. Times are relative, so that clocks are never compared. */
export type LeaseAnswer =
  /** `term` grows with each change of the holder. */
  | { readonly isHeld: true; readonly term: number }
  /** `freeInMs`: the lease expires after this time, unless the holder renews it. */
  | { readonly isHeld: false; readonly holder: string; readonly freeInMs: number };

export interface Leases {
  /** Takes or renews the lease for `ttlMs`. */
  take(name: string, holder: string, ttlMs: number): Promise<LeaseAnswer>;
  /** Releases the lease. If another process holds it by now, nothing changes. */
  release(name: string, holder: string): Promise<void>;
}

export function createLeases(database: Database): Leases {
  const now = NOW_MS[database.dialect];
  return {
    async take(name, holder, ttlMs) {
      // PostgreSQL evaluates the condition again after a wait for the row's lock.
      const [taken] = await database.query<{ term: number }>(
        sql`INSERT INTO leases (name, holder, expires_at, term) VALUES (${name}, ${holder}, ${now} + ${ttlMs}, 1)
            ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,
              term = leases.term + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
            WHERE leases.holder = excluded.holder OR leases.expires_at <= ${now}
            RETURNING term`,
      );
      if (taken !== undefined) return { isHeld: true, term: Number(taken.term) };
      const [other] = await database.query<{ holder: string; free_in: number }>(
        sql`SELECT holder, expires_at - ${now} AS free_in FROM leases WHERE name = ${name}`,
      );
      return { isHeld: false, holder: other.holder, freeInMs: Math.max(0, Number(other.free_in)) };
    },
    async release(name, holder) {
      await database.run(sql`UPDATE leases SET expires_at = 0 WHERE name = ${name} AND holder = ${holder}`);
    },
  };
}
