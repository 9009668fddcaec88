// `sluice doctor`: looks at what `serve` would use, and says what to mend. It changes nothing without --fix.
import { SluiceError } from "../../base/errors.ts";
import { type Loaded, loadProcessConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import type { PostgresTarget } from "../../store/postgres/postgres_url.ts";
import type { DoctorArgs } from "../commands/fitness_commands.ts";
import { bySeverity, type Examination, exitCodeOf } from "./finding.ts";
import type { StoredRecord } from "./gateway/registry_facts.ts";
import { checkMachine } from "./machine_checks.ts";
import { readMachine } from "./machine_facts.ts";
import { reportJson, reportText } from "./report.ts";
import { checkMistakes, checkSettings } from "./settings_checks.ts";
import { readSettingsFacts } from "./settings_facts.ts";
import { checkSqlite } from "./sqlite_checks.ts";
import { readSqlite } from "./sqlite_facts.ts";

/** Prints the findings. @returns the exit code: 0 well, 1 warnings, 2 errors */
export async function doctor({ upstream, fix, json }: DoctorArgs): Promise<number> {
  if (upstream !== null) {
    return await (await import("./upstream/doctor_upstream.ts")).doctorUpstream({ ...upstream, json });
  }
  if (fix) await applyRemedies(await examine());
  const examination = await examine();
  console.log(
    json ? JSON.stringify(reportJson(examination), null, 2) : reportText(examination),
  );
  return exitCodeOf(examination.findings);
}

/** What was written goes to standard error, so that the report stays one text, or JSON. */
async function applyRemedies({ findings }: Examination): Promise<void> {
  const { readDotEnv, remediesFor, remediesText, writeDotEnv } = await import("./remedies/env_lines.ts");
  // Settings that cannot be loaded have no line that is certain.
  if (findings.some(({ id }) => id === "settings.invalid")) return;
  const remedies = remediesFor(findings, loadProcessConfig({ dev: false, overrides: {} }), readDotEnv());
  const copy = remedies.changes.length === 0 ? null : writeDotEnv(remedies.text, new Date());
  console.error(`${remediesText(remedies, copy)}\n`);
}

async function examine(): Promise<Examination> {
  try {
    const { examined, findings } = await examineLoaded(loadProcessConfig({ dev: false, overrides: {} }));
    return { examined, findings: bySeverity(findings) };
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "SETTINGS_INVALID") throw error;
    return { examined: ["the settings"], findings: checkMistakes(error.message.split("\n")) };
  }
}

/** @throws {SluiceError} SETTINGS_INVALID for files that settings name and that cannot be read */
export async function examineLoaded(loaded: Loaded): Promise<Examination> {
  const { config } = loaded;
  const location = parseDatabaseUrl(config.databaseUrl);
  const parts: Examination[] = [
    { examined: ["the settings"], findings: checkSettings(loaded, await readSettingsFacts(loaded)) },
    { examined: ["this machine"], findings: checkMachine(config, readMachine()) },
  ];
  const redis = config.cacheType === "redis" ? await examineRedis(config) : null;
  if (location.kind === "sqlite") {
    const facts = await readSqlite(location.path, config.databaseUrl);
    parts.push({ examined: [`SQLite at ${location.path}`], findings: checkSqlite(facts) });
  } else parts.push(await examinePostgres(config, location, redis?.replicas ?? null));
  if (redis !== null) parts.push(redis);
  parts.push(...await examineGateway(loaded, redis?.records ?? null));
  return {
    examined: parts.flatMap(({ examined }) => examined),
    findings: parts.flatMap(({ findings }) => findings),
  };
}

async function examinePostgres(
  config: Config,
  target: PostgresTarget,
  replicas: number | null,
): Promise<Examination> {
  // Loaded only with PostgreSQL, as by the gateway.
  const [{ readPostgres }, { checkPostgres }] = await Promise.all([
    import("./servers/postgres_facts.ts"),
    import("./servers/postgres_checks.ts"),
  ]);
  const facts = await readPostgres(target, config);
  const use = { settings: config, target, replicas };
  const through = facts.pooler === null ? "" : " through PgBouncer";
  return {
    examined: [`PostgreSQL at ${facts.location}${through}`],
    findings: checkPostgres(use, facts),
  };
}

/** What is registered, the replicas, and the gateway of this folder if it runs. */
async function examineGateway(
  loaded: Loaded,
  records: readonly StoredRecord[] | null,
): Promise<Examination[]> {
  const { config } = loaded;
  const [{ readRegistry }, { checkRegistry }, { readRunning }, { checkRunning }] = await Promise.all([
    import("./gateway/registry_facts.ts"),
    import("./gateway/registry_checks.ts"),
    import("./gateway/running_facts.ts"),
    import("./gateway/running_checks.ts"),
  ]);
  const parts: Examination[] = [];
  const registry = await readRegistry(loaded, records);
  if (registry !== null) {
    const { upstreams, replicas } = registry;
    parts.push({
      examined: [
        counted(upstreams.length, "upstream"),
        ...(replicas.length > 0 ? [counted(replicas.length, "replica")] : []),
      ],
      findings: checkRegistry(config, registry, Date.now()),
    });
  }
  const running = registry === null ? null : await readRunning(loaded);
  if (running !== null) {
    parts.push({ examined: ["the running gateway"], findings: checkRunning(config, running) });
  }
  return parts;
}

async function examineRedis(
  config: Config,
): Promise<
  Examination & { readonly replicas: number | null; readonly records: readonly StoredRecord[] | null }
> {
  const [{ readRedis }, { checkRedis }] = await Promise.all([
    import("./servers/redis_facts.ts"),
    import("./servers/redis_checks.ts"),
  ]);
  const facts = await readRedis(config);
  return {
    examined: [`Redis at ${facts.location}`],
    findings: checkRedis(config, facts),
    replicas: "reason" in facts.answer ? null : facts.answer.replicas,
    records: "reason" in facts.answer ? null : facts.answer.records,
  };
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
