// A transaction on one PostgreSQL connection, and the savepoints inside it.
import type { PostgresConnection } from "./postgres_connection.ts";
import type { Database, SqlQuery } from "../sql/sql.ts";

/** The SQL that begins and ends a transaction. */
export interface Frame {
  readonly begin: string;
  readonly commit: string;
  readonly rollback: string;
}

/** Runs `fn` in a transaction, which is committed if `fn` resolves and rolled back if it throws. */
export async function inTransaction<T>(
  connection: PostgresConnection,
  frame: Frame,
  fn: (tx: Database) => Promise<T>,
  depth = 0,
): Promise<T> {
  const tx = new PostgresTransaction(connection, depth);
  try {
    await connection.execute(frame.begin);
    const result = await fn(tx);
    await tx.finish();
    const { command } = await connection.execute(frame.commit);
    // The server answers COMMIT with ROLLBACK, and without an error, if `fn` has caught the error of a failed statement.
    if (command === "ROLLBACK") {
      throw new Error("a statement failed in the transaction: nothing was committed");
    }
    return result;
  } catch (error) {
    await tx.finish();
    try {
      await connection.execute(frame.rollback);
    } catch {
      // The first error tells more. A savepoint is rolled back with its transaction; after a failed ROLLBACK the connection must
      // not be lent again.
      if (depth === 0) connection.destroy("its transaction could not be ended");
    }
    throw error;
  }
}

/** Statements run one after the other. Statements of the outer transaction wait while an inner one is open. */
class PostgresTransaction implements Database {
  readonly dialect = "postgres";
  readonly location: string;
  readonly #connection: PostgresConnection;
  readonly #depth: number;
  #last: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(connection: PostgresConnection, depth: number) {
    this.location = connection.location;
    this.#connection = connection;
    this.#depth = depth;
  }

  query<T>(query: SqlQuery): Promise<T[]> {
    return this.#inTurn(async () => {
      const { rows } = await this.#connection.execute(textOf(query), query.values);
      return rows as T[];
    });
  }

  run(query: SqlQuery): Promise<{ changes: number }> {
    return this.#inTurn(async () => {
      const { count } = await this.#connection.execute(textOf(query), query.values);
      return { changes: count };
    });
  }

  transaction<T>(fn: (tx: Database) => Promise<T>): Promise<T> {
    const name = `s${this.#depth}`;
    const frame = {
      begin: `SAVEPOINT ${name}`,
      commit: `RELEASE SAVEPOINT ${name}`,
      rollback: `ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`,
    };
    return this.#inTurn(() => inTransaction(this.#connection, frame, fn, this.#depth + 1));
  }

  close(): Promise<void> {
    return Promise.reject(new Error("a transaction is not closed; it ends with its function"));
  }

  /** Waits for statements that the function did not await, and refuses later ones. */
  finish(): Promise<void> {
    const last = this.#last.then(() => {}, () => {});
    this.#isOver = true;
    return last;
  }

  #inTurn<T>(statement: () => Promise<T>): Promise<T> {
    if (this.#isOver) {
      return Promise.reject(new Error("a statement came to a transaction that has ended"));
    }
    const run = this.#last.then(statement, statement);
    this.#last = run.catch(() => {});
    return run;
  }
}

/** The text of the statement, with PostgreSQL's numbered placeholders. */
export function textOf({ parts }: SqlQuery): string {
  return parts.reduce((text, part, i) => `${text}$${i}${part}`);
}
