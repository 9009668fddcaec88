// The `sql` tagged template, and the database interface that every driver gives. One text serves SQLite and PostgreSQL.

/** What a statement may bind. Booleans and JSON are mapped by store/table.ts, the only place that knows how. */
export type SqlValue = string | number | null;

/** A statement or a piece of one: `parts` is one longer than `values`, which stand between them. */
export interface SqlQuery {
  readonly parts: readonly string[];
  readonly values: readonly SqlValue[];
}

export interface TransactionOptions {
  /** Only reads, all of one moment; does not wait for writers. */
  readonly readOnly?: boolean;
}

/**
 * A connection, or an open transaction on one. All methods throw SluiceError STORE_UNAVAILABLE where the database cannot
 * be used, and ConstraintError where a constraint refuses the row.
 */
export interface Database {
  readonly dialect: "sqlite" | "postgres";
  /** Where the database is, for error texts: a path or host, never a secret. */
  readonly location: string;
  query<T>(query: SqlQuery): Promise<T[]>;
  /** @returns changes: how many rows it inserted, updated or deleted */
  run(query: SqlQuery): Promise<{ changes: number }>;
  /**
   * Runs `fn` in a transaction: commits what it did when it resolves, undoes it when it throws. `fn` uses only the `tx`
   * it is given: a statement on the outer database waits for the transaction's end. Inside a transaction it nests.
   */
  transaction<T>(fn: (tx: Database) => Promise<T>, options?: TransactionOptions): Promise<T>;
  close(): Promise<void>;
}

/** A row was refused by a constraint of its table; `kind` is the same whichever driver met it. */
export class ConstraintError extends Error {
  readonly kind: "unique" | "foreign_key" | "other";
  constructor(kind: ConstraintError["kind"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ConstraintError";
    this.kind = kind;
  }
}

/**
 * Builds a statement: sql`SELECT id FROM tools WHERE name = ${name}`. What is put in is bound as a value, unless it is
 * a piece made by `sql` itself, which becomes part of the text.
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

/** The pieces one after the other, with `separator` (SQL text, from code) between them. */
sql.join = (pieces: readonly SqlQuery[], separator = ", "): SqlQuery => {
  const builder = new Builder("");
  pieces.forEach((piece, i) => {
    if (i > 0) builder.addText(separator);
    builder.addQuery(piece);
  });
  return builder;
};

/** A table's or column's name. @throws TypeError for anything but lower-case letters, digits and "_" */
sql.id = (name: string): SqlQuery => {
  if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw new TypeError(`not an SQL identifier: ${name}`);
  return { parts: [`"${name}"`], values: [] };
};

/** `(a, b, c)` for an IN list. @throws TypeError when there is nothing in it, which SQL does not allow */
sql.list = (values: readonly SqlValue[]): SqlQuery => {
  if (values.length === 0) throw new TypeError("an SQL list needs a value");
  return sql`(${sql.join(values.map((value) => sql`${value}`))})`;
};

/** Nothing: for optional pieces. */
sql.empty = { parts: [""], values: [] } as SqlQuery;

/** As either database keeps a text: PostgreSQL has no NUL in one. */
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
