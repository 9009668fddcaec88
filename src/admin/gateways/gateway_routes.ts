// Room `gateways`: handlers of registered upstreams, which ContextForge calls gateways. `routes.ts` loads them. This file
// registers, reads, changes and deletes them; other files read place and credentials from requests.
import { metricsOf } from "../metrics/execution_metrics.ts";
import { createNaming, slugify } from "../../catalog/snapshot/tool_name.ts";
import type { RowChanges } from "../../store/registry/entities.ts";
import type { Discovery, GatewayRow } from "../../store/registry/rows.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, fault, soundFields, validated } from "../rest/faults.ts";
import { readFields } from "../rest/fields.ts";
import {
  discoverTarget,
  mentionsCredentials,
  openCredentials,
  requestedCredentials,
  sealCredentials,
  shownCredentials,
  written,
} from "./gateway_credentials.ts";
import {
  draftGateway,
  GATEWAY_CREATE,
  GATEWAY_UPDATE,
  requestedIsolation,
  unsupportedFaults,
} from "./gateway_draft.ts";
import { idleAuthority, isSameServer, type Place, requestedPlace } from "./gateway_place.ts";
import { expandedFields, type PlainFields, plainFields, variablesFor } from "./plain_fields.ts";
import { firstTry, isLoginOfPeople, refuseTaken, register, tryOut, untried } from "./store_gateway.ts";
import { mayChange, requireOperator } from "../../auth/rbac.ts";
import { requireApprover } from "./approver.ts";
import {
  changeableGateway,
  isGatewayNamed,
  requireMove,
  sharingChanges,
  sharingFaults,
  stillThere,
  visibleGateway,
} from "../rest/lookup.ts";
import { listed, paged, type Select, selected } from "../rest/paging.ts";
import { gatewayStateQuery, refreshQuery, waitQuery } from "../rest/queries.ts";
import { type GatewayInput, gatewayUpdate } from "../rest/schemas.ts";
import { type GatewayExtras, gatewayRead, listWarningsRead, shownAddress, stateOf } from "../rest/shapes.ts";

const GATEWAY: Noun<GatewayRow> = {
  word: "Gateway",
  stateKey: "gateway",
  entities: ({ gateways }) => gateways,
  isNamed: isGatewayNamed,
  read: (call, row) => read(call, row),
};

export const deleteGateway = deleting(GATEWAY);

/** Enables or disables a gateway. One that has never been listed is tried, when it is enabled. */
export async function switchGateway(call: Call): Promise<AdminResponse> {
  const { deps } = call;
  const { registration, id } = await changeableGateway(call);
  if (registration !== null) {
    await deps.store.gateways.update(id, { registration: firstTry(deps, registration.isTransportOpen) });
  }
  return await switching(GATEWAY)(call);
}

/** Switches a gateway off for new calls, and lets those under way end. One that is off stays as it is. */
export async function drainGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await changeableGateway(call);
  if (!row.enabled) return ok(await read(call, row));
  const drainingSince = deps.now().toISOString();
  const changes = { enabled: false, drainingSince, modifiedBy: principal.email };
  const drained = await deps.store.gateways.update(row.id, changes);
  await deps.catalogChanged();
  return ok(await read(call, drained));
}

/** A search looks at the address as the caller sees it, without the values of its query. */
const select: Select<GatewayRow> = async ({ deps, principal, query: parameters }, query) => ({
  rows: selected(
    (await deps.store.gateways.list()).map((row) => ({ ...row, uri: shownAddress(row, principal) })),
    principal,
    query,
  ).filter(isInState(parameters)),
  async show(page) {
    const counts = await deps.store.countDiscovered();
    const loadOf = await loads(deps, page);
    const pending = await deps.store.countPending();
    return await Promise.all(page.map(async (row) => {
      const credentials = await shownCredentials(deps, row);
      const extras = {
        ...{ counts: counts.get(row.id), credentials, ...loadOf(row) },
        pending: deps.store.approvalOf(row) === "off" ? 0 : pending.get(row.id) ?? 0,
      };
      return gatewayRead(row, extras, principal);
    }));
  },
});

/** Is a gateway in the state that the query names? @throws {SluiceError} VALIDATION_FAILED */
function isInState(parameters: URLSearchParams): (row: GatewayRow) => boolean {
  const { state } = validated(gatewayStateQuery, Object.fromEntries(parameters), ["query"]);
  return (row) => state === undefined || state === stateOf(row);
}

export const listGateways = listed("gateways", select);
export const pageGateways = paged("/admin/gateways", select);

export async function getGateway(call: Call): Promise<AdminResponse> {
  const row = await visibleGateway(call);
  const metrics = await metricsOf(call.deps.executions, "gateway", row.id);
  return ok({ ...await read(call, row), metrics });
}

/**
 * Stores the gateway after the upstream was reached and something was listed. With `?wait=false` it is stored at once, and tried
 * afterwards.
 */
export async function createGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const { wait } = validated(waitQuery, Object.fromEntries(call.query), ["query"]);
  const raw = readFields(call, await call.body(), ["body"], GATEWAY_CREATE);
  const { fields, warnings } = understood(call, raw);
  const draft = await draftGateway(deps, principal, fields);
  await register(deps, draft, { wait });
  const { row } = draft;
  return await answer(call, row.id, [...warnings, ...idleAuthority(row.caCertificate, row)]);
}

/** Connects to the upstream that the body describes, and lists it, with the checks of a registration. Nothing is stored. */
export async function testGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const raw = readFields(call, await call.body(), ["body"], GATEWAY_CREATE);
  const { fields, warnings } = understood(call, raw);
  const draft = await draftGateway(deps, principal, fields);
  const startedAt = deps.now().getTime();
  const found = await tryOut(deps, draft);
  const { row } = draft;
  const reader = { isAdmin: mayChange(principal, "gateways.update", row) };
  const { warnings: others = [] } = listWarningsRead(found.warnings, reader);
  const all = [...others, ...warnings, ...idleAuthority(row.caCertificate, row)];
  return ok({
    transport: found.transport ?? row.transport,
    serverInfo: found.serverInfo,
    instructions: found.instructions,
    protocolVersion: found.protocolVersion,
    protocols: found.protocols,
    toolCount: found.tools?.length ?? 0,
    resourceCount: (found.resources?.length ?? 0) + (found.resourceTemplates?.length ?? 0),
    promptCount: found.prompts?.length ?? 0,
    skippedTools: found.skipped,
    ...(all.length === 0 ? {} : { warnings: all }),
    durationMs: deps.now().getTime() - startedAt,
  });
}

/** A caller who may change an upstream does not know its credentials, and must not have them sent to another server. */
const MOVED_WITHOUT_CREDENTIALS = fault(
  ["body", "url"],
  "is another server: send its credentials too, or auth_type null. The stored ones stay with the former server",
);

/** A changed place or changed credentials are tried before they are stored. */
export async function updateGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await changeableGateway(call);
  const given = readFields(call, await call.body(), ["body"], GATEWAY_UPDATE);
  const { fields: raw, warnings } = understood(call, given);
  requireMove(call, raw, row);
  const loose = soundFields(gatewayUpdate, raw);
  const { place, faults: placeFaults } = requestedPlace(loose, row);
  const isMoved = placeFaults.length === 0 && place.transport !== "STDIO" &&
    !isSameServer(place.url, row.url);
  const kept = mentionsCredentials(loose) && !isMoved ? await shownCredentials(deps, row) : null;
  if (place.transport === "STDIO") requireOperator(principal, "a change of an upstream that is a program");
  const asked = mentionsCredentials(loose)
    ? requestedCredentials(loose, kept, place, { deps, principal })
    : null;
  const input = validated(gatewayUpdate, raw, ["body"], [
    ...placeFaults,
    ...isMoved && asked === null && row.authSecret !== null ? [MOVED_WITHOUT_CREDENTIALS] : [],
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
  requireApprover(call, row, after);
  const isElsewhere = !isSameSecret || after.url !== row.url || after.transport !== row.transport ||
    after.caCertificate !== row.caCertificate || after.protocol !== row.protocol;
  let discovery: Discovery | null = null;
  let waiting: RowChanges<GatewayRow> = {};
  if (isElsewhere) {
    const credentials = isSameSecret ? await openCredentials(deps, row) : asked.credentials;
    await deps.checkEgress(new URL(after.url));
    await refuseTaken(deps, deps.store, { row: after, credentials });
    if (isLoginOfPeople(credentials)) waiting = untried(deps, { isTransportOpen: false, credentials });
    // Lists and capabilities of the former address do not hold for the new one.
    else discovery = await deps.discover(await discoverTarget(deps, after, credentials));
  }
  const naming = createNaming(deps.toolNames);
  const saved = await deps.store.transaction(async (store) => {
    await store.gateways.update(row.id, { ...changes, ...waiting });
    if (after.slug !== row.slug) await store.renameDiscovered(row.id, naming);
    return discovery === null ? null : await store.saveDiscovery(row.id, discovery, naming);
  });
  if (saved !== null) deps.onHeld(after.name, saved.holding);
  await deps.catalogChanged();
  return await answer(call, row.id, [...warnings, ...idleAuthority(input.ca_certificate, after)]);
}

/** Lists the upstream again. The first time everything is listed. */
export async function refreshGateway(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const kinds = validated(refreshQuery, Object.fromEntries(call.query), ["query"]);
  const row = await changeableGateway(call);
  const startedAt = deps.now().getTime();
  const isFirst = row.registration !== null;
  const saved = await deps.refresh(row.id, {
    tools: true,
    resources: isFirst || kinds.include_resources,
    prompts: isFirst || kinds.include_prompts,
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

function fieldChanges(input: GatewayInput, place: Place): RowChanges<GatewayRow> {
  return {
    ...(input.name === undefined ? {} : { name: input.name, slug: slugify(input.name) }),
    ...place,
    description: input.description,
    passthroughHeaders: input.passthrough_headers,
    caCertificate: input.ca_certificate,
    isolation: requestedIsolation(input),
    protocol: input.protocol,
    toolApproval: input.tool_approval,
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

/** The fields of a request in one form, with the values of its variables. */
function understood({ deps, principal }: Call, raw: Readonly<Record<string, unknown>>): PlainFields {
  const plain = plainFields(raw);
  const { fields, warnings } = expandedFields(plain.fields, variablesFor(principal, deps));
  const sharing = requestedIsolation(soundFields(gatewayUpdate, fields)) === "shared" ? [SHARED_BY_ALL] : [];
  return { fields, warnings: [...plain.warnings, ...warnings, ...sharing] };
}

const SHARED_BY_ALL = fault(
  ["body", "isolation"],
  "all callers use one session of this upstream, and meet each other's state in it",
  "shared_by_all_callers",
);

/** The gateway, with `warnings` about the request. */
async function answer(call: Call, id: string, warnings: readonly Fault[]): Promise<AdminResponse> {
  const shown = await read(call, stillThere(await call.deps.store.gateways.get(id), `Gateway ${id}`));
  const { warnings: others = [] } = shown as { readonly warnings?: readonly Fault[] };
  return ok(warnings.length === 0 ? shown : { ...shown, warnings: [...others, ...warnings] });
}

async function read({ deps, principal }: Pick<Call, "deps" | "principal">, row: GatewayRow) {
  const counts = (await deps.store.countDiscovered()).get(row.id);
  const credentials = await shownCredentials(deps, row);
  const load = (await loads(deps, [row]))(row);
  const isGuarded = deps.store.approvalOf(row) !== "off";
  const pending = isGuarded ? (await deps.store.countPending()).get(row.id) ?? 0 : 0;
  return gatewayRead(row, { counts, credentials, ...load, pending }, principal);
}

/** Processes and calls of these gateways in this replica. Workers are asked only if one of them has processes or drains. */
async function loads(
  { upstreamLoad }: Pick<AdminDeps, "upstreamLoad">,
  rows: readonly GatewayRow[],
): Promise<(row: GatewayRow) => Pick<GatewayExtras, "processCount" | "callsUnderWay">> {
  const isProcess = ({ transport }: GatewayRow) => transport === "STDIO";
  const isDraining = ({ drainingSince }: GatewayRow) => drainingSince !== null;
  const load = rows.some((row) => isProcess(row) || isDraining(row)) ? await upstreamLoad() : null;
  return (row) => ({
    processCount: isProcess(row) ? load?.processes.get(row.name) ?? 0 : null,
    callsUnderWay: isDraining(row) ? load?.calls.get(row.id) ?? 0 : null,
  });
}
