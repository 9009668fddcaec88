// Reads what the gateway's database says of upstreams, API tokens and replicas, and asks the replicas.
import { decodeRecord } from "../../../cluster/replica_record.ts";
import { ReplicaSignatures } from "../../../cluster/request_signature.ts";
import { SluiceError } from "../../../base/errors.ts";
import type { Loaded } from "../../../config/load.ts";
import { DEMO_TAG } from "../../../demo/demo_tag.ts";
import { createRegistry } from "../../../store/registry/registry.ts";
import type { GatewayRow } from "../../../store/registry/rows.ts";
import { createSecretBox } from "../../../store/secret_box.ts";
import { readSecrets, secretsFile } from "../../../store/secrets.ts";
import { type Database, sql } from "../../../store/sql/sql.ts";
import { credentialsOwner } from "../../../upstream/credentials.ts";
import { gatewayAccess } from "../../command_line/gateway_client.ts";
import { isMissing, openGatewayDatabase } from "../../command_line/gateway_state.ts";
import { type Asked, GatewayQuestions, isSecretsFileOpen } from "./gateway_questions.ts";
import { type Probed, probeUpstreams } from "./upstream_probe.ts";

export interface RegistryFacts {
  readonly upstreams: readonly UpstreamFacts[];
  /** API tokens that open the metrics, and their end in ms since the epoch. */
  readonly metricsTokens: readonly { readonly name: string; readonly expiresAt: number | null }[];
  /** Whether AUTH_ENCRYPTION_SECRET here opens the stored credentials; null: there are none, or no secret is here. */
  readonly opensCredentials: boolean | null;
  readonly replicas: readonly ReplicaFacts[];
  /** Tools with a time limit of their own. */
  readonly toolLimits: readonly ToolLimit[];
}

export type UpstreamFacts =
  & Pick<
    GatewayRow,
    | "name"
    | "url"
    | "transport"
    | "authType"
    | "isolation"
    | "stateful"
    | "enabled"
    | "reachable"
    | "lastError"
    | "passthroughHeaders"
    | "protocols"
  >
  & {
    /** What it answers now; null: it was not asked. */
    readonly probed: Probed | null;
    readonly skipped: number;
    /** Lists that could not be read. */
    readonly failedLists: number;
    /** The registration waits for a first answer, or was given up. */
    readonly isPending: boolean;
  };

/** A tool with a time limit of its own. */
export interface ToolLimit {
  readonly id: string;
  /** The name of its upstream. */
  readonly upstream: string;
  /** Its name at the upstream. */
  readonly tool: string;
  readonly timeoutMs: number;
}

export interface ReplicaFacts {
  readonly address: string;
  /** The record was written by a process with other secrets, or another version. */
  readonly isForeign: boolean;
  /** What it answers to GET /version with this folder's token; null: it was not asked. */
  readonly asked: Asked | null;
}

/**
 * @param probes whether upstreams are asked for an answer
 * @returns null: there is no database that a gateway has used. Unreachable servers are the findings of others
 */
export async function readRegistry(
  loaded: Loaded,
  records: readonly StoredRecord[] | null,
  probes: boolean,
): Promise<RegistryFacts | null> {
  const { config } = loaded;
  let database: Database;
  try {
    if (await isMissing(config.databaseUrl)) return null;
    database = await openGatewayDatabase(config);
  } catch (error) {
    if (error instanceof SluiceError) return null;
    throw error;
  }
  try {
    const registry = createRegistry(database);
    const [rows, tokens] = [await registry.gateways.list(), await registry.apiTokens.all()];
    const secret = await encryptionSecret(loaded);
    // The demo upstream is a part of the gateway, and ends with it.
    const others = rows.filter(({ tags }) => !tags.includes(DEMO_TAG));
    const probed = probes ? await probeUpstreams(others, config) : new Map<string, Probed>();
    return {
      upstreams: rows.map((row) => ({
        name: row.name,
        url: row.url,
        transport: row.transport,
        authType: row.authType,
        isolation: row.isolation,
        stateful: row.stateful,
        enabled: row.enabled,
        reachable: row.reachable,
        lastError: row.lastError,
        passthroughHeaders: row.passthroughHeaders,
        protocols: row.protocols,
        probed: probed.get(row.id) ?? null,
        skipped: row.skipped.length,
        failedLists: row.listWarnings.filter(({ name }) => name === null).length,
        isPending: row.registration !== null,
      })),
      metricsTokens: tokens.filter(({ permissions, isActive, revokedAt }) =>
        permissions.length === 1 && permissions[0] === "admin.metrics" && isActive && revokedAt === null
      ).map(({ name, expiresAt }) => ({ name, expiresAt })),
      opensCredentials: secret === null ? null : await opensCredentials(rows, secret),
      replicas: secret === null
        ? []
        : await readReplicas(records ?? await storedRecords(database), secret, loaded),
      toolLimits: await database.query<ToolLimit>(
        sql`SELECT tools.id AS id, gateways.name AS upstream, original_name AS tool, timeout_ms AS "timeoutMs"
          FROM tools JOIN gateways ON gateways.id = gateway_id WHERE timeout_ms IS NOT NULL`,
      ),
    };
  } finally {
    await database.close();
  }
}

/** A record as the store has it. */
export interface StoredRecord {
  readonly number: number;
  readonly text: string;
}

async function storedRecords(database: Database): Promise<StoredRecord[]> {
  const rows = await database.query<{ cache_key: string; value: string }>(
    sql`SELECT cache_key, value FROM cache_records WHERE cache_key LIKE 'replica:%' AND expires_at > ${Date.now()}`,
  );
  return rows.map(({ cache_key, value }) => ({
    number: Number(cache_key.slice("replica:".length)),
    text: value,
  }));
}

async function encryptionSecret({ config }: Loaded): Promise<string | null> {
  if (config.authEncryptionSecret !== null) return config.authEncryptionSecret;
  if (secretsFile(config.databaseUrl) === null || isSecretsFileOpen(config)) return null;
  const secrets = await readSecrets(config.databaseUrl, { warn: () => {} }).catch(() => null);
  return secrets?.authEncryptionSecret ?? null;
}

async function opensCredentials(rows: readonly GatewayRow[], secret: string): Promise<boolean | null> {
  const sealed = rows.filter(({ authSecret }) => authSecret !== null);
  if (sealed.length === 0) return null;
  const box = await createSecretBox(secret);
  const opened = await Promise.all(
    sealed.map(({ id, authSecret }) =>
      box.open(authSecret!, credentialsOwner(id)).then(() => true, () => false)
    ),
  );
  return opened.every((each) => each);
}

async function readReplicas(
  records: readonly StoredRecord[],
  secret: string,
  loaded: Loaded,
): Promise<ReplicaFacts[]> {
  const signatures = new ReplicaSignatures(secret);
  const access = isSecretsFileOpen(loaded.config)
    ? null
    : await gatewayAccess({ url: null, tokenFile: null }, loaded).catch(() => null);
  const questions = new GatewayQuestions(loaded.config, access?.token ?? null);
  const read = async ({ number, text }: StoredRecord): Promise<ReplicaFacts[]> => {
    const state = decodeRecord(number, text, signatures, Date.now());
    if (state.kind === "foreign") return [{ address: addressIn(text), isForeign: true, asked: null }];
    if (state.kind !== "registered") return [];
    const { address } = state;
    return [{ address, isForeign: false, asked: await questions.ask(`${address}/version`) }];
  };
  try {
    return (await Promise.all(records.map(read))).flat();
  } finally {
    questions.close();
  }
}

/** The address that an unsigned record names, for people. */
function addressIn(text: string): string {
  return /"address":"([^"]{1,200})"/.exec(text)?.[1] ?? "an unknown address";
}
