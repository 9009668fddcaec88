// Deno's permissions: a gateway checks those that it needs before it starts, and gives up all others before it serves. Threads share
// the permissions of their process, so that workers lose with the main thread what it gives up.
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SluiceError } from "../../base/errors.ts";
import { STDOUT } from "../../audit_export/file_sink.ts";
import type { Config } from "../../config/schema.ts";
import { sqliteFile } from "../../config/sqlite_file.ts";
import { backupNoteOf } from "../../store/sqlite/backup_file.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import type { Log } from "../../telemetry/log.ts";
import { startsPrograms } from "../../upstream/stdio/account.ts";

/** The permissions that a running gateway needs besides the network and the environment. */
export interface Needs {
  /** Absolute paths; null: any file. */
  readonly read: readonly string[] | null;
  /** Absolute paths. */
  readonly write: readonly string[];
  /** Programs are started. */
  readonly run: boolean;
}

type NeedsConfig = Pick<
  Config,
  | "databaseUrl"
  | "ssl"
  | "certFile"
  | "keyFile"
  | "redisSslCaCerts"
  | "replicaSslCaCerts"
  | "proxySslCaCerts"
  | "auditExportFile"
  | "auditSyslogCaCerts"
  | "otelEnableObservability"
  | "otelExporterOtlpCertificate"
  | "stdioEnabled"
  | "mcpConfig"
  | "jwtPrivateKeyPath"
  | "jwtPublicKeyPath"
  | "jwtPublicKeyPathPrevious"
  | "secretsDirectory"
  | "secretCommand"
>;

/** What SQLite keeps beside a database file. */
const SQLITE_SUFFIXES = ["", "-wal", "-shm", "-journal"];

/** The name of the machine and its addresses are for replicas; the user's id decides who owns a new file. */
const SYSTEM_FACTS = ["hostname", "networkInterfaces", "uid"] as const;

const ROOT_FOLDER = "/";

const STARTS_PROGRAMS =
  "upstreams are programs with STDIO_ENABLED=true or MCP_CONFIG, and SECRET_COMMAND is one";

/** @param sources the folder of the modules that workers load; null: they are in the executable */
export function needsOf(
  config: NeedsConfig,
  sources = Deno.build.standalone ? null : fileURLToPath(new URL("../../../", import.meta.url)),
): Needs {
  const database = sqliteFile(config.databaseUrl, Deno.cwd());
  const databaseFiles = database === null ? [] : SQLITE_SUFFIXES.map((suffix) => `${database}${suffix}`);
  const location = database === null ? parseDatabaseUrl(config.databaseUrl) : null;
  const read = [
    ".env",
    database === null ? null : join(dirname(database), ".env"),
    sources,
    ...databaseFiles,
    // Keys of tokens are replaced while the gateway runs.
    database === null ? null : `${database}.secrets`,
    // The doctor looks when the database was backed up.
    database === null ? null : backupNoteOf(database),
    config.jwtPrivateKeyPath,
    config.jwtPublicKeyPath,
    config.jwtPublicKeyPathPrevious,
    ...pathsOf(config.secretsDirectory),
    ...(location?.kind === "sqlite" ? [] : Object.values(location?.tlsFiles ?? {})),
    ...(config.ssl ? [config.certFile, config.keyFile] : []),
    config.redisSslCaCerts,
    config.replicaSslCaCerts,
    config.proxySslCaCerts,
    config.auditSyslogCaCerts,
    config.otelEnableObservability ? config.otelExporterOtlpCertificate : null,
  ].filter((path) => path !== null).map((path) => resolve(path));
  // The file of MCP_CONFIG and the programs can be anywhere.
  const run = startsPrograms(config);
  const { auditExportFile } = config;
  const exportFiles = auditExportFile === null || auditExportFile === STDOUT
    ? []
    : [resolve(auditExportFile)];
  return {
    read: run ? null : [...new Set(read)],
    write: [...databaseFiles, ...exportFiles],
    // Deno cannot keep the permission for one program alone.
    run: run || config.secretCommand !== null,
  };
}

/** A directory that a link names is read at its own path: /var/run is a link to /run. */
function pathsOf(directory: string | null): readonly string[] {
  if (directory === null) return [];
  try {
    return [directory, Deno.realPathSync(directory)];
  } catch {
    return [directory];
  }
}

/** Checks the permissions that no setting can do without. @throws {SluiceError} SETTINGS_INVALID naming the missing ones */
export function requireBasicPermissions(): void {
  refuse([
    ["net", "the gateway serves a port and connects to upstreams", { name: "net" }],
    ["env", "settings are read from the environment", { name: "env" }],
    ...SYSTEM_FACTS.map((kind): Requirement => [
      `sys=${kind}`,
      kind === "uid" ? "new files belong to the user of the gateway" : "replicas find each other by it",
      { name: "sys", kind },
    ]),
  ]);
}

/** Checks the permissions that the settings need. @throws {SluiceError} SETTINGS_INVALID naming the missing ones */
export function requirePermissions({ read, write, run }: Needs): void {
  refuse([
    ...(read ?? [ROOT_FOLDER]).map((path): Requirement => [
      `read=${path}`,
      read === null ? `${STARTS_PROGRAMS}, which may be in any folder` : "the gateway reads it",
      { name: "read", path },
    ]),
    ...write.map((path): Requirement => [
      `write=${path}`,
      "the gateway keeps its database there, or its audit records",
      { name: "write", path },
    ]),
    ...(run ? [["run", STARTS_PROGRAMS, { name: "run" }] as const] : []),
  ]);
}

/** @returns a sentence for the operator; null: nothing is missing that the gateway can do without */
export function missingPermissionWarning(): string | null {
  if (Deno.build.os !== "linux" || isGranted({ name: "ffi" })) return null;
  return "Deno's permission --allow-ffi is missing: HTTP_HEADER_TIMEOUT and HTTP_IDLE_TIMEOUT are not kept, clients that " +
    "leave are noticed late, the limit of open files is not raised, and recycled workers may lose new connections";
}

/** Gives up what `needs` does not name, for all threads and for good, and logs what is left. */
export function giveUpPermissions(needs: Needs, log: Log): void {
  for (const name of ["read", "write"] as const) {
    const paths = needs[name];
    if (paths === null) continue;
    // A request for what is granted makes it a grant of its own, which the revocation of the root folder leaves alone.
    for (const path of paths) if (isGranted({ name, path })) Deno.permissions.requestSync({ name, path });
    Deno.permissions.revokeSync({ name, path: ROOT_FOLDER });
  }
  // The C library is open by now. Its functions go on working.
  Deno.permissions.revokeSync({ name: "ffi" });
  if (!needs.run) Deno.permissions.revokeSync({ name: "run" });
  const paths = (name: "read" | "write") =>
    isGranted({ name, path: ROOT_FOLDER }) ? "everything" : needs[name] ?? [];
  const programs = isGranted({ name: "run" });
  log.info("permissions", { read: paths("read"), write: paths("write"), run: programs });
}

/** A permission as a flag without `--allow-`, its purpose, and Deno's descriptor. */
type Requirement = readonly [flag: string, purpose: string, descriptor: Deno.PermissionDescriptor];

function refuse(requirements: readonly Requirement[]): void {
  const mistakes = requirements.filter(([, , descriptor]) => !isGranted(descriptor)).map(([flag, purpose]) =>
    `Deno's permission --allow-${flag} is missing: ${purpose}`
  );
  if (mistakes.length === 0) return;
  throw new SluiceError("SETTINGS_INVALID", { mistakes: mistakes.join("\n") }, { data: mistakes });
}

function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}
