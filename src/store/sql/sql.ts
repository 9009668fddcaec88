// Room `sql`: what both databases share: the `sql` template, the interface of a driver, the schema, and the mapping of rows. A
// statement has the same text for SQLite and PostgreSQL.

/** A bound value of a statement. `Table` maps booleans and JSON to these. */
export type SqlValue = string | number | null;

/** A statement or a part of one. The values stand between the parts, so there is one more part than there are values. */
export interface SqlQuery {
  readonly parts: readonly string[];
  readonly values: readonly SqlValue[];
}

export interface TransactionOptions {
  /** The transaction only reads. It sees one snapshot of the data, and does not wait for writers. */
  readonly readOnly?: boolean;
}

/**
 * A connection, or an open transaction on one. All methods throw SluiceError STORE_UNAVAILABLE if the database is not
 * available, and ConstraintError if a constraint refuses a row.
 */
export interface Database {
  readonly dialect: "sqlite" | "postgres";
  /** The place of the database, for error texts: a path or a host, never a secret. */
  readonly location: string;
  query<T>(query: SqlQuery): Promise<T[]>;
  /** @returns the number of rows that were inserted, updated or deleted */
  run(query: SqlQuery): Promise<{ changes: number }>;
  /**
   * Runs `fn` in a transaction, which is committed if `fn` resolves and rolled back if it throws. `fn` must use `tx` only: a
   * statement on the outer database waits for the end of the transaction. Transactions can be nested.
   */
  transaction<T>(fn: (tx: Database) => Promise<T>, options?: TransactionOptions): Promise<T>;
  close(): Promise<void>;
}

/** Behind a column of text: it is compared by its bytes, as JavaScript compares all but rare characters. */
export const BYTE_ORDER: Readonly<Record<Database["dialect"], SqlQuery>> = {
  sqlite: { parts: ["COLLATE BINARY"], values: [] },
  postgres: { parts: ['COLLATE "C"'], values: [] },
};

/** A constraint of the table refused a row. Both drivers report the same `kind`. */
export class ConstraintError extends Error {
  readonly kind: "unique" | "foreign_key" | "other";
  constructor(kind: ConstraintError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConstraintError";
    this.kind = kind;
  }
}

/**
 * Builds a statement: sql`SELECT id FROM tools WHERE name = ${name}`. A substitution is bound as a value; a substitution made by
 * `sql` itself becomes part of the text.
 */
export function sql(strings: TemplateStringsArray, ...inserts: readonly (SqlValue | SqlQuery)[]): SqlQuery {
  const builder = new Builder(strings[0]);
  inserts.forEach((insert, i) => {
    if (isQuery(insert)) builder.addQuery(insert);
    else builder.addValue(insert);
    builder.addText(strings[i + 1]);
  });
  return builder;
}

/** Joins the parts. `separator` is SQL text from code, never input. */
sql.join = (pieces: readonly SqlQuery[], separator = ", "): SqlQuery => {
  const builder = new Builder("");
  pieces.forEach((piece, i) => {
    if (i > 0) builder.addText(separator);
    builder.addQuery(piece);
  });
  return builder;
};

/** The name of a table or column. @throws TypeError if it contains anything but lower-case letters, digits and "_" */
sql.id = (name: string): SqlQuery => {
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw new TypeError(`not an SQL identifier: ${name}`);
  return { parts: [`"${name}"`], values: [] };
};

/** `(a, b, c)` for an IN list. @throws TypeError for an empty list, which SQL does not allow */
sql.list = (values: readonly SqlValue[]): SqlQuery => {
  if (values.length === 0) throw new TypeError("an SQL list needs a value");
  return sql`(${sql.join(values.map((value) => sql`${value}`))})`;
};

/** An empty part, for optional parts of a statement. */
sql.empty = { parts: [""], values: [] } as SqlQuery;

/** Removes NUL characters from a text: PostgreSQL cannot store them. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\uFFFD");
}

class Builder implements SqlQuery {
  readonly parts: string[];
  readonly values: SqlValue[] = [];

  constructor(text: string) {
    this.parts = [text];
  }

  addText(text: string): void {
    this.parts[this.parts.length - 1] += text;
  }

  addValue(value: SqlValue): void {
    if (value === undefined) throw new TypeError("undefined in an SQL statement; use null");
    this.values.push(typeof value === "string" ? storable(value) : value);
    this.parts.push("");
  }

  addQuery(query: SqlQuery): void {
    this.addText(query.parts[0]);
    query.values.forEach((value, i) => {
      this.values.push(value);
      this.parts.push(query.parts[i + 1]);
    });
  }
}

function isQuery(insert: SqlValue | SqlQuery): insert is SqlQuery {
  return typeof insert === "object" && insert !== null;
}
