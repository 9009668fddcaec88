// A real PgBouncer before a PostgreSQL server, on a free port of 127.0.0.1.

import { freePort } from "./free_port.ts";
import { POSTGRES_PASSWORD, POSTGRES_USER } from "./postgres.ts";
import { serverFolder, ServerProcess } from "./server_process.ts";
import { waitFor } from "./wait_for.ts";

export interface PgBouncerOptions {
  /** Default: transaction. */
  readonly poolMode?: "transaction" | "session" | "statement";
  /** Further settings of pgbouncer.ini. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The whole pgbouncer.ini and its users, in place of the above. PORT and USERS in it are replaced. */
  readonly files?: { readonly ini: string; readonly users: string };
}

/** `await using pgbouncer = await PgBouncer.start(server.port)` ends it at the end of the block. */
export class PgBouncer implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  #process: ServerProcess;

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    this.#process = this.#spawn();
  }

  static async start(
    postgresPort: number,
    { poolMode = "transaction", settings = {}, files }: PgBouncerOptions = {},
  ): Promise<PgBouncer> {
    const folder = await serverFolder("sluice_pgbouncer_");
    const port = freePort();
    const all = {
      listen_addr: "127.0.0.1",
      listen_port: String(port),
      unix_socket_dir: "",
      auth_type: "scram-sha-256",
      auth_file: `${folder}/users`,
      pool_mode: poolMode,
      // As the guide has it: nothing of one client's session is there for the next.
      server_reset_query_always: "1",
      server_tls_sslmode: "disable",
      ...settings,
    };
    const users = files?.users ?? `"${POSTGRES_USER}" "${POSTGRES_PASSWORD}"\n`;
    await Deno.writeTextFile(`${folder}/users`, users);
    const ini = files?.ini.replace("PORT", String(port)).replace("USERS", `${folder}/users`) ?? [
      "[databases]",
      `* = host=127.0.0.1 port=${postgresPort}`,
      "[pgbouncer]",
      ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
      "",
    ].join("\n");
    await Deno.writeTextFile(`${folder}/pgbouncer.ini`, ini);
    const pgbouncer = new PgBouncer(port, folder);
    try {
      await pgbouncer.#untilListening();
      return pgbouncer;
    } catch (error) {
      await pgbouncer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** At once: clients' connections are closed. */
  async stop(): Promise<void> {
    await this.#process.end("SIGTERM");
  }

  /** After `stop()`: the same settings and port. */
  async startAgain(): Promise<void> {
    this.#process = this.#spawn();
    await this.#untilListening();
  }

  /** It stands still: connections stay open and nothing is answered. */
  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end("SIGTERM");
    await Deno.remove(this.#folder, { recursive: true });
  }

  #spawn(): ServerProcess {
    return new ServerProcess("pgbouncer", [`${this.#folder}/pgbouncer.ini`], this.#folder);
  }

  async #untilListening(): Promise<void> {
    await waitFor(async () => {
      if (this.#process.isOver) return true;
      const probe = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
      probe.close();
      return true;
    }, { what: "PgBouncer to listen" });
    if (this.#process.isOver) throw new Error(`PgBouncer ended:\n${this.#process.tail()}`);
  }
}
