// Create, read, update and delete for all tables of the registry.
import { SluiceError } from "../../base/errors.ts";
import { newId } from "../sql/new_id.ts";
import { ConstraintError, type Database, sql, type SqlQuery } from "../sql/sql.ts";
import { tellRegistryChanged } from "./changes/registry_changes.ts";
import type { EntityRow } from "./rows.ts";
import type { EntityTable } from "./tables.ts";

/** A new row. The store adds times and version, and an id (32 hex digits) if the row has none. */
export type NewRow<Row extends EntityRow> =
  & Omit<Row, "id" | "createdAt" | "updatedAt" | "modifiedBy" | "version">
  & { readonly id?: string };

/** The fields to change. An absent or undefined field stays unchanged. */
export type RowChanges<Row extends EntityRow> = Partial<
  Omit<Row, "id" | "createdAt" | "updatedAt" | "version">
>;

export interface ListFilter {
  readonly gatewayId?: string;
  /** At most 500. */
  readonly gatewayIds?: readonly string[];
  readonly ids?: readonly string[];
  /** true: rows with tags of their own. */
  readonly isTagged?: boolean;
}

/** The rows of one kind of entity. Every write tells the workers in the same transaction. */
export interface Entities<Row extends EntityRow> {
  /** @throws {SluiceError} CONFLICT if the unique name or the id is in use */
  insert(row: NewRow<Row>): Promise<Row>;
  /** @throws {SluiceError} NOT_FOUND, CONFLICT */
  update(id: string, changes: RowChanges<Row>): Promise<Row>;
  /** Also deletes dependent rows. @returns false if there was no such row */
  delete(id: string): Promise<boolean>;
  get(id: string): Promise<Row | null>;
  /** Sorted by name, compared by code units, then by id. */
  list(filter?: ListFilter): Promise<Row[]>;
}

/** The longest IN list. */
const CHUNK = 500;

/** The rows of an entity with one table. */
export class TableEntities<Row extends EntityRow> implements Entities<Row> {
  constructor(
    protected readonly database: Database,
    protected readonly entity: EntityTable<Row>,
    protected readonly now: () => Date,
  ) {}

  async insert(row: NewRow<Row>): Promise<Row> {
    const full = newRow<Row>(row, this.now());
    await this.#write(() => full, async (tx) => {
      for (const statement of this.entity.table.inserts([full])) await tx.run(statement);
      return full;
    });
    return full;
  }

  async update(id: string, changes: RowChanges<Row>): Promise<Row> {
    const row = await this.#write(
      async () => ({ ...await this.get(id), ...changes } as Partial<Row>),
      (tx) => this.#first(tx, updateStatement(this.entity, id, changes, this.now())),
    );
    if (row === null) throw new SluiceError("NOT_FOUND", { what: `${this.entity.noun} ${id}` });
    return row;
  }

  async delete(id: string): Promise<boolean> {
    const row = await this.#write(
      () => ({}),
      (tx) => this.#first(tx, sql`DELETE FROM ${this.entity.table.id} WHERE id = ${id} RETURNING *`),
    );
    return row !== null;
  }

  async get(id: string): Promise<Row | null> {
    const rows = await this.#select(sql`WHERE id = ${id}`);
    return rows[0] ?? null;
  }

  async list({ gatewayId, gatewayIds, ids, isTagged = false }: ListFilter = {}): Promise<Row[]> {
    const conditions: SqlQuery[] = [];
    const ofGateways = gatewayId === undefined ? gatewayIds : [gatewayId];
    if (ofGateways !== undefined) {
      const column = this.entity.table.column("gatewayId" as keyof Row & string);
      conditions.push(sql`${column} IN ${sql.list(ofGateways)}`);
    }
    if (isTagged) conditions.push(sql`tags <> '[]'`);
    const rows: Row[] = [];
    for (const chunk of ids === undefined ? [undefined] : chunks(ids)) {
      const all = chunk === undefined ? conditions : [...conditions, sql`id IN ${sql.list(chunk)}`];
      const found = await this.#select(all.length === 0 ? sql.empty : sql`WHERE ${sql.join(all, " AND ")}`);
      // A call takes some 100,000 arguments at most.
      for (const row of found) rows.push(row);
    }
    return inOrder(rows, this.entity.sortKey);
  }

  async #select(where: SqlQuery): Promise<Row[]> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM ${this.entity.table.id} ${where}`,
    );
    return records.map((record) => this.entity.table.decode(record));
  }

  /** The row that a statement returns; null: none. */
  async #first(tx: Database, statement: SqlQuery): Promise<Row | null> {
    const [record] = await tx.query<Record<string, unknown>>(statement);
    return record === undefined ? null : this.entity.table.decode(record);
  }

  /**
   * Runs the write and tells the workers of the row in one transaction.
   * @param rowOf the row for the text of a conflict
   * @param write returns the row; null: nothing was written
   */
  async #write<Written extends Row | null>(
    rowOf: () => Partial<Row> | Promise<Partial<Row>>,
    write: (tx: Database) => Promise<Written>,
  ): Promise<Written> {
    try {
      return await this.database.transaction(async (tx) => {
        const row = await write(tx);
        if (row !== null) await tellRegistryChanged(tx, this.entity.changed(row));
        return row;
      });
    } catch (error) {
      if (!(error instanceof ConstraintError) || error.kind !== "unique") throw error;
      throw new SluiceError("CONFLICT", { reason: this.entity.conflict(await rowOf()) }, { cause: error });
    }
  }
}

/** The row with the fields that the store adds. */
export function newRow<Row extends EntityRow>(row: NewRow<Row>, now: Date): Row {
  const time = now.toISOString();
  const full = {
    ...row,
    id: row.id ?? newId(),
    createdAt: time,
    updatedAt: time,
    modifiedBy: null,
    version: 1,
  };
  return full as unknown as Row;
}

/** An UPDATE of one row that raises its version and returns the row. */
export function updateStatement<Row extends EntityRow>(
  { table }: EntityTable<Row>,
  id: string,
  changes: RowChanges<Row>,
  now: Date,
): SqlQuery {
  const assignments = table.assignments(
    { ...changes, updatedAt: now.toISOString() } as unknown as Partial<Row>,
  );
  return sql`UPDATE ${table.id} SET ${assignments}, version = version + 1 WHERE id = ${id} RETURNING *`;
}

/** Sorts in place. The order of the database would depend on its collation. */
export function inOrder<Row extends { readonly id: string }>(rows: Row[], key: keyof Row): Row[] {
  return rows.sort((a, b) => compare(a[key], b[key]) || compare(a.id, b.id));
}

/** Splits the values into lists that are short enough for one statement. */
export function* chunks<T>(values: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < values.length; start += CHUNK) yield values.slice(start, start + CHUNK);
}

function compare(a: unknown, b: unknown): number {
  return a === b ? 0 : (a as string) < (b as string) ? -1 : 1;
}
