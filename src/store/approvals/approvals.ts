// The records of one upstream while they change, in one transaction.
import { newId } from "../sql/new_id.ts";
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";
import { type ColumnKind, Table } from "../sql/table.ts";
import {
  type ApprovalRecord,
  type ApprovedKind,
  type Definition,
  isEmpty,
  isRejected,
} from "./approval_record.ts";

/** What of one upstream may wait for a decision. */
export interface HeldLimits {
  /** MAX_HELD_CHANGES. */
  readonly changes: number;
  /** MAX_HELD_BYTES, of their texts together. */
  readonly bytes: number;
}

/** A change that is held since now, for the log and the metrics. */
export interface HeldChange {
  readonly kind: ApprovedKind;
  readonly key: string;
  readonly isNew: boolean;
  readonly hash: string;
}

/** What an upstream's lists, or a decision, did to its records. */
export interface Holding {
  readonly held: readonly HeldChange[];
  /** Changes beyond the limits: they are not offered either, but nobody can approve them yet. */
  readonly notKept: number;
}

export interface ApprovalRow {
  readonly id: string;
  readonly gatewayId: string;
  readonly kind: ApprovedKind;
  readonly entryKey: string;
  readonly approvedHash: string | null;
  readonly approvedText: string | null;
  readonly approvedSessionText: string | null;
  readonly heldHash: string | null;
  readonly heldText: string | null;
  readonly heldSessionText: string | null;
  readonly heldAt: string | null;
  readonly rejectedHash: string | null;
  readonly isListed: boolean;
}

const COLUMNS: { readonly [Key in keyof ApprovalRow]: ColumnKind } = {
  id: "text",
  gatewayId: "text",
  kind: "text",
  entryKey: "text",
  approvedHash: "text",
  approvedText: "text",
  approvedSessionText: "text",
  heldHash: "text",
  heldText: "text",
  heldSessionText: "text",
  heldAt: "text",
  rejectedHash: "text",
  isListed: "boolean",
};

const APPROVALS = new Table<ApprovalRow>("approvals", COLUMNS);

/** Ids in one statement. */
const CHUNK = 500;

/** The records of one gateway. Runs in `tx`; nothing is written before `save`. */
export class Approvals {
  readonly held: HeldChange[] = [];
  notKept = 0;
  readonly #tx: Database;
  readonly #gatewayId: string;
  readonly #limits: HeldLimits;
  readonly #stored: ReadonlyMap<string, ApprovalRecord>;
  readonly #now: Map<string, ApprovalRecord>;
  #heldChanges = 0;
  #heldBytes = 0;

  private constructor(tx: Database, gatewayId: string, limits: HeldLimits, rows: readonly ApprovalRow[]) {
    this.#tx = tx;
    this.#gatewayId = gatewayId;
    this.#limits = limits;
    const records = rows.map(recordOf);
    this.#stored = new Map(records.map((record) => [placeOf(record), record]));
    this.#now = new Map(this.#stored);
    for (const record of records) this.#count(record, 1);
  }

  static async open(tx: Database, gatewayId: string, limits: HeldLimits): Promise<Approvals> {
    return new Approvals(tx, gatewayId, limits, await approvalRows(tx, sql`WHERE gateway_id = ${gatewayId}`));
  }

  get isEmpty(): boolean {
    return this.#now.size === 0;
  }

  /** The record of an entry, a blank one if there is none. */
  get(kind: ApprovedKind, key: string): ApprovalRecord {
    const blank = { approved: null, held: null, heldAt: null, rejectedHash: null, isListed: false };
    return this.#now.get(placeOf({ kind, key })) ?? { id: newId(), kind, key, ...blank };
  }

  find(id: string): ApprovalRecord | undefined {
    return this.all.find((record) => record.id === id);
  }

  get all(): readonly ApprovalRecord[] {
    return [...this.#now.values()];
  }

  of(kind: ApprovedKind): readonly ApprovalRecord[] {
    return this.all.filter((record) => record.kind === kind);
  }

  /** Replaces a record. A held version beyond the limits is not kept. */
  put(record: ApprovalRecord): void {
    const before = this.#now.get(placeOf(record));
    if (before !== undefined) this.#count(before, -1);
    const { held } = record;
    const isNews = held !== null && held.hash !== before?.held?.hash;
    const hasRoom = held === null || this.#heldChanges < this.#limits.changes &&
        this.#heldBytes + bytesOf(held) <= this.#limits.bytes;
    const kept = hasRoom ? record : { ...record, held: null, heldAt: null };
    if (!hasRoom) this.notKept++;
    else if (isNews && !isRejected(record)) {
      const { kind, key, approved } = record;
      this.held.push({ kind, key, isNew: approved === null, hash: held.hash });
    }
    if (isEmpty(kept)) return void this.#now.delete(placeOf(record));
    this.#now.set(placeOf(record), kept);
    this.#count(kept, 1);
  }

  /** @returns whether anything was written */
  async save(): Promise<boolean> {
    const isChanged = (place: string) => !isSame(this.#stored.get(place), this.#now.get(place));
    const ids = [...this.#stored].filter(([place]) => isChanged(place)).map(([, { id }]) => id);
    const fresh = [...this.#now].filter(([place]) => isChanged(place));
    for (let start = 0; start < ids.length; start += CHUNK) {
      const chunk = sql.list(ids.slice(start, start + CHUNK));
      await this.#tx.run(sql`DELETE FROM ${APPROVALS.id} WHERE id IN ${chunk}`);
    }
    const rows = fresh.map(([, record]) => rowOf(this.#gatewayId, record));
    for (const statement of APPROVALS.inserts(rows)) await this.#tx.run(statement);
    return ids.length + rows.length > 0;
  }

  #count({ held }: ApprovalRecord, sign: 1 | -1): void {
    if (held === null) return;
    this.#heldChanges += sign;
    this.#heldBytes += sign * bytesOf(held);
  }
}

/** Forgets all decisions about a gateway. @returns whether there were any */
export async function forgetApprovals(tx: Database, gatewayId: string): Promise<boolean> {
  const { changes } = await tx.run(sql`DELETE FROM ${APPROVALS.id} WHERE gateway_id = ${gatewayId}`);
  return changes > 0;
}

export async function approvalRows(database: Database, where: SqlQuery): Promise<ApprovalRow[]> {
  const records = await database.query<Record<string, unknown>>(
    sql`SELECT * FROM ${APPROVALS.id} ${where} ORDER BY held_at, id`,
  );
  return records.map((record) => APPROVALS.decode(record));
}

export function recordOf(row: ApprovalRow): ApprovalRecord {
  const { id, kind, entryKey, heldAt, rejectedHash, isListed } = row;
  const approved = definition(row.approvedHash, row.approvedText, row.approvedSessionText);
  const held = definition(row.heldHash, row.heldText, row.heldSessionText);
  return { id, kind, key: entryKey, approved, held, heldAt, rejectedHash, isListed };
}

function rowOf(gatewayId: string, record: ApprovalRecord): ApprovalRow {
  const { id, kind, key, approved, held, heldAt, rejectedHash, isListed } = record;
  return {
    ...{ id, gatewayId, kind, entryKey: key, heldAt, rejectedHash, isListed },
    approvedHash: approved?.hash ?? null,
    approvedText: approved?.text ?? null,
    approvedSessionText: approved?.sessionText ?? null,
    heldHash: held?.hash ?? null,
    heldText: held?.text ?? null,
    heldSessionText: held?.sessionText ?? null,
  };
}

function definition(hash: string | null, text: string | null, sessionText: string | null): Definition | null {
  return hash === null || text === null ? null : { hash, text, sessionText };
}

function isSame(one: ApprovalRecord | undefined, other: ApprovalRecord | undefined): boolean {
  if (one === other) return true;
  return one !== undefined && other !== undefined && one.rejectedHash === other.rejectedHash &&
    one.isListed === other.isListed && isSameText(one.approved, other.approved) &&
    isSameText(one.held, other.held);
}

function isSameText(one: Definition | null, other: Definition | null): boolean {
  return one?.text === other?.text && one?.sessionText === other?.sessionText;
}

function placeOf({ kind, key }: Pick<ApprovalRecord, "kind" | "key">): string {
  return `${kind} ${key}`;
}

function bytesOf({ text, sessionText }: Definition): number {
  const encoder = new TextEncoder();
  return encoder.encode(text).length + (sessionText === null ? 0 : encoder.encode(sessionText).length);
}
