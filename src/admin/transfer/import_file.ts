// Makes an import of an exported file: one of this gateway, or one of ContextForge, which has no ids, and no tools of upstreams.
import { isOperator, requireOperator } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import { isObject } from "../../mcp/json_rpc.ts";
import { SESSION_REVISIONS } from "../../mcp/revisions.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { newId } from "../../store/sql/new_id.ts";
import { type Credentials, readCredentials } from "../../upstream/credentials.ts";
import { sendsCallersTokens } from "../gateways/gateway_credentials.ts";
import { isSameServer, type Place } from "../gateways/gateway_place.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { type Bundle, type GatewayItem, type ItemKind, type LeftOut, NO_PEOPLE } from "./bundle.ts";
import { contextForgeSecrets, credentialsOfHeaders } from "./contextforge_secrets.ts";
import { type EntrySource, promptItem, resourceItem, toolItem } from "./entry_items.ts";
import { gatewayItem } from "./gateway_items.ts";
import { type Fields, isId, noteUnfit, textOf, Unfit } from "./item_fields.ts";
import { isSealedHere, type OpenText, openWith } from "./passphrase.ts";
import { serverItem } from "./server_items.ts";

export interface FileOptions {
  /** The passphrase of the file, or the AUTH_ENCRYPTION_SECRET of its ContextForge; null: credentials are dropped. */
  readonly secret: string | null;
  /** Names, URIs or ids by kind; null: everything. */
  readonly selected: Readonly<Record<string, readonly string[]>> | null;
  /** The ids of tools that are here, by their names: ContextForge names the tools of its servers. */
  readonly toolIds: ReadonlyMap<string, string>;
  /** The gateways here that the caller sees. */
  readonly gateways: readonly GatewayRow[];
}

/** What opens a file's secrets; null: nothing does. */
interface Opening {
  readonly ours: OpenText | null;
  readonly theirs: ((sealed: string) => Promise<Credentials | null>) | null;
}

const EXCHANGE_BY_OPERATOR =
  "it sends the tokens of callers to an authorization server (token_exchange): an administrator has to import it";

/** @throws {SluiceError} FORBIDDEN if the file has programs to start, and the caller is no administrator */
export async function bundleOfFile(
  deps: Pick<AdminDeps, "checkEgress" | "now">,
  principal: Principal,
  file: Fields,
  { secret, selected, toolIds, gateways: present }: FileOptions,
): Promise<Bundle> {
  const entities = isObject(file.entities) ? file.entities : {};
  const leftOut: LeftOut[] = [];
  const now = deps.now().toISOString();
  const listed = (kind: string) =>
    selectedOf(entities[kind], selected === null ? "all" : selected[kind] ?? []);
  const taken = <Made>(kind: ItemKind, list: string, make: (entity: Fields) => Made): Made[] =>
    listed(list).flatMap((entity) => {
      try {
        return [make(entity)];
      } catch (error) {
        noteUnfit(leftOut, kind, labelOf(entity), error);
        return [];
      }
    });
  const open = await opening(file, secret);
  const gateways: GatewayItem[] = [];
  for (const entity of listed("gateways")) {
    if (isProgram(entity)) requireOperator(principal, "an upstream that is a program");
    try {
      gateways.push(await gatewayOf(deps, principal, entity, { open, present }));
    } catch (error) {
      noteUnfit(leftOut, "gateway", labelOf(entity), error);
    }
  }
  const tools = taken("tool", "tools", (entity) =>
    toolItem(entrySource(entity, now, {
      registry_name: entity.registry_name,
      custom_name: entity.custom_name,
      display_name: entity.displayName,
      description: entity.description,
      timeout_ms: entity.timeout_ms,
    })));
  const prompts = taken("prompt", "prompts", (entity) =>
    promptItem(entrySource(entity, now, {
      registry_name: entity.registry_name,
      custom_name: entity.custom_name,
      display_name: entity.display_name,
      description: entity.description,
    })));
  const resources = taken("resource", "resources", (entity) =>
    resourceItem(
      entity.is_template === true ? "template" : "resource",
      entrySource(entity, now, {
        name: entity.custom_name,
        description: entity.description,
        mime_type: entity.mime_type,
      }),
    ));
  const servers = taken("server", "servers", (entity) =>
    serverItem(
      { ...entity, ...sharedFields(entity), id: serverId(entity) },
      membersOf(entity, toolIds),
      now,
    ));
  if (Array.isArray(entities.roots) && entities.roots.length > 0) {
    leftOut.push({
      kind: "other",
      label: `${entities.roots.length} roots`,
      reason: "clients name their roots themselves",
    });
  }
  return { ...NO_PEOPLE, gateways, tools, resources, prompts, servers, leftOut };
}

/** The entities of a list whose id, name or URI is wanted. */
function selectedOf(list: unknown, wanted: readonly string[] | "all"): Fields[] {
  const entities = Array.isArray(list) ? list.filter(isObject) : [];
  return wanted === "all"
    ? entities
    : entities.filter(({ id, name, uri }) => [id, name, uri].some((key) => wanted.includes(String(key))));
}

/** The name of an entity in reports. */
function labelOf({ name, uri, id }: Fields): string {
  return String(name ?? uri ?? id ?? "without a name").slice(0, 255);
}

function isProgram({ transport }: Fields): boolean {
  return textOf(transport)?.toUpperCase() === "STDIO";
}

/** @throws {Unfit} */
async function gatewayOf(
  deps: Pick<AdminDeps, "checkEgress" | "now">,
  principal: Principal,
  entity: Fields,
  { open, present }: { readonly open: Opening; readonly present: readonly GatewayRow[] },
): Promise<GatewayItem> {
  const { credentials, missing } = await credentialsOf(entity, open);
  if (sendsCallersTokens(credentials) && !isOperator(principal)) throw new Unfit(EXCHANGE_BY_OPERATOR);
  const kept = await sealedPlace(entity, open) ?? placeHere(entity, present);
  if (kept === null && entity.sealed_url !== undefined) {
    throw new Unfit("its address cannot be opened: send the file's passphrase in rekey_secret");
  }
  const item = await gatewayItem(deps, gatewayFields(entity), credentials, kept);
  return { ...item, credentialsMissing: missing };
}

/** @param fields those in which an operator may differ from the upstream @throws {Unfit} */
function entrySource(entity: Fields, now: string, fields: Fields): EntrySource {
  if (!isObject(entity.definition) || textOf(entity.gateway_id) === null) {
    throw new Unfit("it has no upstream in this file: an upstream brings it, or it is not supported yet");
  }
  if (!isId(entity.id)) throw new Unfit("its id is none");
  return {
    fields: { ...sharedFields(entity), gateway_id: entity.gateway_id, ...fields },
    definition: JSON.stringify(entity.definition),
    revision: SESSION_REVISIONS[0]!,
    position: Number.isSafeInteger(entity.position) ? Number(entity.position) : 0,
    now,
  };
}

function sharedFields(entity: Fields): Fields {
  const { tags, visibility, team_id, owner_email, created_at, updated_at, created_by } = entity;
  return {
    ...{ tags, visibility, team_id, owner_email, created_at, updated_at, created_by },
    id: isId(entity.id) ? entity.id : newId(),
    enabled: entity.is_active !== false,
  };
}

/** Where the gateway of a masked address is: at the same server, so that no other one gets what the masks stand for. */
function placeHere({ id, name, url }: Fields, present: readonly GatewayRow[]): Place | null {
  const here = present.find((row) => row.id === id) ?? present.find((row) => row.name === name);
  const isSame = here !== undefined && typeof url === "string" && URL.canParse(url) &&
    isSameServer(here.url, url);
  return isSame && here.transport !== "STDIO" ? here : null;
}

/** The address with the values that masks of `url` stand for, as the file has it sealed; null: it has none, or it stays closed. */
async function sealedPlace(entity: Fields, { ours }: Opening): Promise<Place | null> {
  const sealed = textOf(entity.sealed_url);
  const url = sealed !== null && isSealedHere(sealed) ? await ours?.("url", sealed) ?? null : null;
  return url === null ? null : { transport: "STREAMABLEHTTP", url };
}

function gatewayFields(entity: Fields): Fields {
  const { url, command, args, cwd, ...others } = entity;
  const startsProgram = isProgram(entity);
  const headers = Array.isArray(entity.passthrough_headers) && entity.passthrough_headers.length === 0
    ? null
    : entity.passthrough_headers;
  return {
    ...others,
    ...sharedFields(entity),
    ...startsProgram ? { command, args, cwd } : { url },
    passthrough_headers: startsProgram ? undefined : headers,
    ca_certificate: startsProgram ? undefined : entity.ca_certificate,
    auth_type: undefined,
  };
}

/** ContextForge has a server's id only in its addresses. */
function serverId(entity: Fields): string {
  if (isId(entity.id)) return entity.id;
  return /\/servers\/([A-Za-z0-9_-]{1,64})\/sse$/.exec(textOf(entity.sse_endpoint) ?? "")?.[1] ?? newId();
}

function membersOf(entity: Fields, toolIds: ReadonlyMap<string, string>) {
  const list = (value: unknown) =>
    Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
  const named = list(entity.tool_ids).map((name) => toolIds.get(name) ?? name);
  return {
    toolIds: entity.associated_tool_ids === undefined ? named : list(entity.associated_tool_ids),
    resourceIds: list(entity.associated_resource_ids),
    promptIds: list(entity.associated_prompt_ids),
    gatewayIds: list(entity.associated_gateway_ids),
  };
}

async function opening(file: Fields, secret: string | null): Promise<Opening> {
  if (secret === null) return { ours: null, theirs: null };
  const salt = isObject(file.encryption) ? textOf(file.encryption.salt) : null;
  const sealed = await contextForgeSecrets(secret);
  return {
    ours: salt === null || !/^[A-Za-z0-9+/=]{8,200}$/.test(salt) ? null : await openWith(secret, salt),
    theirs: async (text) => {
      const headers = await sealed(text);
      return headers === null ? null : credentialsOfHeaders(headers);
    },
  };
}

async function credentialsOf(
  entity: Fields,
  { ours, theirs }: Opening,
): Promise<{ credentials: Credentials | null; missing: string | null }> {
  const sealed = textOf(entity.auth_value);
  const hasType = textOf(entity.auth_type) !== null && entity.auth_type !== "none";
  if (sealed === null) {
    return {
      credentials: null,
      missing: hasType ? "its credentials are not in the file: give them anew" : null,
    };
  }
  const credentials = isSealedHere(sealed)
    ? await ownCredentials(sealed, ours)
    : await theirs?.(sealed) ?? null;
  // The caller of the import may lack the right to refer to secrets.
  if (credentials?.references === true) {
    return { credentials: null, missing: "its credentials refer to secrets of the gateway: give them anew" };
  }
  const missing = credentials === null
    ? "its credentials cannot be opened: send the secret in rekey_secret"
    : null;
  return { credentials, missing };
}

async function ownCredentials(sealed: string, open: OpenText | null): Promise<Credentials | null> {
  const text = await open?.("credentials", sealed) ?? null;
  return text === null ? null : readCredentials(text);
}
