// Examines the machine, the settings and what they point at: for the command, and for a gateway that serves.
import type { Loaded } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { parseDatabaseUrl } from "../../store/database_url.ts";
import type { PostgresTarget } from "../../store/postgres/postgres_url.ts";
import { counted, type Examination } from "./finding.ts";
import type { ReplicaFacts, StoredRecord } from "./gateway/registry_facts.ts";
import { checkListening } from "./listening.ts";
import { checkMachine } from "./machine_checks.ts";
import { type MachineFacts, readMachine } from "./machine_facts.ts";
import { checkSettings } from "./settings_checks.ts";
import { readSettingsFacts, type SettingsFacts } from "./settings_facts.ts";
import { checkSqlite } from "./sqlite_checks.ts";
import { readSqlite, type SqliteFacts, withAges } from "./sqlite_facts.ts";

/** Facts about files that a gateway cannot read any more when it serves. */
export interface FileFacts {
  readonly settings: SettingsFacts;
  /** null: the database is another one. */
  readonly sqlite: SqliteFacts | null;
}

/** @throws {SluiceError} SETTINGS_INVALID for files that settings name and that cannot be read */
export async function readFileFacts(loaded: Loaded): Promise<FileFacts> {
  const { databaseUrl } = loaded.config;
  const location = parseDatabaseUrl(databaseUrl);
  return {
    settings: await readSettingsFacts(loaded),
    sqlite: location.kind === "sqlite" ? await readSqlite(location.path, databaseUrl) : null,
  };
}

export interface FullExamination extends Examination {
  readonly machine: MachineFacts;
  readonly replicas: readonly ReplicaFacts[];
}

/**
 * @param poolerIni the file with the settings of PgBouncer; null: the usual one
 * @throws {SluiceError} as `readFileFacts`, and CONFIG_FILE_UNUSABLE for `poolerIni`
 */
export async function examineLoaded(
  loaded: Loaded,
  poolerIni: string | null = null,
): Promise<FullExamination> {
  const listening = await checkListening(loaded.config);
  const files = await readFileFacts(loaded);
  const examination = await examine(loaded, files, { poolerIni, probesUpstreams: true });
  return { ...examination, findings: [...listening, ...examination.findings] };
}

/** What the command looks at besides. A gateway that serves has health checks of its own for its upstreams. */
interface Extent {
  /** The file with the settings of PgBouncer; null: the usual one. */
  readonly poolerIni: string | null;
  readonly probesUpstreams: boolean;
}

/** @param files null: not known, so that nothing is said of them */
export async function examine(
  loaded: Loaded,
  files: FileFacts | null,
  { poolerIni, probesUpstreams }: Extent = { poolerIni: null, probesUpstreams: false },
): Promise<FullExamination> {
  const { config } = loaded;
  const location = parseDatabaseUrl(config.databaseUrl);
  const machine = readMachine();
  const parts: Examination[] = [
    ...(files === null
      ? []
      : [{ examined: ["the settings"], findings: checkSettings(loaded, files.settings) }]),
    { examined: ["this machine"], findings: checkMachine(config, machine) },
  ];
  const redis = config.cacheType === "redis" ? await examineRedis(config) : null;
  let isReadable = true;
  if (location.kind === "sqlite") {
    if (files?.sqlite) {
      parts.push({
        examined: [`SQLite at ${location.path}`],
        findings: checkSqlite(withAges(files.sqlite)),
      });
    }
  } else {
    const { canRead, ...postgres } = await examinePostgres(
      config,
      location,
      redis?.replicas ?? null,
      poolerIni,
    );
    parts.push(postgres);
    isReadable = canRead;
  }
  if (redis !== null) parts.push(redis);
  const gateway = isReadable
    ? await examineGateway(loaded, redis?.records ?? null, probesUpstreams)
    : { parts: [], replicas: [], upstreams: [] };
  parts.push(...gateway.parts);
  return {
    examined: parts.flatMap(({ examined }) => examined),
    findings: parts.flatMap(({ findings }) => findings),
    replicas: gateway.replicas,
    upstreams: gateway.upstreams,
    machine,
  };
}

async function examinePostgres(
  config: Config,
  target: PostgresTarget,
  replicas: number | null,
  poolerIni: string | null,
): Promise<Examination & { readonly canRead: boolean }> {
  // Loaded only with PostgreSQL, as by the gateway.
  const [{ readPostgres }, { checkPostgres }] = await Promise.all([
    import("./servers/postgres_facts.ts"),
    import("./servers/postgres_checks.ts"),
  ]);
  const facts = await readPostgres(target, config, poolerIni);
  const use = { settings: config, target, replicas };
  const through = facts.pooler === null ? "" : " through PgBouncer";
  return {
    examined: [`PostgreSQL at ${facts.location}${through}`],
    findings: checkPostgres(use, facts),
    canRead: !("reason" in facts.answer) && !facts.answer.missingRights.includes("SELECT"),
  };
}

/** What is registered, the replicas, and the gateway of this folder if it runs. */
async function examineGateway(
  loaded: Loaded,
  records: readonly StoredRecord[] | null,
  probesUpstreams: boolean,
): Promise<Pick<FullExamination, "replicas" | "upstreams"> & { readonly parts: readonly Examination[] }> {
  const { config } = loaded;
  const [{ readRegistry }, { checkRegistry, describeUpstreams }, { readRunning }, { checkRunning }] =
    await Promise.all([
      import("./gateway/registry_facts.ts"),
      import("./gateway/registry_checks.ts"),
      import("./gateway/running_facts.ts"),
      import("./gateway/running_checks.ts"),
    ]);
  const parts: Examination[] = [];
  const registry = await readRegistry(loaded, records, probesUpstreams);
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
  if (registry !== null && running !== null) {
    const findings = checkRunning(config, running, registry.upstreams, registry.toolLimits);
    parts.push({ examined: ["the running gateway"], findings });
  }
  return {
    parts,
    replicas: registry?.replicas ?? [],
    upstreams: describeUpstreams(registry?.upstreams ?? []),
  };
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
