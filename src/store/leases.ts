// Named leases: one process of all that share the database holds each at a time, until it lets go or its time is over.
// The database's own clock decides, so the replicas' clocks need not agree; one statement takes a lease, so no session state
// is needed and PgBouncer may change the connection at will.
import { NOW_MS } from "./sql/database_clock.ts";
import { type Database, sql } from "./sql/sql.ts";

/** What came of asking for a lease. Times are relative: clocks are never compared. */
export type LeaseAnswer =
  /** `term` grows each time that another holder takes over. */
  | { readonly isHeld: true; readonly term: number }
  /** `freeInMs`: when it runs out, unless its holder renews it. */
  | { readonly isHeld: false; readonly holder: string; readonly freeInMs: number };

export interface Leases {
  /** Takes the lease, or renews it: it is the holder's for `ttlMs` from now on. */
  take(name: string, holder: string, ttlMs: number): Promise<LeaseAnswer>;
  /** Lets go at once. A lease that is another's by now stays so. */
  release(name: string, holder: string): Promise<void>;
}

export function createLeases(database: Database): Leases {
  const now = NOW_MS[database.dialect];
  return {
    async take(name, holder, ttlMs) {
      // On PostgreSQL the condition is looked at again when the row's lock was waited for.
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
