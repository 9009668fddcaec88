// The plan of an import: what is new, what changes, what stays, and why. It is made from what the registry has in the transaction that
// carries it out, so that a second run finds nothing to do.
import { slugify } from "../../catalog/snapshot/tool_name.ts";
import type { Everybody } from "../../store/people/everybody.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { GatewayRow, PromptRow, ResourceRow, ServerRow, ToolRow } from "../../store/registry/rows.ts";
import { PROMPTS, RESOURCES, TOOLS } from "../../store/registry/tables.ts";
import type { Credentials } from "../../upstream/credentials.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { isSameServer } from "../gateways/gateway_place.ts";
import { written } from "../gateways/gateway_credentials.ts";
import type { ApiTokenRow } from "../../store/tokens/token_rows.ts";
import type { Bundle, GatewayItem, Item } from "./bundle.ts";
import { type EntryPlan, type GatewayPlace, planEntries } from "./plan_entries.ts";
import { type PeoplePlan, planPeople } from "./plan_people.ts";
import { MembersHere } from "./server_items.ts";
import {
  decide,
  differencesOf,
  type EntityPlanning,
  fieldsOf,
  freeName,
  isNameOf,
  type PlanLine,
  type Planning,
  takenAs,
} from "./planning.ts";
import type { Strategy } from "../configurations/transfer_schemas.ts";

/** What the registry has. */
export interface Present {
  readonly gateways: readonly GatewayRow[];
  readonly tools: readonly ToolRow[];
  readonly resources: readonly ResourceRow[];
  readonly prompts: readonly PromptRow[];
  readonly servers: readonly ServerRow[];
  readonly everybody: Everybody;
  readonly revoked: ReadonlySet<string>;
  /** Empty, if the import brings none. */
  readonly tokens: readonly ApiTokenRow[];
}

export const NOTHING_PRESENT: Present = {
  ...{ gateways: [], tools: [], resources: [], prompts: [], servers: [], revoked: new Set(), tokens: [] },
  everybody: { users: [], teams: [], members: [], roles: [], assignments: [] },
};

export async function readPresent(store: Registry, bundle: Bundle): Promise<Present> {
  return {
    gateways: await store.gateways.list(),
    tools: await store.tools.list(),
    resources: await store.resources.list(),
    prompts: await store.prompts.list(),
    servers: await store.servers.list(),
    everybody: await store.people.readEverybody(),
    revoked: new Set(await store.revokedTokens.ids()),
    tokens: bundle.tokens.length === 0 ? [] : await store.apiTokens.all(),
  };
}

export interface PlanOptions {
  readonly strategy: Strategy;
  readonly toolNames: AdminDeps["toolNames"];
  readonly sees: Planning["sees"];
  /** The fields that only this gateway's own exports have are compared too. */
  readonly isOwnExport: boolean;
  /** The credentials of a gateway that is here; null: it has none, or they cannot be opened. */
  readonly credentialsOf: (row: GatewayRow) => Promise<Credentials | null>;
}

export interface GatewayPlan {
  readonly inserts: readonly { readonly row: GatewayRow; readonly credentials: Credentials | null }[];
  readonly updates: readonly {
    readonly before: GatewayRow;
    readonly changes: Partial<GatewayRow>;
    /** undefined: they stay. */
    readonly credentials: Credentials | null | undefined;
  }[];
}

export interface Plan {
  readonly lines: readonly PlanLine[];
  /** With strategy "fail": what stands in the way. */
  readonly conflicts: readonly string[];
  readonly people: PeoplePlan;
  readonly gateways: GatewayPlan;
  readonly tools: EntryPlan<ToolRow>;
  readonly resources: EntryPlan<ResourceRow>;
  readonly prompts: EntryPlan<PromptRow>;
  readonly servers: {
    readonly inserts: readonly ServerRow[];
    readonly updates: readonly { readonly id: string; readonly changes: Partial<ServerRow> }[];
  };
  readonly revocations: Bundle["revocations"];
}

const SHARING = ["visibility", "teamId", "ownerEmail", "tags", "enabled"] as const;
const GATEWAY_FIELDS = ["url", "description", "transport", "passthroughHeaders", "caCertificate"] as const;
const GATEWAY_NUMBERS = ["refreshIntervalSeconds", ...SHARING] as const;
const OWN_GATEWAY_FIELDS = ["isolation", "protocol", "toolApproval"] as const;
const TOOL_FIELDS = ["customName", "displayName", "description", "timeoutMs", ...SHARING] as const;
const RESOURCE_WORDS = ["customName", "description", "mimeType"] as const;
const PROMPT_FIELDS = ["customName", "displayName", "description", ...SHARING] as const;
const SERVER_FIELDS = ["name", "description", "icon", "toolIds", "resourceIds", "promptIds"] as const;
const OWN_SERVER_FIELDS = [
  ...["naming", "toolOverrides", "serverInfo", "instructions", "revisions"] as const,
  ...["gatewayIds", "memberTags", "excluded"] as const,
];

export async function makePlan(bundle: Bundle, present: Present, options: PlanOptions): Promise<Plan> {
  const { strategy, toolNames, sees, isOwnExport } = options;
  const lines: PlanLine[] = [];
  const conflicts: string[] = [];
  const planning: Planning = { strategy, toolNames, sees, lines, conflicts };
  const { people, planRights } = planPeople(
    bundle,
    { ...present.everybody, tokens: present.tokens },
    planning,
  );
  const entities: EntityPlanning = {
    ...planning,
    isOwnExport,
    placed: (row) =>
      row.teamId === null ? row : { ...row, teamId: people.teamIds.get(row.teamId) ?? row.teamId },
  };
  const { plan: gateways, places } = await planGateways(
    bundle.gateways,
    present.gateways,
    entities,
    options.credentialsOf,
  );
  const tools = planEntries(
    { kind: "tool", table: TOOLS, fields: TOOL_FIELDS, isNamed: true },
    bundle.tools,
    present.tools,
    places,
    entities,
  );
  const resources = planEntries(
    {
      kind: "resource",
      table: RESOURCES,
      fields: isOwnExport ? [...RESOURCE_WORDS, ...SHARING] : SHARING,
      isNamed: false,
    },
    bundle.resources,
    present.resources,
    places,
    entities,
  );
  const prompts = planEntries(
    { kind: "prompt", table: PROMPTS, fields: PROMPT_FIELDS, isNamed: true },
    bundle.prompts,
    present.prompts,
    places,
    entities,
  );
  const members = new MembersHere(present, sees, {
    toolIds: tools.ids,
    resourceIds: resources.ids,
    promptIds: prompts.ids,
    gatewayIds: new Map([...places].map(([sourceId, { id }]) => [sourceId, id])),
  });
  const { ids: serverIds, ...servers } = planServers(bundle.servers, present.servers, members, entities);
  planRights(serverIds);
  const revocations = [...bundle.revocations, ...people.refusedTokens].filter((item) => {
    const isKnown = present.revoked.has(item.row.jti);
    decide(planning, {
      ...{ kind: "revocation", item, found: isKnown ? item.row : undefined, differences: [] },
      canRename: false,
    });
    return !isKnown;
  });
  for (const { kind, label, reason } of bundle.leftOut) {
    lines.push({ kind, label, outcome: "left_out", reason, notes: [] });
  }
  return { lines, conflicts, people, gateways, tools, resources, prompts, servers, revocations };
}

async function planGateways(
  items: readonly GatewayItem[],
  present: readonly GatewayRow[],
  planning: EntityPlanning,
  credentialsOf: PlanOptions["credentialsOf"],
): Promise<{ plan: GatewayPlan; places: Map<string, GatewayPlace> }> {
  const inserts: { row: GatewayRow; credentials: Credentials | null }[] = [];
  const updates: GatewayPlan["updates"][number][] = [];
  const places = new Map<string, GatewayPlace>();
  const bySlug = new Map(present.map((row) => [row.slug, row]));
  const byId = new Map(present.map((row) => [row.id, row]));
  const made = new Set<string>();
  const fields = [
    ...GATEWAY_FIELDS,
    ...GATEWAY_NUMBERS,
    ...planning.isOwnExport ? OWN_GATEWAY_FIELDS : [],
  ] as const;
  for (const given of items) {
    const found = byId.get(given.row.id) ?? bySlug.get(given.row.slug);
    const row = planning.placed(given.row);
    const { item, credentials } = withCredentials(given, row, found);
    const isOther = found !== undefined && found.id !== row.id;
    const isTwin = found !== undefined && made.has(found.id);
    const differences = found === undefined || isTwin ? [] : [
      ...isNameOf(row.slug, found.slug) ? [] : ["name"],
      ...differencesOf(row, found, fields).filter((field) => field !== "transport" || !isNearly(row, found)),
      ...credentials === undefined || written(await credentialsOf(found)) === written(credentials)
        ? []
        : ["credentials"],
    ];
    const isHidden = found !== undefined && !isTwin && !planning.sees(found);
    const decision = decide(planning, {
      kind: "gateway",
      item,
      found,
      differences,
      canRename: isOther,
      isTwin,
      isHidden,
    });
    if (decision === "insert" || decision === "rename") {
      const taken = decision === "insert" ? row : renamed(item, row, bySlug, planning);
      bySlug.set(taken.slug, taken);
      byId.set(taken.id, taken);
      made.add(taken.id);
      inserts.push({ row: taken, credentials: given.credentials });
      places.set(item.row.id, { id: taken.id, slug: taken.slug, state: "new" });
      continue;
    }
    const state = found!.registration === null ? "listed" : "pending";
    if (decision === "same" || decision === "keep") {
      const { id, slug } = found!;
      const isAnother = decision === "keep" && (isHidden || isOther);
      places.set(item.row.id, { id, slug, state: isAnother ? "kept" : state });
      continue;
    }
    const slugOwner = bySlug.get(row.slug);
    const name = slugOwner === undefined || slugOwner.id === found!.id ? row.name : found!.name;
    const isMoved = ["url", "transport", "credentials"].some((field) => differences.includes(field));
    const changes: Partial<GatewayRow> = {
      ...fieldsOf(row, fields),
      ...{ name, slug: slugify(name) },
      ...isMoved ? { registration: row.registration, reachable: false, lastError: row.lastError } : {},
    };
    updates.push({ before: found!, changes, credentials });
    places.set(item.row.id, { id: found!.id, slug: slugify(name), state });
  }
  return { plan: { inserts, updates }, places };
}

/** Credentials that are missing stay as they are here, at the same origin alone: no other server may get them. */
function withCredentials(
  item: GatewayItem,
  { url }: GatewayRow,
  found: GatewayRow | undefined,
): { item: GatewayItem; credentials: Credentials | null | undefined } {
  const { credentials, credentialsMissing, notes } = item;
  if (credentialsMissing === null) return { item, credentials };
  if (found !== undefined && isSameServer(found.url, url)) return { item, credentials: undefined };
  return { item: { ...item, notes: [...notes, credentialsMissing] }, credentials };
}

/** A transport that was found by trial is no difference. */
function isNearly(wanted: GatewayRow, present: GatewayRow): boolean {
  return wanted.transport === "STREAMABLEHTTP" && present.transport === "SSE" &&
    present.registration?.isTransportOpen === true;
}

function renamed(
  item: GatewayItem,
  row: GatewayRow,
  bySlug: ReadonlyMap<string, GatewayRow>,
  planning: Planning,
): GatewayRow {
  const name = freeName(row.name, (candidate) => bySlug.has(slugify(candidate)));
  takenAs(planning, "gateway", item, name);
  return { ...row, name, slug: slugify(name) };
}

function planServers(
  items: readonly Item<ServerRow>[],
  present: readonly ServerRow[],
  members: MembersHere,
  planning: EntityPlanning,
): Plan["servers"] & { readonly ids: ReadonlyMap<string, string> } {
  const here = new Map<string, string>();
  const inserts: ServerRow[] = [];
  const updates: { id: string; changes: Partial<ServerRow> }[] = [];
  const byName = new Map(present.map((row) => [row.name, row]));
  const byId = new Map(present.map((row) => [row.id, row]));
  const made = new Set<string>();
  const fields = [...SERVER_FIELDS, ...SHARING, ...planning.isOwnExport ? OWN_SERVER_FIELDS : []] as const;
  for (const each of items) {
    const found = byId.get(each.row.id) ?? byName.get(each.row.name);
    const { row, item } = members.of(each, planning.placed(each.row), found);
    const isOther = found !== undefined && found.id !== row.id;
    const isTwin = found !== undefined && made.has(found.id);
    const differences = found === undefined || isTwin ? [] : [
      ...isOther ? ["id"] : [],
      ...differencesOf(row, found, fields).filter((field) =>
        field !== "name" || !isNameOf(row.name, found.name)
      ),
    ];
    const decision = decide(planning, {
      kind: "server",
      item,
      found,
      differences,
      canRename: isOther,
      isTwin,
      isHidden: found !== undefined && !isTwin && !planning.sees(found),
    });
    if (decision === "keep") continue;
    here.set(row.id, decision === "same" || decision === "update" ? found!.id : row.id);
    if (decision === "same") continue;
    if (decision === "update") {
      const isFree = byName.get(row.name) === undefined || byName.get(row.name)!.id === found!.id;
      updates.push({
        id: found!.id,
        changes: { ...fieldsOf(row, fields), ...isFree ? {} : { name: found!.name } },
      });
      continue;
    }
    // A new server beside the one that has its name gets none of that one's hidden members.
    const fresh = members.of(each, planning.placed(each.row), undefined);
    const name = decision === "insert" ? row.name : freeName(row.name, (candidate) => byName.has(candidate));
    if (decision === "rename") takenAs(planning, "server", fresh.item, name);
    const taken = { ...fresh.row, name };
    byName.set(name, taken);
    byId.set(taken.id, taken);
    made.add(taken.id);
    inserts.push(taken);
  }
  return { inserts, updates, ids: here };
}
