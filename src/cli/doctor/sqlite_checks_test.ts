import { assertEquals } from "@std/assert";
import { checkSqlite } from "./sqlite_checks.ts";
import type { SqliteFacts } from "./sqlite_facts.ts";

const GIB = 2 ** 30;
const EXT4 = 0xef53;
const DAY_MS = 24 * 60 * 60 * 1000;

const WELL: SqliteFacts = {
  path: "/data/mcp.db",
  uid: 1000,
  folderFault: null,
  fileFault: null,
  fileSystem: { type: EXT4, freeBytes: 5 * GIB },
  files: [{ path: "/data/mcp.db", mode: 0o600 }, { path: "/data/mcp.db.secrets", mode: 0o600 }],
  secretsFault: null,
  ageMs: 90 * DAY_MS,
  writtenAgoMs: 1_000,
  backupAgeMs: 7 * DAY_MS,
};

Deno.test("checkSqlite() finds nothing in a folder that is well, new, or of a system without modes", () => {
  assertEquals(checkSqlite(WELL), []);
  assertEquals(checkSqlite({ ...WELL, files: [], ageMs: null, backupAgeMs: null }), []);
  assertEquals(checkSqlite({ ...WELL, ageMs: DAY_MS / 2, backupAgeMs: null }), []);
  assertEquals(checkSqlite({ ...WELL, fileSystem: null, files: [{ path: "C:/mcp.db", mode: null }] }), []);
});

Deno.test("checkSqlite() finds each fault of the folder, the disk and the files", () => {
  const cases: [facts: Partial<SqliteFacts>, finding: string][] = [
    [
      { folderFault: "there is no such file" },
      "error sqlite.folder mkdir -p /data && chown 1000 /data",
    ],
    [{ backupAgeMs: 9 * DAY_MS }, "warning sqlite.backup sluice backup /backup/sluice-$(date +%F)"],
    [{ backupAgeMs: null }, "note sqlite.backup sluice backup /backup/sluice-$(date +%F)"],
    [{ fileFault: "permission denied" }, "error sqlite.file chown 1000 /data/mcp.db*"],
    [
      { fileFault: "permission denied", path: "/my data/mcp.db" },
      "error sqlite.file chown 1000 '/my data/mcp.db'*",
    ],
    [
      { fileFault: "it is not a SQLite database" },
      "error sqlite.file DATABASE_URL=sqlite:///./sluice.db",
    ],
    [{ secretsFault: "it has no JWT_SECRET_KEY" }, "error sqlite.secrets sluice restore FILE --force"],
    [{ fileSystem: { type: EXT4, freeBytes: GIB / 2 } }, "warning sqlite.space df -h /data"],
    [{ fileSystem: { type: EXT4, freeBytes: GIB / 32 } }, "error sqlite.space df -h /data"],
    [
      { fileSystem: { type: 0x6969, freeBytes: 5 * GIB } },
      "error sqlite.network DATABASE_URL=sqlite:////var/lib/sluice/mcp.db",
    ],
    [{ writtenAgoMs: -3_600_000 }, "warning sqlite.clock timedatectl set-ntp true"],
    [{ files: [{ path: "/data/mcp.db", mode: 0o644 }] }, "warning sqlite.mode chmod 600 /data/mcp.db"],
  ];
  for (const [facts, finding] of cases) {
    const found = checkSqlite({ ...WELL, ...facts });
    assertEquals(found.map(({ severity, id, fix }) => `${severity} ${id} ${fix}`), [finding]);
  }
});
