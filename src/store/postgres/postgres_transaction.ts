// A transaction on one PostgreSQL connection, and the savepoints inside it.
import type { PostgresConnection } from "./postgres_connection.ts";
import type { Database, SqlQuery } from "../sql/sql.ts";

/** How a transaction begins and ends, in SQL. */
export interface Frame {
  readonly begin: string;
  readonly commit: string;
  readonly rollback: string;
}

/** Runs `fn` between the frame's begin and its end, which is `commit` when `fn` resolves and `rollback` when it throws. */
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
    // COMMIT after a failed statement whose error was not passed on is answered so, without an error.
    if (command === "ROLLBACK") {
      throw new Error("a statement failed in the transaction: nothing was committed");
    }
    return result;
  } catch (error) {
    await tx.finish();
    try {
      await connection.execute(frame.rollback);
    } catch {
      // What was thrown first says more. A savepoint is undone with its transaction; that one must not be lent out.
      if (depth === 0) connection.destroy("its transaction could not be ended");
    }
    throw error;
  }
}

/** Statements run one after the other; while an inner transaction is open, the outer one's statements wait. */
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

  /** Waits for statements that its function gave but did not await; refuses later ones. */
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

/** With PostgreSQL's numbered placeholders. */
export function textOf({ parts }: SqlQuery): string {
  return parts.reduce((text, part, i) => `${text}$${i}${part}`);
}
