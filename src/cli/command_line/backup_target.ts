// What `backup` and `restore` work on: the database file of a gateway and its secrets. PostgreSQL has tools of its own.
import { type ErrorCode, SluiceError } from "../../base/errors.ts";
import type { Loaded } from "../../config/load.ts";
import { parseDatabaseUrl, type SqliteLocation } from "../../store/database_url.ts";
import type { PostgresTarget } from "../../store/postgres/postgres_url.ts";
import type { Backup } from "../../store/sqlite/backup_file.ts";

const SECRETS = ["JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET"] as const;

/** @throws {SluiceError} `code` with the commands to run instead, if the database is PostgreSQL */
export function sqliteLocation(
  { config }: Loaded,
  file: string,
  code: Extract<ErrorCode, "CANNOT_BACK_UP" | "CANNOT_RESTORE">,
): SqliteLocation {
  const location = parseDatabaseUrl(config.databaseUrl);
  if (location.kind === "sqlite") return location;
  const how = code === "CANNOT_BACK_UP" ? dumpCommand(location, file) : restoreCommand(location, file);
  const reason = `the database is PostgreSQL, whose own tools do it. Run:\n${how}\n` +
    "The dump does not hold JWT_SECRET_KEY and AUTH_ENCRYPTION_SECRET: keep these settings with it";
  throw new SluiceError(code, { file, reason });
}

/** The secrets that are settings: they take precedence over the secrets file, and are not in a backup. */
export function secretSettings(
  { sources, databaseDotEnv }: Loaded,
): { names: string; places: string } | null {
  const given = SECRETS.filter((name) => sources[name].text !== null);
  if (given.length === 0) return null;
  const places = given.map((name) => {
    const { from } = sources[name];
    return from === ".env beside the database" ? databaseDotEnv! : from;
  });
  return { names: given.join(" and "), places: [...new Set(places)].join(" and ") };
}

export function describe({ upstreams, tools, servers }: Backup): string {
  return [counted(upstreams, "upstream"), counted(tools, "tool"), counted(servers, "virtual server")].join(
    ", ",
  );
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function dumpCommand(target: PostgresTarget, file: string): string {
  return `  pg_dump --format=custom --file=${quoted(file)} ${connection(target)}${directly(target)}`;
}

/**
 * Drops every table of the schema. `pg_restore --clean` drops those of the dump alone, and fails if tables of a newer version refer to
 * them.
 */
const DROP_TABLES = "SELECT format($$DROP TABLE %s CASCADE$$, oid::regclass) FROM pg_class " +
  "WHERE relkind = $$r$$ AND relnamespace = current_schema()::regnamespace \\gexec";

function restoreCommand(target: PostgresTarget, file: string): string {
  const [to, from] = [connection(target), quoted(file)];
  return "  # with every replica stopped. The first command reads the dump, the second drops all tables of the database\n" +
    `  pg_restore --list ${from} >/dev/null\n` +
    `  echo '${DROP_TABLES}' | psql --quiet --set=ON_ERROR_STOP=1 ${to}\n` +
    `  pg_restore --no-owner --single-transaction ${to} ${from}${directly(target)}`;
}

/** Without the password: pg_dump asks for it, or reads PGPASSWORD or ~/.pgpass. */
function connection({ host, port, user, database }: PostgresTarget): string {
  return `--host=${quoted(host)} --port=${port} --username=${quoted(user)} --dbname=${quoted(database)}`;
}

function directly({ isPgbouncer }: PostgresTarget): string {
  return isPgbouncer ? "\n  # with the address of the server itself: PgBouncer is not enough for it" : "";
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
