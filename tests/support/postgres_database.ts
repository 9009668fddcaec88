// Databases of a real PostgreSQL server for tests: opened as the program does, one for each test.

import { openDatabase, type OpenOptions } from "../../src/store/open_database.ts";
import type { Database } from "../../src/store/sql/sql.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Postgres } from "./postgres.ts";
import type { FreshDatabase } from "./store_contract.ts";

/** Settings by their names, over the defaults. */
export type Settings = Readonly<Record<string, string>>;

export function settingsOf(given: Settings = {}): OpenOptions["settings"] {
  return loadConfig({ environment: given, dotEnv: null, dev: false, overrides: {}, cores: 2 }).config;
}

/** Opens a DATABASE_URL; a server that is away is a failure at once. */
export function open(url: string, settings: Settings = {}): Promise<Database> {
  return openDatabase(url, { settings: settingsOf({ DB_MAX_RETRIES: "0", ...settings }) });
}

/** What `FreshDatabase` is, and a way to open with settings. */
export interface FreshPostgres extends FreshDatabase {
  readonly name: string;
  readonly url: string;
  another(settings?: Settings): Promise<Database>;
}

/** A new database, reached on `port`: the server's own or a pooler's. */
export async function freshPostgres(
  server: Postgres,
  port: number = server.port,
  settings: Settings = {},
  mayBeMigrated = false,
): Promise<FreshPostgres> {
  const name = await server.takeDatabase(port, { mayBeMigrated });
  const url = server.url(name, { port });
  const opened: Database[] = [];
  const another = async (more: Settings = {}) => {
    const database = await open(url, { ...settings, ...more });
    opened.push(database);
    return database;
  };
  return {
    name,
    url,
    another,
    database: await another(),
    dispose: async () => {
      for (const database of opened) await database.close();
      await server.giveBackDatabase(name, port);
    },
  };
}
