// Carries an import out: in one transaction, whole or not at all.
import { SluiceError } from "../../base/errors.ts";
import { createNaming } from "../../catalog/snapshot/tool_name.ts";
import type { ImportedRows } from "../../store/registry/import_rows.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Credentials } from "../../upstream/credentials.ts";
import { sealCredentials, shownCredentials } from "../gateways/gateway_credentials.ts";
import type { AdminDeps } from "../rest/deps.ts";
import type { Bundle } from "./bundle.ts";
import { makePlan, NOTHING_PRESENT, type Plan, type PlanOptions, type Present, readPresent } from "./plan.ts";
import type { PlanLine } from "./planning.ts";
import type { Strategy } from "../configurations/transfer_schemas.ts";

export interface ImportOptions {
  readonly strategy: Strategy;
  /** Say what would be done, and do nothing. */
  readonly isDryRun: boolean;
  readonly isOwnExport: boolean;
  /** Whether the import may see, and so change, a row of the registry. */
  readonly sees: PlanOptions["sees"];
  /** Called while rows are written. */
  readonly onProgress?: (done: number, total: number) => void;
}

export type ImportDeps = Pick<AdminDeps, "secretBox" | "toolNames">;

/** The outcome of an import, or of a dry run. */
export interface ImportOutcome {
  readonly lines: readonly PlanLine[];
  readonly hasChanges: boolean;
  /** The upstreams of the import that have never been listed, as they are after it, unless they are switched off. */
  readonly unlisted: readonly Unlisted[];
}

export interface Unlisted {
  readonly row: GatewayRow;
  readonly credentials: Credentials | null;
}

/** Conflicts that one refusal names. */
const MAX_NAMED = 20;

/**
 * @param store null: there is no database yet. A dry run needs none
 * @throws {SluiceError} CONFLICT with strategy "fail", or if the registry refuses a change; then nothing was written
 */
export async function runImport(
  deps: ImportDeps,
  store: Registry | null,
  bundle: Bundle,
  options: ImportOptions,
): Promise<ImportOutcome> {
  const { strategy, isDryRun, isOwnExport, sees } = options;
  const planOptions: PlanOptions = {
    strategy,
    toolNames: deps.toolNames,
    ...{ isOwnExport, sees },
    credentialsOf: (row) => shownCredentials(deps, row),
  };
  if (store === null || isDryRun) {
    const present = store === null ? NOTHING_PRESENT : await readPresent(store, bundle);
    const plan = await makePlan(bundle, present, planOptions);
    refuseConflicts(plan);
    return {
      lines: plan.lines,
      hasChanges: hasChanges(plan),
      unlisted: await unlistedOf(bundle, present, plan, planOptions),
    };
  }
  return await store.transaction(async (tx) => {
    const present = await readPresent(tx, bundle);
    const plan = await makePlan(bundle, present, planOptions);
    refuseConflicts(plan);
    const changes = hasChanges(plan);
    if (changes) await write(deps, tx, plan, options);
    return {
      lines: plan.lines,
      hasChanges: changes,
      unlisted: await unlistedOf(bundle, present, plan, planOptions),
    };
  });
}

async function unlistedOf(
  bundle: Bundle,
  present: Present,
  { gateways }: Plan,
  { sees, credentialsOf }: Pick<PlanOptions, "sees" | "credentialsOf">,
): Promise<Unlisted[]> {
  const isUnlisted = ({ row }: { readonly row: GatewayRow }) => row.enabled && row.registration !== null;
  const slugs = new Set(bundle.gateways.map(({ row }) => row.slug));
  const updates = new Map(gateways.updates.map((update) => [update.before.id, update]));
  const here = present.gateways.filter((row) => slugs.has(row.slug) && sees(row))
    .map((before) => ({ before, row: { ...before, ...updates.get(before.id)?.changes } }))
    .filter(isUnlisted);
  const opened = await Promise.all(here.map(async ({ before, row }): Promise<Unlisted> => {
    const given = updates.get(before.id)?.credentials;
    return { row, credentials: given === undefined ? await credentialsOf(before) : given };
  }));
  return [...gateways.inserts.filter(isUnlisted), ...opened];
}

function refuseConflicts({ conflicts }: Plan): void {
  if (conflicts.length === 0) return;
  const more = conflicts.length - MAX_NAMED;
  const named = conflicts.slice(0, MAX_NAMED).join("; ") + (more > 0 ? `; and ${more} more` : "");
  throw new SluiceError("CONFLICT", { reason: `Nothing was imported. These are here already: ${named}` });
}

function hasChanges(plan: Plan): boolean {
  const { people, gateways, tools, resources, prompts, servers, revocations } = plan;
  const { users, teams, members, roles, assignments, tokens } = people;
  const changed = [
    ...[people.changedUsers, people.changedTeams, people.changedMembers, people.changedRoles],
    ...[people.changedTokens, people.revokedTokens],
  ];
  return [users, teams, members, roles, assignments, tokens, ...changed, revocations].some(isFilled) ||
    [gateways, tools, resources, prompts, servers].some(({ inserts, updates }) =>
      isFilled(inserts) || isFilled(updates)
    );
}

function isFilled({ length }: { readonly length: number }): boolean {
  return length > 0;
}

async function write(
  deps: ImportDeps,
  store: Registry,
  plan: Plan,
  { onProgress }: ImportOptions,
): Promise<void> {
  const { people, gateways, tools, resources, prompts, servers, revocations } = plan;
  const rows: ImportedRows = {
    gateways: await Promise.all(
      gateways.inserts.map(async ({ row, credentials }) => ({
        ...row,
        ...await sealCredentials(deps, row.id, credentials),
      })),
    ),
    tools: tools.inserts,
    resources: resources.inserts,
    prompts: prompts.inserts,
    servers: servers.inserts,
    users: people.users,
    teams: people.teams,
    members: people.members,
    roles: people.roles,
    assignments: people.assignments,
    tokens: people.tokens,
    revocations: revocations.map(({ row }) => row),
  };
  const total = Object.values(rows).reduce((sum, { length }) => sum + length, 0);
  let done = 0;
  await store.insertImported(rows, (count) => onProgress?.(done += count, total));
  for (const { before, changes, credentials } of gateways.updates) {
    const sealed = credentials === undefined ? {} : await sealCredentials(deps, before.id, credentials);
    await store.gateways.update(before.id, { ...changes, ...sealed });
  }
  for (const { id, changes } of tools.updates) await store.tools.update(id, changes);
  for (const { id, changes } of resources.updates) await store.resources.update(id, changes);
  for (const { id, changes } of prompts.updates) await store.prompts.update(id, changes);
  for (const { id, changes } of servers.updates) await store.servers.update(id, changes);
  await writePeople(store, plan);
  await nameAgain(deps, store, plan);
}

async function writePeople({ people, apiTokens }: Registry, { people: plan }: Plan): Promise<void> {
  for (const { email, changes } of plan.changedUsers) await people.users.update(email, changes);
  for (const { id, changes } of plan.changedTeams) await people.teams.update(id, changes);
  for (const { teamId, userId, role } of plan.changedMembers) {
    await people.teams.changeMember(teamId, userId, role);
  }
  for (const { id, changes } of plan.changedRoles) await people.roles.update(id, changes);
  for (const { id, changes } of plan.changedTokens) await apiTokens.update(id, changes);
  for (const { id, revokedBy, revocationReason: reason } of plan.revokedTokens) {
    await apiTokens.revoke({ id, revokedBy, reason });
  }
}

/** The names of tools and prompts follow their gateway's name and their own. */
async function nameAgain({ toolNames }: ImportDeps, store: Registry, plan: Plan): Promise<void> {
  const ids = new Set(plan.gateways.updates.map(({ before }) => before.id));
  for (
    const [entities, updates] of [[store.tools, plan.tools.updates], [
      store.prompts,
      plan.prompts.updates,
    ]] as const
  ) {
    for (const { id } of updates) {
      const row = await entities.get(id);
      if (row?.gatewayId != null) ids.add(row.gatewayId);
    }
  }
  for (const id of ids) await store.renameDiscovered(id, createNaming(toolNames));
}
