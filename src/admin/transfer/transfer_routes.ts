// GET /export, POST /export/selective and POST /import.
import type { Permission } from "../../auth/permission_table.ts";
import type { Principal } from "../../auth/principal.ts";
import { canSee, requireOperator, requirePermission, requirePlace } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { createNaming } from "../../catalog/snapshot/tool_name.ts";
import type { Holding } from "../../store/approvals/approvals.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Discovery, GatewayRow } from "../../store/registry/rows.ts";
import { newId } from "../../store/sql/new_id.ts";
import { discoverTarget } from "../gateways/gateway_credentials.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { fault, refuse, validated } from "../rest/faults.ts";
import type { Bundle } from "./bundle.ts";
import { EXPORTED_KINDS, type ExportedKind, exportFile, SOURCE } from "./export_file.ts";
import { bundleOfFile, type FileOptions } from "./import_file.ts";
import { sealWith } from "./passphrase.ts";
import { auditedImport, type PlanLine } from "./planning.ts";
import { keepStatus } from "../configurations/import_statuses.ts";
import { type ImportOptions, runImport, type Unlisted } from "./run_import.ts";
import {
  exportQuery,
  importRequest,
  selectiveBody,
  selectiveQuery,
} from "../configurations/transfer_schemas.ts";

/** Errors, and warnings, of one status. */
const MAX_TEXTS = 500;

export async function exportConfiguration(call: Call): Promise<AdminResponse> {
  const query = validated(exportQuery, Object.fromEntries(call.query), ["query"]);
  const isWanted = (kind: ExportedKind) =>
    (query.types?.includes(kind) ?? true) && query.exclude_types?.includes(kind) !== true;
  return ok(
    await exportFile(call.deps, call.principal, {
      kinds: EXPORTED_KINDS.filter(isWanted),
      tags: query.tags ?? [],
      includeInactive: query.include_inactive,
      includeDependencies: query.include_dependencies,
      selections: null,
      sealing: null,
    }),
  );
}

export async function exportSelection(call: Call): Promise<AdminResponse> {
  const query = validated(selectiveQuery, Object.fromEntries(call.query), ["query"]);
  const { passphrase, ...selections } = validated(selectiveBody, await call.body() ?? {}, ["body"]);
  const isSelective = Object.keys(selections).length > 0;
  if (!isSelective && passphrase === undefined) {
    refuse([fault(["body"], "name what to export, or give a passphrase to export everything", "missing")]);
  }
  if (passphrase !== undefined) requireOperator(call.principal, "an export of credentials");
  return ok(
    await exportFile(call.deps, call.principal, {
      kinds: EXPORTED_KINDS,
      tags: [],
      includeInactive: true,
      includeDependencies: query.include_dependencies,
      selections: isSelective ? selections : null,
      sealing: passphrase === undefined ? null : await sealWith(passphrase),
    }),
  );
}

export async function importConfiguration(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const startedAt = deps.now().toISOString();
  const request = validated(importRequest, await call.body(), ["body"]);
  const file = request.import_data;
  const isOwn = file.source_gateway === SOURCE;
  requireWrites(principal, file.entities, isOwn || deps.store.approvalOf({ toolApproval: null }) === "all");
  const gateways = (await deps.store.gateways.list()).filter((row) => canSee(principal, row));
  const options = (toolIds: ReadonlyMap<string, string>): FileOptions => ({
    secret: request.rekey_secret ?? null,
    selected: request.selected_entities ?? null,
    ...{ toolIds, gateways },
  });
  const importOptions = (isDryRun: boolean): ImportOptions => ({
    strategy: request.conflict_strategy,
    isDryRun,
    isOwnExport: isOwn,
    sees: (row) => canSee(principal, row),
  });
  const toolIdsIn = async (store: Registry) =>
    new Map((await store.tools.list()).map(({ id, name }) => [name, id]));
  const whole = await bundleOfFile(deps, principal, file, options(await toolIdsIn(deps.store)));
  const lines: PlanLine[] = [];
  const warnings: string[] = [];
  let hasChanges = false;
  const run = async (store: Registry, bundle: Bundle) => {
    const outcome = await runImport(deps, store, bundle, importOptions(request.dry_run));
    lines.push(...outcome.lines);
    hasChanges ||= outcome.hasChanges;
  };
  if (!isContextForges(file.entities.servers) || request.dry_run) await run(deps.store, whole);
  else {
    // ContextForge names the tools of its servers, and leaves it to the upstreams to list them. These are asked before anything is
    // written, so that one transaction has all.
    const { unlisted } = await runImport(deps, deps.store, whole, importOptions(true));
    const { found, failures } = await askUnlisted(deps, unlisted);
    warnings.push(...failures);
    const held = await deps.store.transaction(async (store) => {
      await run(store, { ...whole, servers: [] });
      const held = await saveListed(deps, store, found);
      const onlyServers = { ...file, entities: { servers: file.entities.servers } };
      const { servers } = await bundleOfFile(deps, principal, onlyServers, options(await toolIdsIn(store)));
      await run(store, {
        ...{ ...whole, gateways: [], tools: [], resources: [], prompts: [], leftOut: [] },
        servers,
      });
      return held;
    });
    for (const [name, holding] of held) deps.onHeld(name, holding);
  }
  if (hasChanges && !request.dry_run) await deps.catalogChanged();
  const status = statusOf(lines, warnings, startedAt, deps.now().toISOString());
  await keepStatus(deps, status);
  return { ...ok(status), audited: request.dry_run ? {} : auditedImport(lines) };
}

const ENTRIES = ["gateways", "tools", "resources", "prompts"] as const satisfies readonly ExportedKind[];

/** The permissions that an import needs, by kind. */
const WRITES: Readonly<Record<ExportedKind, readonly Permission[]>> = {
  gateways: ["gateways.create", "gateways.update"],
  tools: ["tools.update"],
  resources: ["resources.update"],
  prompts: ["prompts.update"],
  servers: ["servers.create", "servers.update"],
};

/**
 * An import does nothing that its caller may not do to every single entity. One that says which changes of upstreams wait for an
 * approval, or brings entries where everything waits for one, needs the permission to approve.
 * @param isDecision a file with upstreams or their entries is one
 * @throws {SluiceError} FORBIDDEN
 */
function requireWrites(
  principal: Principal,
  entities: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>,
  isDecision: boolean,
): void {
  const has = (kind: ExportedKind) => (entities[kind]?.length ?? 0) > 0;
  const decides = isDecision && ENTRIES.some(has) ||
    entities.gateways?.some(({ tool_approval: mode }) => mode !== undefined && mode !== null) === true;
  const needed = EXPORTED_KINDS.filter(has).flatMap((kind) => WRITES[kind]);
  for (const permission of decides ? [...needed, "gateways.approve"] as const : needed) {
    requirePermission(principal, permission);
    requirePlace(principal, permission, null);
  }
}

function isContextForges(servers: readonly Readonly<Record<string, unknown>>[] | undefined): boolean {
  return servers?.some((server) => server.associated_tool_ids === undefined) === true;
}

interface Listed {
  readonly row: GatewayRow;
  readonly discovery: Discovery;
}

/** Asks upstreams for their lists. @returns besides, the reasons of those that do not answer */
async function askUnlisted(
  deps: AdminDeps,
  unlisted: readonly Unlisted[],
): Promise<{ readonly found: readonly Listed[]; readonly failures: readonly string[] }> {
  const found: Listed[] = [];
  const failures: string[] = [];
  for (const { row, credentials } of unlisted) {
    try {
      const target = await discoverTarget(deps, row, credentials, row.registration?.isTransportOpen);
      found.push({ row, discovery: await deps.discover(target) });
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      failures.push(`gateway ${row.name} is tried again later: ${error.message}`);
    }
  }
  return { found, failures };
}

/** Saves the lists of upstreams that are still where they were asked. @returns what waits for an approval, by upstream */
async function saveListed(
  { toolNames }: AdminDeps,
  store: Registry,
  found: readonly Listed[],
): Promise<[name: string, holding: Holding][]> {
  const held: [string, Holding][] = [];
  for (const { id, name, slug, url, transport, registration } of await store.gateways.list()) {
    const listed = found.find(({ row }) =>
      row.slug === slug && row.url === url && row.transport === transport
    );
    if (listed === undefined || registration === null) continue;
    const { holding } = await store.saveDiscovery(id, listed.discovery, createNaming(toolNames));
    held.push([name, holding]);
  }
  return held;
}

function statusOf(
  lines: readonly PlanLine[],
  further: readonly string[],
  startedAt: string,
  completedAt: string,
) {
  const count = (...outcomes: readonly PlanLine["outcome"][]) =>
    lines.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const words = ({ kind, label, reason }: PlanLine) => `${kind} ${label}: ${reason}`;
  const errors = lines.filter(({ outcome }) => outcome === "left_out").map(words);
  const warnings = [
    ...further,
    ...lines.filter(({ outcome }) => outcome === "skipped").map(words),
    ...lines.flatMap(({ kind, label, notes }) => notes.map((note) => `${kind} ${label}: ${note}`)),
  ];
  return {
    import_id: newId(),
    status: "completed",
    progress: {
      total: lines.length,
      processed: lines.length,
      created: count("taken"),
      updated: count("changed"),
      skipped: count("unchanged", "skipped"),
      failed: count("left_out"),
    },
    errors: errors.slice(0, MAX_TEXTS),
    warnings: warnings.slice(0, MAX_TEXTS),
    started_at: startedAt,
    completed_at: completedAt,
  };
}
