import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import { parseDatabaseUrl } from "./database_url.ts";

Deno.test("parseDatabaseUrl() reads SQLite paths as SQLAlchemy does", () => {
  const path = (url: string) => {
    const location = parseDatabaseUrl(url, "/srv/app");
    return location.kind === "sqlite" ? location.path : location.kind;
  };
  assertEquals(path("sqlite:///./mcp.db"), "/srv/app/mcp.db");
  assertEquals(path("sqlite:///data/mcp.db"), "/srv/app/data/mcp.db");
  assertEquals(path("sqlite:////data/mcp.db"), "/data/mcp.db");
  assertEquals(path("sqlite+aiosqlite:////data/my mcp.db?timeout=5"), "/data/my mcp.db");
});

Deno.test("parseDatabaseUrl() takes every scheme of PostgreSQL", () => {
  for (const scheme of ["postgres", "postgresql", "postgresql+psycopg", "PostgreSQL+asyncpg"]) {
    assertEquals(parseDatabaseUrl(`${scheme}://u:p@db/mcp`).kind, "postgres");
  }
});

Deno.test("parseDatabaseUrl() says what to write instead", () => {
  const cases: [url: string, words: string][] = [
    ["sqlite:///:memory:", "cannot be shared by several workers"],
    ["sqlite://", "cannot be shared by several workers"],
    ["sqlite://mcp.db", "three slashes"],
    ["sqlite:mcp.db", "three slashes"],
    ["sqlite:////data/", "a directory"],
    ["mysql://u:secret@db/mcp", 'the scheme "mysql" is not supported'],
    ["mcp.db", "must look like"],
    ["secret@db", "must look like"],
  ];
  for (const [url, words] of cases) {
    const error = assertThrows(() => parseDatabaseUrl(url), SluiceError);
    assertEquals(error.code, "SETTINGS_INVALID");
    assertStringIncludes(error.message, words, url);
    assertEquals(error.message.includes("secret"), false, url);
  }
});
