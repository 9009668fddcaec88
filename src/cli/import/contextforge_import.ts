// `sluice import contextforge`: takes what the database of a ContextForge has into the gateway's own database.

import { contextForgeBundle } from "../../admin/contextforge/contextforge_bundle.ts";
import { urlOf } from "../../admin/contextforge/source_database.ts";
import { auditedImport, type PlanLine } from "../../admin/transfer/planning.ts";
import { runImport } from "../../admin/transfer/run_import.ts";
import { isStrategy, STRATEGIES } from "../../admin/configurations/transfer_schemas.ts";
import { EgressGuard } from "../../base/egress/egress_guard.ts";
import { SluiceError } from "../../base/errors.ts";
import { readFault } from "../../base/file_error.ts";
import { loadProcessConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { AuditRecords } from "../../store/audit/audit_records.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import { openDatabase } from "../../store/open_database.ts";
import { createRegistry } from "../../store/registry/registry.ts";
import { createSecretBox } from "../../store/secret_box.ts";
import { readSecrets } from "../../store/secrets.ts";
import type { Database } from "../../store/sql/sql.ts";
import { createLog } from "../../telemetry/log.ts";
import type { ImportContextForgeArgs } from "../commands/moving_commands.ts";
import { isMissing, openGatewayDatabase, tellReplicas } from "../command_line/gateway_state.ts";
import { prepare } from "../command_line/prepare.ts";
import { programName } from "../command_line/program_name.ts";
import { usage } from "../command_line/usage.ts";
import { movingReport } from "./moving_report.ts";
import { ProgressBar } from "./progress_bar.ts";

/**
 * @returns the exit code
 * @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, SOURCE_UNUSABLE, STORE_CANNOT_OPEN, STORE_UNAVAILABLE, SECRETS_UNUSABLE;
 *     CONFLICT with --conflict fail
 */
export async function importContextForge(args: ImportContextForgeArgs): Promise<number> {
  const { source, apply, conflict: strategy } = args;
  if (!isStrategy(strategy)) {
    throw usage([`--conflict must be ${STRATEGIES.join(", ")}, not "${strategy}"`], "import contextforge");
  }
  const { config } = loadProcessConfig({ dev: false, overrides: {} });
  refuseOwn(source, config);
  const bar = new ProgressBar({
    write: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
    isTerminal: Deno.stderr.isTerminal(),
  });
  // The address of a connection is checked when it is opened. A name may not be known where the import runs.
  const guard = new EgressGuard({ ...config, ssrfDnsFailClosed: false });
  const { bundle, passedEverywhere } = await contextForgeBundle(source, {
    settings: config,
    encryptionSecret: await encryptionSecretOf(args, config),
    deps: { checkEgress: async (url) => void await guard.checkUrl(url), now: () => new Date() },
  });
  const own = await openOwn(config, apply);
  try {
    const deps = {
      secretBox: await createSecretBox(own.authEncryptionSecret),
      toolNames: {
        separator: config.gatewayToolNameSeparator,
        maxLength: config.gatewayToolNameMaxLength,
      },
    };
    const options = {
      ...{ strategy, isDryRun: !apply, isOwnExport: false, sees: () => true },
      onProgress: (done: number, total: number) => bar.show("importing", done, total),
    };
    const { lines, hasChanges } = own.database === null
      ? await runImport(deps, null, bundle, options)
      : await own.database.transaction(async (tx) => {
        const outcome = await runImport(deps, createRegistry(tx), bundle, options);
        if (outcome.hasChanges && apply && config.auditTrailEnabled) {
          await record(new AuditRecords(tx), outcome.lines);
        }
        return outcome;
      });
    bar.end();
    if (apply && hasChanges) await tellReplicas(config, own.database!, "import");
    print(lines, args, passedEverywhere);
    return 0;
  } finally {
    bar.end();
    await own.database?.close();
  }
}

/** ContextForge and Sluice have the same default, so this is the first thing to go wrong. */
function refuseOwn(source: string, { databaseUrl }: Config): void {
  const [theirs, ours] = [parseDatabaseUrl(urlOf(source)), parseDatabaseUrl(databaseUrl)];
  const isSame = theirs.kind === "sqlite"
    ? ours.kind === "sqlite" && ours.path === theirs.path
    : ours.kind === "postgres" && ours.host === theirs.host && ours.port === theirs.port &&
      ours.database === theirs.database;
  if (!isSame) return;
  throw usage([
    "DATABASE_URL of the gateway names this database too. Give the gateway one of its own, for example " +
    "DATABASE_URL=sqlite:///./sluice.db",
  ], "import contextforge");
}

async function encryptionSecretOf(
  { secretFile }: ImportContextForgeArgs,
  { authEncryptionSecret }: Config,
): Promise<string | null> {
  if (secretFile === null) return authEncryptionSecret;
  try {
    return (await Deno.readTextFile(secretFile)).trim();
  } catch (error) {
    throw usage([`--secret-file: ${secretFile}: ${readFault(error)}`], "import contextforge");
  }
}

interface OwnDatabase {
  /** null: no gateway has used it yet, and a dry run makes none. */
  readonly database: Database | null;
  readonly authEncryptionSecret: string;
}

async function openOwn(config: Config, isApplied: boolean): Promise<OwnDatabase> {
  const sink = { write: (lines: string) => console.error(lines.trimEnd()) };
  const log = createLog({ level: "WARNING", format: "text", sink });
  if (isApplied) {
    // As the first start does: the database may be there already, or not.
    const { authEncryptionSecret } = await prepare(config, log);
    return { database: await openGatewayDatabase(config), authEncryptionSecret };
  }
  const isNew = await isMissing(config.databaseUrl) || await isUnused(config);
  const kept = config.authEncryptionSecret ??
    (isNew ? null : (await readSecrets(config.databaseUrl))?.authEncryptionSecret);
  return {
    database: isNew ? null : await openGatewayDatabase(config),
    authEncryptionSecret: kept ?? crypto.randomUUID(),
  };
}

/** Has no gateway used the database yet? */
async function isUnused(config: Config): Promise<boolean> {
  const database = await openDatabase(config.databaseUrl, { settings: { ...config, dbMaxRetries: 0 } });
  try {
    await createRegistry(database).readCatalogVersion();
    return false;
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    return true;
  } finally {
    await database.close();
  }
}

/** The user of the command has no token. */
async function record(records: AuditRecords, lines: readonly PlanLine[]): Promise<void> {
  const count = (outcome: PlanLine["outcome"]) => lines.filter((line) => line.outcome === outcome).length;
  await records.append([{
    at: new Date().toISOString(),
    ...{ outcome: "done", status: 200, code: null, operation: "importContextForge", method: "" },
    ...{ endpoint: "command line", permission: null, entity: null, actor: null, address: "" },
    ...{
      correlationId: crypto.randomUUID(),
      count: count("taken") + count("changed"),
      fields: [],
      changes: auditedImport(lines),
    },
  }]);
}

function print(
  lines: readonly PlanLine[],
  args: ImportContextForgeArgs,
  passedEverywhere: readonly string[],
): void {
  const { source, apply, json } = args;
  const shown = source.replace(/^([a-z0-9+_]+:\/\/[^:/@]*):[^@]*@/i, "$1:…@");
  if (json) return console.log(JSON.stringify({ dryRun: !apply, passedEverywhere, items: lines }, null, 2));
  const program = programName();
  const conflict = args.conflict === "skip" ? "" : ` --conflict ${args.conflict}`;
  const secret = args.secretFile === null ? "" : ` --secret-file ${args.secretFile}`;
  console.log(movingReport(lines, {
    source: shown,
    isDryRun: !apply,
    apply: `${program} import contextforge ${shown}${conflict}${secret} --apply`,
    program,
    passedEverywhere,
  }));
}
