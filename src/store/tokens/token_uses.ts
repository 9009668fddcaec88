// What API tokens are used for: counts by hour, day and endpoint, and the latest addresses. Workers add to them in batches, and learn
// the counts of all workers and replicas from the answers.
import { type Database, sql } from "../sql/sql.ts";
import { KEPT_MS } from "./api_tokens.ts";
import type { TokenDay } from "./token_rows.ts";

/** What a worker has counted for one token since it last told the others. */
export interface TokenUse {
  readonly tokenId: string;
  /** ms since the epoch. */
  readonly lastUsed: number;
  /** Requests that were allowed, less those that were granted ahead and are given back. */
  readonly allowed: number;
  /** Requests that wait for an answer: as many of them are allowed as `limits` have left. */
  readonly asked: number;
  readonly limits: RequestLimits;
  readonly endpoints: readonly (Omit<TokenDay, "day">)[];
  /** Addresses that the worker has not told of lately. */
  readonly addresses: readonly string[];
}

/** Requests that a token is allowed; null: any number. */
export interface RequestLimits {
  readonly perHour: number | null;
  readonly perDay: number | null;
  readonly inAll: number | null;
}

/** What the database answers for one token. */
export interface TokenAnswer {
  readonly counts: TokenCounts;
  /** How many of the requests that were asked for are allowed. They are in `counts`. */
  readonly granted: number;
  /** How many further requests the worker may allow without asking. They are in `counts` already, so that no other worker has them. */
  readonly ahead: number;
}

/** Allowed requests, as all workers count them. */
export interface TokenCounts {
  /** Hours since the epoch. */
  readonly hour: number;
  readonly inHour: number;
  /** Days since the epoch. */
  readonly day: number;
  readonly inDay: number;
  readonly inAll: number;
}

/** A worker gets this part of what is left ahead, so that the others find something too, and the last requests are granted one by one. */
const AHEAD_PART = 20;

const MAX_AHEAD = 100;

/** Addresses kept for a token. */
export const MAX_ADDRESSES = 10;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Rows per statement, so that the bound values stay below the limits of both databases. */
const ROWS_AT_ONCE = 100;

export class TokenUses {
  constructor(private readonly database: Database) {}

  /**
   * Adds to the counts, all at `now`.
   * @param uses one of each token
   * @returns the answer for each token, by its id
   */
  async add(uses: readonly TokenUse[], now: number): Promise<Map<string, TokenAnswer>> {
    const answers = new Map<string, TokenAnswer>();
    // In one order everywhere, so that two batches do not wait for each other.
    const sorted = uses.toSorted((a, b) => a.tokenId < b.tokenId ? -1 : 1);
    for (let from = 0; from < sorted.length; from += ROWS_AT_ONCE) {
      const part = sorted.slice(from, from + ROWS_AT_ONCE);
      await this.database.transaction(async (tx) => {
        for (const [id, answer] of await addTotals(tx, part, now)) answers.set(id, answer);
        await addDays(tx, part, now);
        await addAddresses(tx, part, now);
      });
    }
    return answers;
  }

  /** By day, the latest first, then by endpoint. @param from the first day */
  async days(tokenId: string, from: number): Promise<TokenDay[]> {
    const rows = await this.database.query<Record<string, string | number>>(
      sql`SELECT day, endpoint, requests, refused, failed, ms FROM api_token_days
          WHERE token_id = ${tokenId} AND day >= ${from} ORDER BY day DESC, endpoint`,
    );
    return rows.map(({ day, endpoint, requests, refused, failed, ms }) => ({
      day: Number(day),
      endpoint: String(endpoint),
      requests: Number(requests),
      refused: Number(refused),
      failed: Number(failed),
      ms: Number(ms),
    }));
  }

  /** The latest first. */
  async addresses(tokenId: string): Promise<{ readonly address: string; readonly lastUsed: number }[]> {
    const rows = await this.database.query<{ address: string; last_used: number | string }>(
      sql`SELECT address, last_used FROM api_token_addresses WHERE token_id = ${tokenId}
          ORDER BY last_used DESC, address LIMIT ${MAX_ADDRESSES}`,
    );
    return rows.map(({ address, last_used }) => ({ address, lastUsed: Number(last_used) }));
  }

  /** Deletes what is old, and what belongs to tokens that are gone. */
  async sweep(now: number): Promise<void> {
    const before = Math.floor((now - KEPT_MS) / DAY_MS);
    await this.database.run(sql`DELETE FROM api_token_days WHERE day < ${before}`);
    for (const table of ["api_token_totals", "api_token_days", "api_token_addresses"]) {
      await this.database.run(
        sql`DELETE FROM ${sql.id(table)} WHERE token_id NOT IN (SELECT id FROM api_tokens)`,
      );
    }
  }
}

/** The first statement locks the rows, so that what is left of a limit is granted once. */
async function addTotals(
  tx: Database,
  uses: readonly TokenUse[],
  now: number,
): Promise<Map<string, TokenAnswer>> {
  const counts = await addRequests(tx, uses, now);
  const grants = new Map(uses.map((use) => [use.tokenId, grantOf(use, counts.get(use.tokenId)!)]));
  const granted = uses.map((use) => {
    const { granted, ahead } = grants.get(use.tokenId)!;
    return { ...use, allowed: granted + ahead };
  }).filter(({ allowed }) => allowed > 0);
  const after = granted.length === 0 ? counts : await addRequests(tx, granted, now);
  return new Map(
    [...counts].map(([id, count]) => [id, { counts: after.get(id) ?? count, ...grants.get(id)! }]),
  );
}

/** What a worker gets of what is left. @param counts without the requests that are asked for */
export function grantOf(
  { asked, limits: { perHour, perDay, inAll } }: Pick<TokenUse, "asked" | "limits">,
  counts: TokenCounts,
): Pick<TokenAnswer, "granted" | "ahead"> {
  const left = Math.min(
    perHour === null ? Infinity : perHour - counts.inHour,
    perDay === null ? Infinity : perDay - counts.inDay,
    inAll === null ? Infinity : inAll - counts.inAll,
  );
  const granted = Math.max(0, Math.min(asked, left));
  if (asked === 0 || granted < asked) return { granted, ahead: 0 };
  return { granted, ahead: Math.min(MAX_AHEAD, Math.floor((left - granted) / AHEAD_PART)) };
}

async function addRequests(
  tx: Database,
  uses: readonly TokenUse[],
  now: number,
): Promise<Map<string, TokenCounts>> {
  const [hour, day] = [Math.floor(now / HOUR_MS), Math.floor(now / DAY_MS)];
  const tuples = uses.map(({ tokenId, lastUsed, allowed }) =>
    sql`(${tokenId}, ${lastUsed}, ${hour}, ${allowed}, ${day}, ${allowed}, ${allowed})`
  );
  // A replica whose clock is behind adds to the hour that others have begun.
  const rows = await tx.query<Record<string, string | number>>(
    sql`INSERT INTO api_token_totals AS known
          (token_id, last_used, hour, hour_requests, day, day_requests, requests)
        VALUES ${sql.join(tuples)}
        ON CONFLICT (token_id) DO UPDATE SET
          last_used = CASE WHEN excluded.last_used > known.last_used
            THEN excluded.last_used ELSE known.last_used END,
          hour_requests = excluded.hour_requests
            + CASE WHEN known.hour >= excluded.hour THEN known.hour_requests ELSE 0 END,
          hour = CASE WHEN known.hour > excluded.hour THEN known.hour ELSE excluded.hour END,
          day_requests = excluded.day_requests
            + CASE WHEN known.day >= excluded.day THEN known.day_requests ELSE 0 END,
          day = CASE WHEN known.day > excluded.day THEN known.day ELSE excluded.day END,
          requests = known.requests + excluded.requests
        RETURNING token_id, hour, hour_requests, day, day_requests, requests`,
  );
  return new Map(rows.map((row) => [String(row.token_id), {
    hour: Number(row.hour),
    inHour: Number(row.hour_requests),
    day: Number(row.day),
    inDay: Number(row.day_requests),
    inAll: Number(row.requests),
  }]));
}

async function addDays(tx: Database, uses: readonly TokenUse[], now: number): Promise<void> {
  const day = Math.floor(now / DAY_MS);
  const tuples = uses.flatMap(({ tokenId, endpoints }) =>
    endpoints.map(({ endpoint, requests, refused, failed, ms }) =>
      sql`(${tokenId}, ${day}, ${endpoint}, ${requests}, ${refused}, ${failed}, ${Math.round(ms)})`
    )
  );
  for (let from = 0; from < tuples.length; from += ROWS_AT_ONCE) {
    await tx.run(
      sql`INSERT INTO api_token_days AS known (token_id, day, endpoint, requests, refused, failed, ms)
          VALUES ${sql.join(tuples.slice(from, from + ROWS_AT_ONCE))}
          ON CONFLICT (token_id, day, endpoint) DO UPDATE SET
            requests = known.requests + excluded.requests,
            refused = known.refused + excluded.refused,
            failed = known.failed + excluded.failed,
            ms = known.ms + excluded.ms`,
    );
  }
}

async function addAddresses(tx: Database, uses: readonly TokenUse[], now: number): Promise<void> {
  const tuples = uses.flatMap(({ tokenId, addresses }) =>
    addresses.slice(0, MAX_ADDRESSES).map((address) => sql`(${tokenId}, ${address}, ${now})`)
  );
  for (let from = 0; from < tuples.length; from += ROWS_AT_ONCE) {
    await tx.run(
      sql`INSERT INTO api_token_addresses (token_id, address, last_used)
          VALUES ${sql.join(tuples.slice(from, from + ROWS_AT_ONCE))}
          ON CONFLICT (token_id, address) DO UPDATE SET last_used = excluded.last_used`,
    );
  }
  for (const { tokenId, addresses } of uses) {
    if (addresses.length === 0) continue;
    await tx.run(
      sql`DELETE FROM api_token_addresses WHERE token_id = ${tokenId} AND address NOT IN (
            SELECT address FROM api_token_addresses WHERE token_id = ${tokenId}
            ORDER BY last_used DESC, address LIMIT ${MAX_ADDRESSES})`,
    );
  }
}
