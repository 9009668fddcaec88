// Parses a DATABASE_URL, in the form of SQLAlchemy, which ContextForge uses.
import { SluiceError } from "../base/errors.ts";
import { sqliteFile } from "../config/sqlite_file.ts";
import { parsePostgresUrl, type PostgresTarget } from "./postgres/postgres_url.ts";

export interface SqliteLocation {
  readonly kind: "sqlite";
  /** The absolute path of the file. */
  readonly path: string;
}

/** The place of a database. */
export type DatabaseLocation = SqliteLocation | PostgresTarget;

/**
 * Parses `sqlite:///relative.db` (relative to `directory`), `sqlite:////absolute.db`, `postgres://` and `postgresql://`. The query
 * of a SQLite URL and a `+driver` after the scheme belong to SQLAlchemy, and are ignored.
 * @throws {SluiceError} STORE_CANNOT_OPEN for every other form; the text names a correct one
 */
export function parseDatabaseUrl(databaseUrl: string, directory = Deno.cwd()): DatabaseLocation {
  const [, scheme, rest] = /^([a-z0-9]+)(?:\+[a-z0-9_]+)?:(.*)$/is.exec(databaseUrl.trim()) ?? [];
  switch (scheme?.toLowerCase()) {
    case "sqlite":
      return { kind: "sqlite", path: sqlitePath(rest, databaseUrl, directory) };
    case "postgres":
    case "postgresql":
      return parsePostgresUrl(databaseUrl);
    case undefined:
      throw refused(quoted(databaseUrl), "DATABASE_URL must look like sqlite:///./mcp.db");
    default:
      throw refused(
        `(${scheme})`,
        `the scheme "${scheme}" is not supported; use sqlite:///./mcp.db or postgresql://user:password@host/database`,
      );
  }
}

function sqlitePath(rest: string, databaseUrl: string, directory: string): string {
  const path = rest.replace(/\?.*$/s, "");
  if (path === "" || path === "//" || path === "///" || path.includes(":memory:")) {
    throw refused(
      databaseUrl,
      "an in-memory database cannot be shared by several workers; name a file, e.g. sqlite:///./mcp.db",
    );
  }
  if (!path.startsWith("///")) {
    throw refused(
      quoted(databaseUrl),
      "write three slashes before a relative path (sqlite:///./mcp.db), four before an absolute one (sqlite:////data/mcp.db)",
    );
  }
  if (path.endsWith("/")) throw refused(databaseUrl, "it names a directory, not a file");
  return sqliteFile(databaseUrl, directory)!;
}

/** The URL for an error text. A URL of an unknown form is hidden if it may contain a password. */
function quoted(databaseUrl: string): string {
  return databaseUrl.includes("@") ? "(hidden)" : databaseUrl;
}

function refused(path: string, reason: string): SluiceError {
  return new SluiceError("STORE_CANNOT_OPEN", { path, reason });
}
