// Describes a table, and converts rows to and from SQL. Only this file maps booleans and JSON.
import { sql, type SqlQuery, type SqlValue, storable } from "./sql.ts";

/** A boolean is stored as 0 or 1, JSON as text. Integers, such as ms since the epoch, are read as numbers. */
export type ColumnKind = "text" | "integer" | "boolean" | "json";

interface Column {
  readonly key: string;
  readonly name: string;
  readonly id: SqlQuery;
  readonly kind: ColumnKind;
}

/** Rows per INSERT: this keeps the number of prepared statements small, and the bound values below the limits of both databases. */
const ROWS_PER_INSERT = 50;

/** A table whose columns are the fields of `Row`, in snake_case. */
export class Table<Row extends object> {
  readonly name: string;
  readonly id: SqlQuery;
  readonly #columns: readonly Column[];
  /** By the number of rows. */
  readonly #inserts = new Map<number, readonly string[]>();

  constructor(name: string, kinds: { readonly [Key in keyof Required<Row>]: ColumnKind }) {
    this.name = name;
    this.id = sql.id(name);
    this.#columns = Object.entries<ColumnKind>(kinds).map(([key, kind]) => {
      const column = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return { key, name: column, id: sql.id(column), kind };
    });
  }

  /** The column of a field. */
  column(key: keyof Row & string): SqlQuery {
    return this.#find(key).id;
  }

  /** INSERT statements for the rows. Each inserts several rows. */
  inserts(rows: readonly Row[]): SqlQuery[] {
    const statements: SqlQuery[] = [];
    for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
      const some = rows.slice(start, start + ROWS_PER_INSERT);
      const values: SqlValue[] = [];
      for (const row of some) {
        for (const column of this.#columns) {
          const value = encode(column, row[column.key as keyof Row]);
          values.push(typeof value === "string" ? storable(value) : value);
        }
      }
      statements.push({ parts: this.#insertOf(some.length), values });
    }
    return statements;
  }

  /** The parts of an INSERT of so many rows, as the `sql` template would make them again for each statement. */
  #insertOf(rows: number): readonly string[] {
    const known = this.#inserts.get(rows);
    if (known !== undefined) return known;
    const columns = sql.join(this.#columns.map(({ id }) => id));
    const tuple = sql`(${sql.join(this.#columns.map(() => sql`${null}`))})`;
    const tuples = sql.join(Array.from({ length: rows }, () => tuple));
    const { parts } = sql`INSERT INTO ${this.id} (${columns}) VALUES ${tuples}`;
    this.#inserts.set(rows, parts);
    return parts;
  }

  /** `a = 1, b = 2` for the fields that `changes` has. */
  assignments(changes: Partial<Row>): SqlQuery {
    const given = this.#columns.filter(({ key }) => changes[key as keyof Row] !== undefined);
    return sql.join(
      given.map((column) => sql`${column.id} = ${encode(column, changes[column.key as keyof Row])}`),
    );
  }

  /** Converts a record of the database to a row. */
  decode(record: Readonly<Record<string, unknown>>): Row {
    const row: Record<string, unknown> = {};
    for (const column of this.#columns) row[column.key] = decode(column, record[column.name]);
    return row as Row;
  }

  #find(key: string): Column {
    const column = this.#columns.find((each) => each.key === key);
    if (column === undefined) throw new TypeError(`${this.name} has no column for ${key}`);
    return column;
  }
}

function encode({ kind, key }: Column, value: unknown): SqlValue {
  if (value === undefined) throw new TypeError(`the row has no ${key}`);
  if (value === null) return null;
  switch (kind) {
    case "boolean":
      return value ? 1 : 0;
    case "json":
      return JSON.stringify(value);
    default:
      return value as SqlValue;
  }
}

function decode({ kind }: Column, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (kind) {
    case "boolean":
      return Number(value) !== 0;
    case "integer":
      return Number(value);
    case "json":
      return value === "[]" ? NO_TAGS : JSON.parse(value as string);
    default:
      return value;
  }
}

/** Most rows have no tags. All of them share one frozen list. */
const NO_TAGS: readonly unknown[] = Object.freeze([]);
