// The chain of audit records in the database. All workers and replicas append to the same chain, each batch in one transaction.
import { type Database, sql, type SqlQuery, storable } from "../sql/sql.ts";
import { Table } from "../sql/table.ts";
import { type AuditRecord, type ChainedRecord, chainHash } from "./audit_record.ts";
import { eventUserOf, LOGIN_EVENTS } from "./login_events.ts";

/** A row of `audit_records`. The columns besides the text are for look-ups; `verify()` compares those of every record with the text. */
interface AuditRow {
  readonly sequence: number;
  /** ms since the epoch. */
  readonly at: number;
  readonly email: string | null;
  readonly entityId: string | null;
  readonly record: string;
  readonly hash: string;
  /** Of an event of a login: the address of its user in lower case, "" if nobody is known; null: the record is no such event. */
  readonly eventOf: string | null;
}

const RECORDS = new Table<AuditRow>("audit_records", {
  sequence: "integer",
  at: "integer",
  email: "text",
  entityId: "text",
  record: "text",
  hash: "text",
  eventOf: "text",
});

export interface AuditQuery {
  readonly limit: number;
  /** Only records with smaller numbers. */
  readonly before?: number;
  /** The email address of the actor, in any case. */
  readonly email?: string;
  readonly entityId?: string;
}

/** Which events of logins. */
export interface EventQuery {
  readonly limit: number;
  readonly offset: number;
  /** Of this user, in any case; absent: of all. */
  readonly email?: string;
}

/** A record's number and hash. Noted elsewhere, they prove later that no record up to this one was changed. */
export interface ChainPoint {
  readonly sequence: number;
  readonly hash: string;
}

export interface Verified {
  /** The number of records that are in order. */
  readonly records: number;
  /** The last record that retention has deleted. */
  readonly start: ChainPoint;
  readonly head: ChainPoint;
  /** What is wrong, as a sentence; null: the chain is whole. */
  readonly fault: string | null;
}

interface Chain {
  readonly start: ChainPoint;
  readonly head: ChainPoint;
}

const ROWS_AT_ONCE = 1_000;

/** Records that one sweep deletes: with SQLite it blocks a worker meanwhile, about 0.1 s. */
const DELETED_AT_ONCE = 20_000;

/** Sweeps in a row. What is left then is taken the next time. */
const MAX_SWEEPS = 20;

/** Blocks that one query of a list looks at: it meets at most 65,536 entries of an index. */
const MAX_BLOCKS = 64;

/** What retention keeps. */
interface Kept {
  /** ms since the epoch: older records are deleted. */
  readonly beforeMs: number;
  /** The number of records. */
  readonly keep: number;
}

export class AuditRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Appends the records in one transaction. @throws {SluiceError} STORE_UNAVAILABLE */
  async append(records: readonly AuditRecord[]): Promise<void> {
    await this.#database.transaction(async (tx) => {
      // The update locks the chain: what it returns stays true until the end of the transaction.
      const [head] = await tx.query<{ last_sequence: number | string; last_hash: string }>(
        sql`UPDATE audit_chain SET last_sequence = last_sequence + ${records.length} WHERE id = 1
            RETURNING last_sequence, last_hash`,
      );
      let sequence = Number(head.last_sequence) - records.length;
      let hash = head.last_hash;
      const rows = records.map((record): AuditRow => {
        const text = storable(JSON.stringify(record));
        sequence++;
        hash = chainHash(sequence, hash, text);
        return { ...lookUpColumns(record), sequence, record: text, hash, eventOf: eventOf(record) };
      });
      for (const statement of RECORDS.inserts(rows)) await tx.run(statement);
      await tx.run(sql`UPDATE audit_chain SET last_hash = ${hash} WHERE id = 1`);
    });
  }

  /** The newest first. */
  async list({ limit, before, email, entityId }: AuditQuery): Promise<ChainedRecord[]> {
    const { start, head } = await readChain(this.#database);
    const end = Math.min(head.sequence + 1, before ?? Infinity);
    const wanted = [
      ...(email === undefined ? [] : [sql`email = ${email.toLowerCase()}`]),
      ...(entityId === undefined ? [] : [sql`entity_id = ${entityId}`]),
    ];
    if (wanted.length === 0) {
      return await this.#rows(sql`sequence < ${end} ORDER BY sequence DESC LIMIT ${limit}`);
    }
    const found: number[] = [];
    let last = blockOf(end - 1);
    for (let blocks = 1; last >= blockOf(start.sequence) && found.length < limit;) {
      const some = Array.from({ length: blocks }, (_, i) => last - i);
      const rows = await this.#database.query<{ sequence: number | string }>(
        sql`SELECT sequence FROM audit_records
            WHERE sequence / 1024 IN ${sql.list(some)} AND ${sql.join(wanted, " AND ")} 
              AND sequence >= ${some.at(-1)! * 1024} AND sequence < ${end}
            ORDER BY sequence DESC LIMIT ${limit - found.length}`,
      );
      found.push(...rows.map(({ sequence }) => Number(sequence)));
      last -= blocks;
      blocks = rows.length > 0 ? 1 : Math.min(blocks * 2, MAX_BLOCKS);
    }
    return found.length === 0
      ? []
      : await this.#rows(sql`sequence IN ${sql.list(found)} ORDER BY sequence DESC`);
  }

  /** Events of logins, the newest first. */
  async events({ limit, offset, email }: EventQuery): Promise<ChainedRecord[]> {
    const wanted = email === undefined ? sql`event_of IS NOT NULL` : sql`event_of = ${email.toLowerCase()}`;
    return await this.#rows(
      sql`sequence IN (SELECT sequence FROM audit_records WHERE ${wanted}
          ORDER BY sequence DESC LIMIT ${limit} OFFSET ${offset}) ORDER BY sequence DESC`,
    );
  }

  /** The first records after a number, the oldest first. */
  async page(after: number, limit: number): Promise<ChainedRecord[]> {
    return await this.#rows(sql`sequence > ${after} ORDER BY sequence LIMIT ${limit}`);
  }

  /** The records after a number, the oldest first. */
  async *after(sequence: number): AsyncGenerator<ChainedRecord> {
    for await (const row of rowsAfter(this.#database, sequence)) yield chained(row);
  }

  /**
   * Reads the whole chain.
   * @param noted a point that was noted before, and has to be in the chain; null: none
   */
  async verify(noted: ChainPoint | null = null): Promise<Verified> {
    return await this.#database.transaction((tx) => verifyChain(tx, noted), { readOnly: true });
  }

  async #rows(which: SqlQuery): Promise<ChainedRecord[]> {
    const rows = await this.#database.query<Record<string, unknown>>(
      sql`SELECT * FROM audit_records WHERE ${which}`,
    );
    return rows.map((row) => chained(RECORDS.decode(row)));
  }

  /** Deletes what is not kept, in several transactions if it is much. */
  async sweepAll(kept: Kept): Promise<void> {
    for (let i = 0; i < MAX_SWEEPS && await this.sweep(kept) === DELETED_AT_ONCE; i++);
  }

  /**
   * Deletes the oldest records: those before `beforeMs`, and those above `keep` in number. The chain keeps the hash of the last one that
   * is deleted, so that the rest can be verified.
   * @returns how many were deleted
   */
  async sweep({ beforeMs, keep }: Kept): Promise<number> {
    return await this.#database.transaction(async (tx) => {
      const { start, head } = await readChain(tx);
      const most = Math.min(head.sequence, start.sequence + DELETED_AT_ONCE);
      // A record that is old by a wrong clock takes no younger one before it along.
      const [young] = await tx.query<{ sequence: number | string }>(
        sql`SELECT sequence FROM audit_records
            WHERE sequence > ${start.sequence} AND sequence <= ${most} AND at >= ${beforeMs}
            ORDER BY sequence LIMIT 1`,
      );
      const old = young === undefined ? most : Number(young.sequence) - 1;
      const due = Math.min(most, Math.max(old, head.sequence - keep));
      const [{ last }] = await tx.query<{ last: number | string | null }>(
        sql`SELECT MAX(sequence) AS last FROM audit_records WHERE sequence <= ${due}`,
      );
      if (last === null) return 0;
      await tx.run(
        sql`UPDATE audit_chain SET start_sequence = ${last},
              start_hash = (SELECT hash FROM audit_records WHERE sequence = ${last}) WHERE id = 1`,
      );
      const { changes } = await tx.run(sql`DELETE FROM audit_records WHERE sequence <= ${last}`);
      return changes;
    });
  }
}

function lookUpColumns({ at, actor, entity }: AuditRecord): Pick<AuditRow, "at" | "email" | "entityId"> {
  return { at: Date.parse(at), email: actor?.email.toLowerCase() ?? null, entityId: entity?.id ?? null };
}

/** Not compared by `verify()`: a later version can have other events. */
function eventOf(record: AuditRecord): string | null {
  if (LOGIN_EVENTS[record.operation ?? ""] === undefined) return null;
  return eventUserOf(record)?.toLowerCase() ?? "";
}

/** The indexes of emails and entities begin with the block of a record, so that new records go to few of their pages. */
function blockOf(sequence: number): number {
  return Math.floor(sequence / 1024);
}

function chained({ sequence, hash, record }: AuditRow): ChainedRecord {
  return { sequence, hash, text: record };
}

async function readChain(tx: Database): Promise<Chain> {
  const [row] = await tx.query<Record<string, string | number>>(sql`SELECT * FROM audit_chain WHERE id = 1`);
  return {
    start: { sequence: Number(row.start_sequence), hash: String(row.start_hash) },
    head: { sequence: Number(row.last_sequence), hash: String(row.last_hash) },
  };
}

async function* rowsAfter(database: Database, after: number): AsyncGenerator<AuditRow> {
  for (let last = after;;) {
    const rows = await database.query<Record<string, unknown>>(
      sql`SELECT * FROM audit_records WHERE sequence > ${last} ORDER BY sequence LIMIT ${ROWS_AT_ONCE}`,
    );
    for (const row of rows) yield RECORDS.decode(row);
    if (rows.length < ROWS_AT_ONCE) return;
    last = Number(rows.at(-1)!.sequence);
  }
}

async function verifyChain(tx: Database, noted: ChainPoint | null): Promise<Verified> {
  const { start, head } = await readChain(tx);
  let { sequence, hash } = start;
  let records = 0;
  const found = (fault: string | null): Verified => ({ records, start, head, fault });
  const isNoted = () => noted === null || noted.sequence !== sequence || noted.hash === hash;
  if (noted !== null && noted.sequence < sequence) {
    return found(
      `record ${noted.sequence}, which was noted, is deleted: the chain begins after record ${sequence}`,
    );
  }
  if (!isNoted()) return found(`record ${sequence} is not the one that was noted`);
  // From the first row there is: rows before the start would be leftovers of nobody.
  for await (const row of rowsAfter(tx, 0)) {
    if (row.sequence !== sequence + 1) {
      return found(
        row.sequence <= sequence
          ? `record ${row.sequence} stands before the start of the chain`
          : `record ${sequence + 1} is missing`,
      );
    }
    if (chainHash(row.sequence, hash, row.record) !== row.hash) {
      return found(`record ${row.sequence} does not match its hash: it or its predecessor was changed`);
    }
    const columns = lookUpColumns(JSON.parse(row.record));
    // The database lowers the letters of ASCII alone in records from before the column was in lower case.
    const email = row.email?.toLowerCase() ?? null;
    if (columns.at !== row.at || columns.email !== email || columns.entityId !== row.entityId) {
      return found(`the columns of record ${row.sequence} do not match its text`);
    }
    ({ sequence, hash } = row);
    records++;
    if (!isNoted()) return found(`record ${sequence} is not the one that was noted`);
  }
  if (sequence !== head.sequence) return found(`record ${sequence + 1} is missing, at the end`);
  if (hash !== head.hash) return found("the last record is not the one that was written last");
  if (noted !== null && noted.sequence > sequence) {
    return found(`record ${noted.sequence} is missing, at the end`);
  }
  return found(null);
}
