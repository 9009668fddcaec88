// Reads pgbouncer.ini, for a PgBouncer whose console does not tell its settings to the gateway's user.
// The format: https://www.pgbouncer.org/config.html
import { resolve } from "node:path";
import { SluiceError } from "../../../base/errors.ts";
import { readFault } from "../../../base/file_error.ts";
import type { PostgresTarget } from "../../../store/postgres/postgres_url.ts";
import { effective, type PoolerFacts, UNTOLD } from "./pooler_facts.ts";

/** Where packages of distributions have it. */
const USUAL_PATH = "/etc/pgbouncer/pgbouncer.ini";

/** Settings of PgBouncer 1.18 to 1.25 that a file may leave out; the checks know those of time-outs. */
const DEFAULTS: Readonly<Record<string, string>> = {
  listen_port: "6432",
  pool_mode: "session",
  max_client_conn: "100",
  default_pool_size: "20",
  min_pool_size: "0",
  reserve_pool_size: "0",
  max_db_connections: "0",
  max_user_connections: "0",
  client_idle_timeout: "0",
};

/** Columns of the console by what a line of [databases] or [users] calls them. */
const COLUMNS: Readonly<Record<string, string>> = {
  pool_mode: "pool_mode",
  pool_size: "pool_size",
  min_pool_size: "min_pool_size",
  reserve_pool: "reserve_pool_size",
  reserve_pool_size: "reserve_pool_size",
  max_db_connections: "max_connections",
  max_db_client_connections: "max_client_connections",
  max_user_connections: "max_user_connections",
  max_user_client_connections: "max_user_client_connections",
};

/**
 * @param path that the operator names; null: the usual one, if its PgBouncer listens at the port of the target
 * @throws {SluiceError} CONFIG_FILE_UNUSABLE for a path that the operator names, and the files that it includes
 */
export function readPoolerIni(
  { database, user, port }: Pick<PostgresTarget, "database" | "user" | "port">,
  path: string | null,
): PoolerFacts {
  let sections: Sections;
  try {
    sections = sectionsIn(path ?? USUAL_PATH, 0);
  } catch (error) {
    if (path === null) return UNTOLD;
    throw error;
  }
  const settings = { ...DEFAULTS, ...Object.fromEntries(sections.get("pgbouncer") ?? []) };
  if (path === null && settings.listen_port !== String(port)) return UNTOLD;
  const databases = sections.get("databases");
  return effective(
    settings,
    columnsOf(databases?.get(database) ?? databases?.get("*")),
    columnsOf(sections.get("users")?.get(user)),
  );
}

type Sections = Map<string, Map<string, string>>;

/** A file may include others, which include others. */
const MAX_DEPTH = 10;

/** @throws {SluiceError} CONFIG_FILE_UNUSABLE for this file or an included one */
function sectionsIn(path: string, depth: number): Sections {
  const sections: Sections = new Map();
  let section = "";
  for (const line of textOf(path).split("\n").map((each) => each.trim())) {
    const [, included] = /^%include\s+(.+)$/.exec(line) ?? [];
    if (included !== undefined && depth < MAX_DEPTH) {
      // PgBouncer takes the path from the folder that it was started in; packages start it anywhere.
      for (const [name, lines] of sectionsIn(resolve(path, "..", included), depth + 1)) {
        add(sections, name, lines);
      }
      continue;
    }
    const [, opened] = /^\[(.+)\]$/.exec(line) ?? [];
    if (opened !== undefined) section = opened.trim().toLowerCase();
    const [, name, value] = /^([^;#=\s]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined) add(sections, section, new Map([[name.replaceAll('"', ""), value!]]));
  }
  return sections;
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file: path, reason: readFault(error) });
  }
}

function add(sections: Sections, name: string, lines: ReadonlyMap<string, string>): void {
  sections.set(name, new Map([...sections.get(name) ?? [], ...lines]));
}

/** @param line such as `host=127.0.0.1 pool_size=50 password='it''s'` */
function columnsOf(line: string | undefined): Record<string, string> | undefined {
  if (line === undefined) return undefined;
  const pairs = [...line.matchAll(/(\w+)\s*=\s*('(?:[^']|'')*'|\S+)/g)];
  return Object.fromEntries(pairs.flatMap(([, name, value]) => {
    const column = COLUMNS[name!];
    return column === undefined ? [] : [[column, value!.replace(/^'(.*)'$/, "$1")]];
  }));
}
