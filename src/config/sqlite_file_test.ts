import { assertEquals } from "@std/assert";
import { sqliteFile } from "./sqlite_file.ts";

Deno.test("sqliteFile() is the absolute path of the SQLite file, and null for other databases", () => {
  const rows: [databaseUrl: string, path: string | null][] = [
    ["sqlite:///./mcp.db", "/srv/mcp.db"],
    ["sqlite:///data/mcp.db", "/srv/data/mcp.db"],
    ["sqlite:////data/mcp.db", "/data/mcp.db"],
    [" SQLite+aiosqlite:////data/mcp.db?timeout=5 ", "/data/mcp.db"],
    ["postgresql://user:password@host/mcp", null],
    ["sqlite://mcp.db", null],
  ];
  for (const [databaseUrl, path] of rows) assertEquals(sqliteFile(databaseUrl, "/srv"), path);
});
