// Room `gateways`: handlers of registered upstreams, which ContextForge calls gateways. `routes.ts` loads them. This file
// registers, reads, changes and deletes them; other files read place and credentials from requests.
import { SluiceError } from "../../base/errors.ts";
import { createNaming, slugify } from "../../catalog/snapshot/tool_name.ts";
import { newId, type NewRow, type RowChanges } from "../../store/registry/entities.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Discovery, GatewayRow } from "../../store/registry/rows.ts";
import { type Credentials, writeCredentials } from "../../upstream/credentials.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, notSupported, soundFields, validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import {
  discoverTarget,
  mentionsCredentials,
  openCredentials,
  requestedCredentials,
  sealCredentials,
  shownCredentials,
} from "./gateway_credentials.ts";
import { type Place, requestedPlace } from "./gateway_place.ts";
import { newSharing, sharingChanges, sharingFaults, visibleRow } from "../rest/lookup.ts";
import { pageOf, readListQuery, selected } from "../rest/paging.ts";
import { gatewayCreate, type GatewayInput, gatewayUpdate, MASK, refreshQuery } from "../rest/schemas.ts";
import { gatewayRead, listWarningsRead } from "../rest/shapes.ts";

/** Fields of ContextForge for features that the gateway lacks. A value that asks for the feature is refused. */
const UNSUPPORTED_FIELDS = [
  "oauth_config",
  "client_cert",
  "client_key",
  "identity_propagation",
  "auth_value",
];

const JUDGED_FIELDS = [...UNSUPPORTED_FIELDS, "one_time_auth", "gateway_mode"];
const WITHOUT_EFFECT = ["ca_certificate_sig", "signing_algorithm"];

const GATEWAY_CREATE: KnownFields = {
  schema: gatewayCreate,
  judged: JUDGED_FIELDS,
  withoutEffect: WITHOUT_EFFECT,
};
const GATEWAY_UPDATE: KnownFields = { ...GATEWAY_CREATE, schema: gatewayUpdate };

const GATEWAY: Noun<GatewayRow> = {
  word: "Gateway",
  stateKey: "gateway",
  entities: ({ gateways }) => gateways,
  read: (call, row) => read(call, row),
};

export const deleteGateway = deleting(GATEWAY);
export const switchGateway = switching(GATEWAY);

export async function listGateways(call: Call): Promise<AdminResponse> {
  const query = readListQuery(call);
  const rows = selected(await call.deps.store.gateways.list(), call.principal, query);
  const { page, answer } = pageOf(rows, { key: "gateways", sortKey: "name", query });
  const counts = await call.deps.store.countDiscovered();
  const shown = page.map(async (row) => {
    const credentials = await shownCredentials(call.deps, row);
    return gatewayRead(row, { counts: counts.get(row.id), credentials }, call.principal);
  });
  return answer(await Promise.all(shown));
}

export async function getGateway(call: Call): Promise<AdminResponse> {
  return ok(await read(call, await visibleRow(call, "Gateway", call.deps.store.gateways)));
}

/** Stores the gateway only after the upstream was reached and something was listed. */
export async function createGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const raw = readFields(call, await call.body(), ["body"], GATEWAY_CREATE);
  const loose = soundFields(gatewayUpdate, raw);
  const { place, faults: placeFaults } = requestedPlace(loose, null);
  const { credentials, faults } = requestedCredentials(loose, null, place.transport);
  const input = validated(gatewayCreate, raw, ["body"], [
    // A field with a fault of its own is not also reported as missing.
    ...placeFaults.filter(({ loc, type }) => type !== "missing" || !(loc[1]! in raw)),
    ...faults,
    ...unsupportedFaults(raw),
    ...sharingFaults(raw, null, ["body"]),
  ]);
  const id = newId();
  const row: NewRow<GatewayRow> = {
    id,
    name: input.name,
    slug: slugify(input.name),
    ...place,
    description: input.description ?? null,
    ...await sealCredentials(deps, id, credentials),
    passthroughHeaders: input.passthrough_headers ?? null,
    caCertificate: input.ca_certificate ?? null,
    sessionMode: input.session_mode ?? "bound",
    capabilities: {},
    serverInfo: null,
    instructions: null,
    protocolVersion: null,
    stateful: null,
    listTtlMs: null,
    skipped: [],
    listWarnings: [],
    reachable: true,
    lastSeen: null,
    lastCheckedAt: null,
    failedChecks: 0,
    lastError: null,
    lastRefreshAt: null,
    refreshIntervalSeconds: input.refresh_interval_seconds ?? null,
    enabled: true,
    ...newSharing(input, principal),
  };
  await deps.checkEgress(new URL(row.url));
  await refuseTaken(deps, deps.store, { id, row, credentials });
  const discovery = await deps.discover(discoverTarget(row, credentials));
  await deps.store.transaction(async (store) => {
    await refuseTaken(deps, store, { id, row, credentials }); // again: another request may have registered it meanwhile
    await store.gateways.insert(row);
    await store.saveDiscovery(id, discovery, createNaming(deps.toolNames));
  });
  await deps.catalogChanged();
  return ok(await read(call, (await deps.store.gateways.get(id))!));
}

/** A changed place or changed credentials are tried before they are stored. */
export async function updateGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await visibleRow(call, "Gateway", deps.store.gateways);
  const raw = readFields(call, await call.body(), ["body"], GATEWAY_UPDATE);
  const loose = soundFields(gatewayUpdate, raw);
  const kept = mentionsCredentials(loose) ? await shownCredentials(deps, row) : null;
  const { place, faults: placeFaults } = requestedPlace(loose, row);
  const asked = mentionsCredentials(loose) ? requestedCredentials(loose, kept, place.transport) : null;
  const input = validated(gatewayUpdate, raw, ["body"], [
    ...placeFaults,
    ...asked?.faults ?? [],
    ...unsupportedFaults(raw),
    ...sharingFaults(raw, row, ["body"]),
  ]);
  const isSameSecret = asked === null ||
    written(asked.credentials) === written(kept) && !(row.authSecret && !kept);
  const changes: RowChanges<GatewayRow> = {
    ...fieldChanges(input, place),
    ...(isSameSecret ? {} : await sealCredentials(deps, row.id, asked.credentials)),
    modifiedBy: principal.email,
  };
  const after = { ...row, ...defined(changes) };
  const isElsewhere = !isSameSecret || after.url !== row.url || after.transport !== row.transport ||
    after.caCertificate !== row.caCertificate;
  let discovery: Discovery | null = null;
  if (isElsewhere) {
    const credentials = isSameSecret ? await openCredentials(deps, row) : asked.credentials;
    await deps.checkEgress(new URL(after.url));
    await refuseTaken(deps, deps.store, { id: row.id, row: after, credentials });
    discovery = await deps.discover(discoverTarget(after, credentials));
  }
  const naming = createNaming(deps.toolNames);
  await deps.store.transaction(async (store) => {
    await store.gateways.update(row.id, changes);
    if (after.slug !== row.slug) await store.renameDiscovered(row.id, naming);
    if (discovery !== null) await store.saveDiscovery(row.id, discovery, naming);
  });
  await deps.catalogChanged();
  return ok(await read(call, (await deps.store.gateways.get(row.id))!));
}

/** Lists the upstream again. */
export async function refreshGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const kinds = validated(refreshQuery, Object.fromEntries(call.query), ["query"]);
  const row = await visibleRow(call, "Gateway", deps.store.gateways);
  const startedAt = deps.now().getTime();
  const saved = await deps.refresh(row.id, {
    tools: true,
    resources: kinds.include_resources,
    prompts: kinds.include_prompts,
  });
  return ok({
    gatewayId: row.id,
    success: true,
    error: null,
    toolsAdded: saved.tools.added.length,
    toolsUpdated: saved.tools.updated.length,
    toolsRemoved: saved.tools.removed.length,
    resourcesAdded: saved.resources.added.length,
    resourcesUpdated: saved.resources.updated.length,
    resourcesRemoved: saved.resources.removed.length,
    promptsAdded: saved.prompts.added.length,
    promptsUpdated: saved.prompts.updated.length,
    promptsRemoved: saved.prompts.removed.length,
    skippedTools: saved.skipped,
    ...listWarningsRead(saved.warnings, principal),
    durationMs: deps.now().getTime() - startedAt,
    refreshedAt: deps.now().toISOString(),
  });
}

/** @throws {SluiceError} CONFLICT if the name is in use, or the URL with the same credentials */
async function refuseTaken(
  deps: AdminDeps,
  store: Registry,
  { id, row, credentials }: {
    id: string;
    row: Pick<GatewayRow, "name" | "slug" | "url">;
    credentials: Credentials | null;
  },
): Promise<void> {
  for (const other of await store.gateways.list()) {
    if (other.id === id) continue;
    if (other.slug === row.slug) {
      throw new SluiceError("CONFLICT", {
        reason: `A gateway named "${other.name}" exists already (names are compared as "${row.slug}")`,
      });
    }
    if (other.url !== row.url || other.authType !== (credentials?.type ?? null)) continue;
    if (written(await shownCredentials(deps, other)) === written(credentials)) {
      throw new SluiceError("CONFLICT", {
        reason: `Gateway "${other.name}" has this URL and these credentials already`,
      });
    }
  }
}

/** Faults for features of ContextForge that this version lacks. */
function unsupportedFaults(raw: Readonly<Record<string, unknown>>): Fault[] {
  const faults: Fault[] = [];
  for (const field of UNSUPPORTED_FIELDS) {
    const value = raw[field];
    if (value !== undefined && value !== null && value !== "" && value !== MASK) {
      faults.push(notSupported(["body", field], field));
    }
  }
  if (raw.one_time_auth === true) faults.push(notSupported(["body", "one_time_auth"], "one_time_auth"));
  if (raw.gateway_mode === "direct_proxy") {
    faults.push(notSupported(["body", "gateway_mode"], 'gateway_mode "direct_proxy"'));
  }
  return faults;
}

function fieldChanges(input: GatewayInput, place: Place): RowChanges<GatewayRow> {
  return {
    ...(input.name === undefined ? {} : { name: input.name, slug: slugify(input.name) }),
    ...place,
    description: input.description,
    passthroughHeaders: input.passthrough_headers,
    caCertificate: input.ca_certificate,
    sessionMode: input.session_mode,
    refreshIntervalSeconds: input.refresh_interval_seconds,
    ...sharingChanges(input),
  };
}

/** The changes without undefined fields. */
function defined<T extends object>(changes: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>;
  };
}

function written(credentials: Credentials | null): string | null {
  return credentials === null ? null : writeCredentials(credentials);
}

async function read({ deps, principal }: Pick<Call, "deps" | "principal">, row: GatewayRow) {
  const counts = (await deps.store.countDiscovered()).get(row.id);
  return gatewayRead(row, { counts, credentials: await shownCredentials(deps, row) }, principal);
}
