// Reads DATABASE_URL as ContextForge and SQLAlchemy write it.
import { SluiceError } from "../base/errors.ts";
import { sqliteFile } from "../config/sqlite_file.ts";
import { parsePostgresUrl, type PostgresTarget } from "./postgres/postgres_url.ts";

export interface SqliteLocation {
  readonly kind: "sqlite";
  /** Absolute path of the file. */
  readonly path: string;
}

/** Where the data is kept. */
export type DatabaseLocation = SqliteLocation | PostgresTarget;

/**
 * `sqlite:///relative.db` (from `directory`), `sqlite:////absolute.db`, whose `?query` is SQLAlchemy's and means nothing
 * here; `postgres://` and `postgresql://`. A `+driver` behind the scheme is SQLAlchemy's too.
 * @throws {SluiceError} STORE_CANNOT_OPEN for every other form, saying what to write instead
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

/** A URL of an unknown form may hold a password: show no more than what stands before one. */
function quoted(databaseUrl: string): string {
  return databaseUrl.includes("@") ? "(hidden)" : databaseUrl;
}

function refused(path: string, reason: string): SluiceError {
  return new SluiceError("STORE_CANNOT_OPEN", { path, reason });
}
