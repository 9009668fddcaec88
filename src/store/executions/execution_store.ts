// Room `executions`: how often tools, resources, prompts, virtual servers and upstreams were used: in all, by day and by hour. Replicas
// add to the same rows.
import { type ExecutedKind, type ExecutionCounts, joinedExecutions } from "../../telemetry/executions.ts";
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";
import type { ExecutionBatch, ExecutionSpan, ExecutionSums } from "./execution_rows.ts";

/** What a row is about: all time since the last reset, a day or an hour. */
export type Span = "all" | "day" | "hour";

const HOURS_OF_DAY = 24;
const HOUR_MS = 3_600_000;

/** Writers are known for this time after their last batch, in case a worker hangs over one. */
const WRITER_KEPT_MS = 24 * HOUR_MS;

/** Rows per statement, so that the bound values stay below the limits of both databases. */
const ROWS_AT_ONCE = 100;

/** The tables of what is counted. A row ends with its entry. */
const TABLES: Readonly<Record<ExecutedKind, string>> = {
  tool: "tools",
  resource: "resources",
  prompt: "prompts",
  server: "servers",
  gateway: "gateways",
};

/** What people call an entry. A resource may have no name. */
const NAMES: Readonly<Record<ExecutedKind, SqlQuery>> = {
  ...{ tool: sql`name`, prompt: sql`name`, server: sql`name`, gateway: sql`name` },
  resource: sql`COALESCE(name, uri)`,
};

const ADDED = sql`DO UPDATE SET
  calls = known.calls + excluded.calls,
  failed = known.failed + excluded.failed,
  seconds = known.seconds + excluded.seconds,
  least = CASE WHEN excluded.least < known.least THEN excluded.least ELSE known.least END,
  greatest = CASE WHEN excluded.greatest > known.greatest THEN excluded.greatest ELSE known.greatest END,
  last_ms = CASE WHEN excluded.last_ms > known.last_ms THEN excluded.last_ms ELSE known.last_ms END`;

export class ExecutionStore {
  constructor(private readonly database: Database) {}

  /** Adds a batch, unless it has been added before. */
  async add({ writer, sequence, counts }: ExecutionBatch, now: number): Promise<void> {
    const totals = merged(counts, ({ kind, id }) => ({ kind, id, span: "all", start: 0 }));
    const spans = [
      ...merged(counts, ({ kind, id, hour }) => ({ kind, id, span: "hour", start: hour })),
      ...merged(counts, ({ kind, id, hour }) => ({ kind, id, span: "day", start: dayOf(hour) })),
    ];
    await this.database.transaction(async (tx) => {
      const { changes } = await tx.run(
        sql`INSERT INTO execution_writers AS known (writer, sequence, written_at)
            VALUES (${writer}, ${sequence}, ${now})
            ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, written_at = excluded.written_at
            WHERE known.sequence < excluded.sequence`,
      );
      if (changes === 0) return;
      for (const part of inParts(totals)) {
        const tuples = part.map(({ kind, id, ...sums }) => sql`(${kind}, ${id}, ${numbersOf(sums)})`);
        await tx.run(
          sql`INSERT INTO execution_totals AS known
                (kind, entity_id, calls, failed, seconds, least, greatest, last_ms)
              VALUES ${sql.join(tuples)} ON CONFLICT (kind, entity_id) ${ADDED}`,
        );
      }
      for (const part of inParts(spans)) {
        const tuples = part.map(({ kind, id, span, start, ...sums }) =>
          sql`(${kind}, ${id}, ${span}, ${start}, ${numbersOf(sums)})`
        );
        await tx.run(
          sql`INSERT INTO execution_spans AS known
                (kind, entity_id, span, start_at, calls, failed, seconds, least, greatest, last_ms)
              VALUES ${sql.join(tuples)} ON CONFLICT (kind, entity_id, span, start_at) ${ADDED}`,
        );
      }
    });
  }

  /** In all, of one entry; null: it was never executed. */
  async of(kind: ExecutedKind, id: string): Promise<ExecutionSums | null> {
    const [record] = await this.database.query<Numbers>(
      sql`SELECT calls, failed, seconds, least, greatest, last_ms FROM execution_totals
          WHERE kind = ${kind} AND entity_id = ${id}`,
    );
    return record === undefined ? null : sumsOf(record);
  }

  /** In all, of every entry of the kind together; null: none was executed. */
  async ofAll(kind: ExecutedKind): Promise<ExecutionSums | null> {
    const [record] = await this.database.query<Numbers>(
      sql`SELECT SUM(calls) AS calls, SUM(failed) AS failed, SUM(seconds) AS seconds, MIN(least) AS least,
            MAX(greatest) AS greatest, MAX(last_ms) AS last_ms
          FROM execution_totals WHERE kind = ${kind}`,
    );
    return record === undefined || record.calls === null ? null : sumsOf(record);
  }

  /** The entries that were executed most, with their names. */
  async top(
    kind: ExecutedKind,
    limit: number,
  ): Promise<(ExecutionSums & { readonly id: string; readonly name: string })[]> {
    const records = await this.database.query<Numbers & { id: string; name: string }>(
      sql`SELECT entries.id, ${NAMES[kind]} AS name, calls, failed, seconds, least, greatest, last_ms
          FROM execution_totals JOIN ${sql.id(TABLES[kind])} AS entries ON entries.id = entity_id
          WHERE kind = ${kind} ORDER BY calls DESC, entries.id LIMIT ${limit}`,
    );
    return records.map((record) => ({ id: record.id, name: record.name, ...sumsOf(record) }));
  }

  /** By hour or day, the first first. @param from the first one */
  async spans(
    kind: ExecutedKind,
    id: string,
    span: Exclude<Span, "all">,
    from: number,
  ): Promise<ExecutionSpan[]> {
    const records = await this.database.query<Numbers & { start_at: number | string }>(
      sql`SELECT start_at, calls, failed, seconds, least, greatest, last_ms FROM execution_spans
          WHERE kind = ${kind} AND entity_id = ${id} AND span = ${span} AND start_at >= ${from}
          ORDER BY start_at`,
    );
    return records.map((record) => ({ start: Number(record.start_at), ...sumsOf(record) }));
  }

  /** Begins at zero again. @param kind null: all. @param id null: all of the kind */
  async reset(kind: ExecutedKind | null, id: string | null): Promise<void> {
    const where = kind === null
      ? sql.empty
      : id === null
      ? sql`WHERE kind = ${kind}`
      : sql`WHERE kind = ${kind} AND entity_id = ${id}`;
    await this.database.transaction(async (tx) => {
      for (const table of ["execution_totals", "execution_spans"]) {
        await tx.run(sql`DELETE FROM ${sql.id(table)} ${where}`);
      }
    });
  }

  /** Deletes what is old, and what belongs to entries that are gone. @param hours and days: how many are kept */
  async sweep(
    now: number,
    { hours, days }: { readonly hours: number; readonly days: number },
  ): Promise<void> {
    const hour = Math.floor(now / HOUR_MS);
    const outdated = [["hour", hour - hours], ["day", dayOf(hour) - days]] as const;
    for (const [span, last] of outdated) {
      await this.database.run(
        sql`DELETE FROM execution_spans WHERE span = ${span} AND start_at <= ${last}`,
      );
    }
    for (const [kind, entries] of Object.entries(TABLES)) {
      for (const table of ["execution_totals", "execution_spans"]) {
        await this.database.run(
          sql`DELETE FROM ${sql.id(table)} WHERE kind = ${kind}
              AND entity_id NOT IN (SELECT id FROM ${sql.id(entries)})`,
        );
      }
    }
    await this.database.run(
      sql`DELETE FROM execution_writers WHERE written_at < ${now - WRITER_KEPT_MS}`,
    );
  }
}

interface Place {
  readonly kind: ExecutedKind;
  readonly id: string;
  readonly span: Span;
  readonly start: number;
}

/** One row for each place: a statement may change a row once. Sorted alike everywhere, so that two batches do not wait for each other. */
function merged(
  counts: readonly ExecutionCounts[],
  placeOf: (counts: ExecutionCounts) => Place,
): (Place & ExecutionCounts)[] {
  const rows = new Map<string, Place & ExecutionCounts>();
  for (const each of counts) {
    const place = placeOf(each);
    const key = `${place.kind} ${place.id} ${place.start}`;
    const row = rows.get(key);
    rows.set(key, { ...(row === undefined ? each : joinedExecutions(row, each)), ...place });
  }
  return [...rows].sort(([a], [b]) => a < b ? -1 : 1).map(([, row]) => row);
}

function inParts<Row>(rows: readonly Row[]): Row[][] {
  const count = Math.ceil(rows.length / ROWS_AT_ONCE);
  return Array.from({ length: count }, (_, i) => rows.slice(i * ROWS_AT_ONCE, (i + 1) * ROWS_AT_ONCE));
}

function numbersOf({ count, failed, seconds, least, greatest, lastMs }: ExecutionSums): SqlQuery {
  return sql`${count}, ${failed}, ${seconds}, ${least}, ${greatest}, ${Math.round(lastMs)}`;
}

function dayOf(hour: number): number {
  return Math.floor(hour / HOURS_OF_DAY);
}

type Numbers = Readonly<
  Record<"calls" | "failed" | "seconds" | "least" | "greatest" | "last_ms", number | string | null>
>;

function sumsOf({ calls, failed, seconds, least, greatest, last_ms }: Numbers): ExecutionSums {
  return {
    count: Number(calls),
    failed: Number(failed),
    seconds: Number(seconds),
    least: Number(least),
    greatest: Number(greatest),
    lastMs: Number(last_ms),
  };
}
