// Judges a SQLite database: can it be written, is there room, and who else can read it, and how old is its backup?
import { dirname } from "node:path";
import { shellWord } from "../../client_config/shell_word.ts";
import { type Finding, sentence } from "./finding.ts";
import type { SqliteFacts } from "./sqlite_facts.ts";

const MIB = 1024 * 1024;
const [LITTLE_MIB, TOO_LITTLE_MIB] = [1024, 64];

const DAY_MS = 24 * 60 * 60 * 1000;

/** Who backs up at all does so each day or week. */
const OLD_BACKUP_DAYS = 8;

/** Tokens bear less than this, and file systems round times by less. */
const CLOCK_TOLERANCE_MS = 60_000;

/** Magic numbers of statfs(2): NFS, SMB and CIFS. */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
]);

export function checkSqlite(facts: SqliteFacts): Finding[] {
  return [
    ...checkAccess(facts),
    ...checkFileSystem(facts),
    ...checkModes(facts),
    ...checkBackup(facts),
    ...checkClock(facts),
  ];
}

function checkAccess({ path, uid, folderFault, fileFault, secretsFault }: SqliteFacts): Finding[] {
  const folder = dirname(path);
  const user = uid ?? "sluice";
  const findings: Finding[] = [];
  if (folderFault !== null) {
    findings.push({
      id: "sqlite.folder",
      severity: "error",
      found: `No file can be made in ${folder}, the folder of the database: ${folderFault}.`,
      why: "SQLite writes its log beside the database: without it the gateway does not start.",
      fix: `mkdir -p ${shellWord(folder)} && chown ${user} ${shellWord(folder)}`,
      remark: "as root",
      page: "deploy#first-start",
    });
  }
  if (fileFault !== null) {
    findings.push({
      id: "sqlite.file",
      severity: "error",
      found: sentence(`the database ${path} cannot be used: ${fileFault}`),
      why: "The gateway does not start.",
      ...(/denied/.test(fileFault)
        ? { fix: `chown ${user} ${shellWord(path)}*`, remark: "as root; or another file in DATABASE_URL" }
        : { fix: "DATABASE_URL=sqlite:///./sluice.db", remark: "or move away what is there" }),
      page: "backup#restore",
    });
  }
  if (secretsFault !== null) {
    findings.push({
      id: "sqlite.secrets",
      severity: "error",
      found: sentence(secretsFault),
      why:
        "The gateway does not start without its secrets; others would make its tokens and stored credentials useless.",
      fix: "sluice restore FILE --force",
      remark: "a backup holds the secrets",
      page: "backup#restore",
    });
  }
  return findings;
}

function checkFileSystem({ path, fileSystem }: SqliteFacts): Finding[] {
  if (fileSystem === null) return [];
  const findings: Finding[] = [];
  const folder = dirname(path);
  const free = Math.floor(fileSystem.freeBytes / MIB);
  if (free < LITTLE_MIB) {
    findings.push({
      id: "sqlite.space",
      severity: free < TOO_LITTLE_MIB ? "error" : "warning",
      found: `${free} MiB are free in ${folder}, the folder of the database.`,
      why: "When the disk is full, registry writes and sessions fail.",
      fix: `df -h ${shellWord(folder)}`,
      remark: "free space there, or move the database",
      page: "backup#move-to-another-machine",
    });
  }
  const network = NETWORK_FILE_SYSTEMS.get(fileSystem.type);
  if (network !== undefined) {
    findings.push({
      id: "sqlite.network",
      severity: "error",
      found: `The database ${path} is on a network file system (${network}).`,
      why:
        "SQLite's log needs shared memory and locks that such file systems do not give: the database may be damaged.",
      fix: "DATABASE_URL=sqlite:////var/lib/sluice/mcp.db",
      remark:
        "a folder of a local disk, into which sluice backup and sluice restore move the data; or PostgreSQL",
      page: "replicas",
    });
  }
  return findings;
}

function checkModes({ files }: SqliteFacts): Finding[] {
  return files.filter(({ mode }) => mode !== null && (mode & 0o077) !== 0).map(({ path, mode }) => ({
    id: "sqlite.mode",
    severity: "warning",
    found: `${path} is open to other users of this machine (mode ${mode!.toString(8)}).`,
    why: "It holds secrets, sealed credentials or records of sessions.",
    fix: `chmod 600 ${shellWord(path)}`,
    page: "security#before-others-use-it",
  }));
}

function checkBackup({ path, ageMs, backupAgeMs }: SqliteFacts): Finding[] {
  const finding = {
    id: "sqlite.backup",
    why: "A damaged or lost disk takes upstreams, users, tokens and secrets with it.",
    fix: "sluice backup /backup/sluice-$(date +%F)",
    remark: "each night by cron or a timer; the file belongs on another disk",
    page: "backup",
  } as const;
  if (backupAgeMs !== null) {
    if (backupAgeMs <= OLD_BACKUP_DAYS * DAY_MS) return [];
    const found = `The latest backup of ${path} is ${Math.floor(backupAgeMs / DAY_MS)} days old.`;
    return [{ ...finding, severity: "warning", found }];
  }
  // Other programs may copy the disk, of which nothing is known here.
  if (ageMs === null || ageMs <= DAY_MS) return [];
  return [{ ...finding, severity: "note", found: `sluice backup has never run for ${path}.` }];
}

function checkClock({ path, writtenAgoMs }: SqliteFacts): Finding[] {
  if (writtenAgoMs === null || writtenAgoMs > -CLOCK_TOLERANCE_MS) return [];
  return [{
    id: "sqlite.clock",
    severity: "warning",
    found: `By this machine's clock, ${path} was written ${Math.round(-writtenAgoMs / 1000)} s from now.`,
    why: "The clock is behind, or was ahead before: tokens and sessions end early or late.",
    fix: "timedatectl set-ntp true",
    page: "tokens",
  }];
}
