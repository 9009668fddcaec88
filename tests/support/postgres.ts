// A real PostgreSQL server on a free port of 127.0.0.1, with its data in a temporary folder.

import postgres from "postgres";
import { MIGRATIONS } from "../../src/store/sql/migrations.ts";
import type { SqlQuery } from "../../src/store/sql/sql.ts";
import { freePort } from "./free_port.ts";
import { runAsServer, serverFolder, ServerProcess } from "./server_process.ts";
import { waitFor } from "./wait_for.ts";

export interface PostgresServerOptions {
  /** PEM texts: take TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Further settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Text that is added to postgresql.conf, in place of the small limits that tests otherwise have. */
  readonly conf?: string;
  /** Further words of its command line, in place of the small limits too. */
  readonly args?: readonly string[];
}

/** The tables that the migrations leave. */
const TABLES = tablesOf(
  MIGRATIONS.flatMap(({ statements }) => statements.map(({ parts }) => parts.join("?"))),
);

/** An INSERT of rows of its own, not of another table's. */
const SEED = /^\s*INSERT INTO \w+ \([^)]*\)\s+VALUES/;

/** Deletes all rows but those of the migrations, in any order of the tables: no foreign key is looked at. */
const AS_MIGRATED = [
  "SET session_replication_role = replica",
  ...TABLES.filter((table) => table !== "schema_migrations").map((table) => `DELETE FROM ${table}`),
  ...MIGRATIONS.flatMap(({ statements }) => statements).map(literally).filter((text) => SEED.test(text)),
].join(";");

function tablesOf(statements: readonly string[]): string[] {
  const tables = new Set(["schema_migrations"]);
  for (const statement of statements) {
    const [, made] = /^\s*CREATE TABLE "?(\w+)/.exec(statement) ?? [];
    const [, dropped] = /^\s*DROP TABLE "?(\w+)/.exec(statement) ?? [];
    const [, before, after] = /^\s*ALTER TABLE "?(\w+)"? RENAME TO "?(\w+)/.exec(statement) ?? [];
    for (const table of [made, after]) if (table !== undefined) tables.add(table);
    for (const table of [dropped, before]) if (table !== undefined) tables.delete(table);
  }
  return [...tables];
}

/** The statement with its values in the text. */
function literally({ parts, values }: SqlQuery): string {
  return parts.reduce((text, part, i) => {
    const value = values[i - 1];
    return `${text}${typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : value}${part}`;
  });
}

export const POSTGRES_USER = "sluice";
/** Has what a URL must quote. */
export const POSTGRES_PASSWORD = "pass/word: %41?";

/** A server that listens on a port of 127.0.0.1, whoever started it, and its databases. */
export class Postgres {
  /** Databases that were given back, by the port of those who used them: a pooler keeps connections to them. */
  readonly #used = new Map<number, string[]>();
  /** Those among them that still have the tables of the program, with the rows of its migrations alone. */
  readonly #migrated = new Map<number, string[]>();

  constructor(readonly port: number) {}

  /** A DATABASE_URL. `port`: of a pooler before it. `query` with its question mark. */
  url(database: string, { port = this.port, query = "" } = {}): string {
    return `postgresql+psycopg://${POSTGRES_USER}:${
      encodeURIComponent(POSTGRES_PASSWORD)
    }@127.0.0.1:${port}/${database}${query}`;
  }

  /**
   * A database without rows, for clients that come by `port`.
   * @param mayBeMigrated it may have the tables of the program: who migrates it saves a third of a second
   * @returns its name
   */
  async takeDatabase(port = this.port, { mayBeMigrated = false } = {}): Promise<string> {
    const used = (mayBeMigrated ? this.#migrated.get(port)?.pop() : undefined) ?? this.#used.get(port)?.pop();
    if (used !== undefined) return used;
    // Other processes make theirs on the same server.
    const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
    await this.query(`CREATE DATABASE ${name} TEMPLATE template0`);
    return name;
  }

  /** Empties it for the next who takes one: that is ten times as fast as another database. */
  async giveBackDatabase(name: string, port = this.port): Promise<void> {
    if (port === this.port) await this.endConnections(name);
    const isMigrated = await this.#isMigrated(name);
    await this.query(isMigrated ? AS_MIGRATED : "DROP SCHEMA public CASCADE; CREATE SCHEMA public", name);
    const pool = isMigrated ? this.#migrated : this.#used;
    pool.set(port, [...pool.get(port) ?? [], name]);
  }

  /** Has the database the tables of the program as it is now, and no others? */
  async #isMigrated(name: string): Promise<boolean> {
    const tables = await this.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name);
    const names = new Set(tables.map(({ tablename }) => String(tablename)));
    if (TABLES.length !== names.size || !TABLES.every((table) => names.has(table))) return false;
    const steps = await this.query("SELECT name FROM schema_migrations ORDER BY version", name);
    return steps.map((step) => step.name).join() === MIGRATIONS.map((step) => step.name).join();
  }

  /** As the superuser. */
  async query(text: string, database = "postgres"): Promise<Record<string, unknown>[]> {
    const admin = postgres({
      host: "127.0.0.1",
      port: this.port,
      user: POSTGRES_USER,
      password: POSTGRES_PASSWORD,
      database,
      max: 1,
      fetch_types: false,
      onnotice: () => {},
    });
    try {
      return [...await admin.unsafe(text)];
    } finally {
      await admin.end({ timeout: 1 });
    }
  }

  /** How many connections the server has to a database. */
  async connections(database: string): Promise<number> {
    const [{ amount }] = await this.query(
      `SELECT COUNT(*)::int AS amount FROM pg_stat_activity WHERE datname = '${database}'`,
    );
    return amount as number;
  }

  /** Ends every connection to a database from the server's side. */
  async endConnections(database: string): Promise<void> {
    await this.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${database}'`,
    );
  }
}

/** `await using server = await PostgresServer.start()` ends it and removes its data at the end of the block. */
export class PostgresServer extends Postgres implements AsyncDisposable {
  readonly #folder: string;
  readonly #args: readonly string[];
  #process: ServerProcess;

  private constructor(port: number, folder: string, args: readonly string[]) {
    super(port);
    this.#folder = folder;
    this.#args = args;
    this.#process = this.#spawn();
  }

  static async start(
    { tls, settings = {}, conf, args: more }: PostgresServerOptions = {},
  ): Promise<PostgresServer> {
    const folder = await serverFolder("sluice_postgres_");
    const data = `${folder}/data`;
    await Deno.writeTextFile(`${folder}/password`, POSTGRES_PASSWORD, { mode: 0o644 });
    await runAsServer("initdb", [
      ...["--pgdata", data, "--username", POSTGRES_USER, "--pwfile", `${folder}/password`],
      ...["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
    ], folder);
    if (tls !== undefined) {
      const { uid, gid } = await Deno.stat(data);
      for (const [name, text] of [["server.crt", tls.cert], ["server.key", tls.key]]) {
        await Deno.writeTextFile(`${data}/${name}`, text, { mode: 0o600 });
        await Deno.chown(`${data}/${name}`, uid, gid);
      }
    }
    if (conf !== undefined) await Deno.writeTextFile(`${data}/postgresql.conf`, conf, { append: true });
    const port = freePort();
    const all = {
      port: String(port),
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      fsync: "off",
      ...(conf === undefined && more === undefined ? { max_connections: "60", shared_buffers: "16MB" } : {}),
      ssl: tls === undefined ? "off" : "on",
      ...settings,
    };
    const args = [
      "-D",
      data,
      ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
      ...more ?? [],
    ];
    const server = new PostgresServer(port, folder, args);
    try {
      await server.#untilReady();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A "fast" shutdown: connections are ended, transactions undone. */
  async stop(): Promise<void> {
    await this.#process.end("SIGINT");
  }

  /** After `stop()`: the same data on the same port. */
  async startAgain(): Promise<void> {
    this.#process = this.#spawn();
    await this.#untilReady();
  }

  /** It stands still with all its backends: connections stay open and nothing is answered. */
  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end("SIGINT");
    await Deno.remove(this.#folder, { recursive: true });
  }

  #spawn(): ServerProcess {
    return new ServerProcess("postgres", this.#args, this.#folder);
  }

  async #untilReady(): Promise<void> {
    await waitFor(async () => this.#process.isOver || await this.query("SELECT 1"), {
      what: "PostgreSQL to answer",
    });
    if (this.#process.isOver) throw new Error(`PostgreSQL ended:\n${this.#process.tail()}`);
  }
}
