// Parses a DATABASE_URL, in the form of SQLAlchemy, which ContextForge uses.
import { sqliteFile } from "../config/sqlite_file.ts";
import { parsePostgresUrl, type PostgresTarget, refused } from "./postgres/postgres_url.ts";

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
 * @throws {SluiceError} SETTINGS_INVALID for every other form; the text names a correct one
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
      throw refused("it must look like sqlite:///./mcp.db");
    default:
      throw refused(
        `the scheme "${scheme}" is not supported; use sqlite:///./mcp.db or postgresql://user:password@host/database`,
      );
  }
}

function sqlitePath(rest: string, databaseUrl: string, directory: string): string {
  const path = rest.replace(/\?.*$/s, "");
  if (path === "" || path === "//" || path === "///" || path.includes(":memory:")) {
    throw refused(
      "an in-memory database cannot be shared by several workers; name a file, e.g. sqlite:///./mcp.db",
    );
  }
  if (!path.startsWith("///")) {
    throw refused(
      "write three slashes before a relative path (sqlite:///./mcp.db), four before an absolute one (sqlite:////data/mcp.db)",
    );
  }
  if (path.endsWith("/")) throw refused("it names a directory, not a file");
  return sqliteFile(databaseUrl, directory)!;
}
