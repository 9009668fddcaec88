// Gateways, their entries and virtual servers of a ContextForge, as items of an import.
import { isObject } from "../../mcp/json_rpc.ts";
import { SESSION_REVISIONS } from "../../mcp/revisions.ts";
import type { PromptRow, ResourceRow, ServerRow, ToolRow } from "../../store/registry/rows.ts";
import type { Credentials } from "../../upstream/credentials.ts";
import { isLoginOfPeople } from "../gateways/store_gateway.ts";
import type { AdminDeps } from "../rest/deps.ts";
import type { EntryItem, GatewayItem, Item, LeftOut } from "../transfer/bundle.ts";
import { credentialsOfHeaders, type OpenSealed, textsOf } from "../transfer/contextforge_secrets.ts";
import { promptItem, resourceItem, toolItem } from "../transfer/entry_items.ts";
import { gatewayItem } from "../transfer/gateway_items.ts";
import { type Fields, isId, noteUnfit, timeOf, Unfit } from "../transfer/item_fields.ts";
import { serverItem } from "../transfer/server_items.ts";
import { certificateOfSource, oauthOfSource } from "./login_of_source.ts";
import type { OpenBundle } from "./sealed_bundles.ts";
import type { SourceRow, SourceTables } from "./source_tables.ts";
import { isEmpty, isTrue, jsonOf, labelOf, listOf, requireWhole, titleOf } from "./source_values.ts";

/** The rules of these revisions judge the definitions: ContextForge speaks no others. */
const REVISION = SESSION_REVISIONS[0]!;

export interface RegistryItems {
  readonly gateways: readonly GatewayItem[];
  readonly tools: readonly EntryItem<ToolRow>[];
  readonly resources: readonly EntryItem<ResourceRow>[];
  readonly prompts: readonly EntryItem<PromptRow>[];
  readonly servers: readonly Item<ServerRow>[];
  /** The names of gateways whose credentials the secret does not open, and how many have any. */
  readonly unreadable: readonly string[];
  readonly withCredentials: number;
}

export interface RegistryOptions {
  readonly deps: Pick<AdminDeps, "checkEgress" | "now">;
  readonly open: OpenSealed;
  readonly openBundle: OpenBundle;
  readonly leftOut: LeftOut[];
}

export async function registryOfSource(
  tables: SourceTables,
  options: RegistryOptions,
): Promise<RegistryItems> {
  const { deps, leftOut } = options;
  const now = deps.now().toISOString();
  const source = entrySources(now);
  const taken = taking(leftOut);
  const gateways = await gatewaysOf(tables, options);
  const tools = tables.tools.flatMap((row) =>
    taken("tool", row, () => {
      requireGateway(
        row,
        `tools of type ${(row.integration_type ?? "unknown").slice(0, 20)} are not supported yet`,
      );
      const item = toolItem(source(row, toolDefinition(row), {
        registry_name: row.name,
        custom_name: row.custom_name,
        display_name: ownTitle(row, titleOf(row.original_name ?? "")),
        description: ownDescription(row),
        timeout_ms: row.timeout_ms === null ? null : Number(row.timeout_ms),
      }));
      return { ...item, notes: [...item.notes, ...notesOfTool(row)] };
    })
  );
  const resources = tables.resources.flatMap((row) =>
    taken("resource", row, () => {
      requireGateway(row, "resources without an upstream are not supported yet");
      const isTemplate = !isEmpty(row.uri_template);
      const definition = {
        ...isTemplate ? { uriTemplate: row.uri_template } : { uri: row.uri },
        ...given({ name: row.name, title: row.title, description: row.description, mimeType: row.mime_type }),
      };
      return resourceItem(isTemplate ? "template" : "resource", source(row, definition, {}));
    })
  );
  const prompts = tables.prompts.flatMap((row) =>
    taken("prompt", row, () => {
      requireGateway(row, "prompts without an upstream are not supported yet");
      return promptItem(source(row, promptDefinition(row), {
        registry_name: row.name,
        custom_name: row.custom_name,
        display_name: ownTitle(row, row.original_name ?? ""),
      }));
    })
  );
  const members = {
    toolIds: membersOf(tables.server_tool_association, "tool_id"),
    resourceIds: membersOf(tables.server_resource_association, "resource_id"),
    promptIds: membersOf(tables.server_prompt_association, "prompt_id"),
  };
  const servers = tables.servers.flatMap((row) =>
    taken("server", row, () => {
      const of = (kind: keyof typeof members) => members[kind].get(row.id!) ?? [];
      const item = serverItem(
        { ...sharedFields(row), name: row.name, description: row.description, icon: row.icon },
        {
          toolIds: of("toolIds"),
          resourceIds: of("resourceIds"),
          promptIds: of("promptIds"),
          gatewayIds: [],
        },
        now,
      );
      if (!isTrue(row.oauth_enabled)) return item;
      return { ...item, notes: [...item.notes, "OAuth for clients has no effect here"] };
    })
  );
  return { ...gateways, tools, resources, prompts, servers };
}

/** A function that makes one item of a row, or none: then it says why. */
function taking(leftOut: LeftOut[]) {
  return <Made>(kind: LeftOut["kind"], row: SourceRow, make: () => Made): Made[] => {
    try {
      requireWhole(row);
      if (!isId(row.id)) throw new Unfit("its id is none");
      return [make()];
    } catch (error) {
      noteUnfit(leftOut, kind, labelOf(row), error);
      return [];
    }
  };
}

async function gatewaysOf(
  { gateways: rows, global_config: config }: SourceTables,
  { deps, open, openBundle, leftOut }: RegistryOptions,
): Promise<Pick<RegistryItems, "gateways" | "unreadable" | "withCredentials">> {
  const gateways: GatewayItem[] = [];
  const unreadable: string[] = [];
  let withCredentials = 0;
  const passedEverywhere = listOf(config[0]?.passthrough_headers ?? null);
  const taken = taking(leftOut);
  for (const row of rows.flatMap((row) => taken("gateway", row, () => row))) {
    const { credentials: login, fault } = await credentialsOf(row, open, openBundle);
    const pair = isEmpty(row.client_cert) || isEmpty(row.client_key)
      ? null
      : await certificateOfSource(row.client_cert!, row.client_key!, openBundle, deps.now());
    const credentials = pair === null ? login : { ...login ?? { type: "none" as const }, certificate: pair };
    if (credentials !== null || fault === "unreadable") withCredentials++;
    if (fault === "unreadable") unreadable.push(labelOf(row));
    const notes = notesOfGateway(row, {
      fault,
      hasCertificate: pair !== null,
      isOfPeople: isLoginOfPeople(login),
    });
    try {
      const item = await gatewayItem(
        deps,
        gatewayFields(row, passedEverywhere, notes.isSwitchedOff),
        credentials,
      );
      gateways.push({ ...item, notes: [...item.notes, ...notes.texts] });
    } catch (error) {
      noteUnfit(leftOut, "gateway", labelOf(row), error);
    }
  }
  return { gateways, unreadable, withCredentials };
}

/** @throws {Unfit} */
function requireGateway({ gateway_id: id }: SourceRow, lacking: string): void {
  if (id === null) throw new Unfit(lacking);
}

/** Entries have the order of their table. */
function entrySources(now: string) {
  const positions = new Map<string, number>();
  return (row: SourceRow, definition: Fields, fields: Fields) => {
    const position = positions.get(row.gateway_id!) ?? 0;
    positions.set(row.gateway_id!, position + 1);
    return {
      fields: { ...sharedFields(row), gateway_id: row.gateway_id, ...fields },
      definition: JSON.stringify(definition),
      revision: REVISION,
      ...{ position, now },
    };
  };
}

function sharedFields(row: SourceRow): Fields {
  return {
    id: row.id,
    enabled: isTrue(row.enabled),
    tags: listOf(row.tags),
    visibility: row.visibility,
    team_id: row.team_id,
    owner_email: row.owner_email,
    created_at: timeOf(row.created_at),
    updated_at: timeOf(row.updated_at),
    created_by: row.created_by,
  };
}

function gatewayFields(row: SourceRow, passedEverywhere: readonly unknown[], isSwitchedOff: boolean): Fields {
  const passed = jsonOf(row.passthrough_headers);
  return {
    ...sharedFields(row),
    ...isSwitchedOff ? { enabled: false } : {},
    name: row.name,
    url: row.url,
    description: row.description,
    transport: row.transport,
    passthrough_headers: Array.isArray(passed)
      ? passed
      : passedEverywhere.length > 0
      ? passedEverywhere
      : null,
    ca_certificate: isEmpty(row.ca_certificate) ? null : row.ca_certificate,
    refresh_interval_seconds: row.refresh_interval_seconds === null
      ? null
      : Number(row.refresh_interval_seconds),
  };
}

/** unreadable: the secret does not open them. oauth: the login is of a kind that is not imported. */
type CredentialsFault = "unreadable" | "oauth" | null;

async function credentialsOf(
  row: SourceRow,
  open: OpenSealed,
  openBundle: OpenBundle,
): Promise<{ credentials: Credentials | null; fault: CredentialsFault }> {
  const config = jsonOf(row.oauth_config);
  if (row.auth_type === "oauth" || !isEmpty(config)) {
    const login = isObject(config) ? await oauthOfSource(config, openBundle) : null;
    if (login === "unreadable") return { credentials: null, fault: "unreadable" };
    return { credentials: login, fault: login === null ? "oauth" : null };
  }
  if (row.auth_type === "query_param") {
    const [first] = Object.entries(textsOf(jsonOf(row.auth_query_params)) ?? {});
    if (first === undefined) return { credentials: null, fault: null };
    const opened = await open(first[1]);
    const value = opened === null ? undefined : opened[first[0]] ?? Object.values(opened)[0];
    if (value === undefined) return { credentials: null, fault: "unreadable" };
    return { credentials: { type: "query_param", key: first[0], value }, fault: null };
  }
  // Some versions seal the headers, some store them as they are.
  const value = isEmpty(row.auth_type) ? null : jsonOf(row.auth_value);
  const headers = typeof value === "string" ? await open(value) : textsOf(value) ?? {};
  if (headers === null) return { credentials: null, fault: "unreadable" };
  return { credentials: credentialsOfHeaders(headers), fault: null };
}

function notesOfGateway(
  row: SourceRow,
  { fault, hasCertificate, isOfPeople }: {
    readonly fault: CredentialsFault;
    readonly hasCertificate: boolean;
    /** Each user logs in at the upstream. */
    readonly isOfPeople: boolean;
  },
): { readonly texts: string[]; readonly isSwitchedOff: boolean } {
  const needs = [
    ...fault === "oauth" ? ["a login by OAuth: give auth_type and oauth_config anew"] : [],
    ...fault === "unreadable" ? ["credentials that the secret does not open"] : [],
    ...isEmpty(row.client_cert) || hasCertificate
      ? []
      : ["its client certificate: give client_cert and client_key anew"],
  ];
  const idle = ["add_headers", "remove_headers", "identity_propagation"]
    .filter((name) => !isEmpty(jsonOf(row[name] ?? null)));
  const texts = [
    ...needs.map((need) => `it is switched off: it needs ${need}`),
    ...isOfPeople
      ? [
        "its users connect it again on the page Your connections, which has the redirect URI that its client needs: their tokens are " +
        "not imported",
      ]
      : [],
    ...row.gateway_mode === "direct_proxy"
      ? ["its lists are kept here, in place of gateway_mode direct_proxy"]
      : [],
    ...idle.map((name) => `${name} has no effect here`),
  ];
  return { texts, isSwitchedOff: needs.length > 0 };
}

function toolDefinition(row: SourceRow): Fields {
  const annotations = jsonOf(row.annotations);
  const outputSchema = jsonOf(row.output_schema);
  return {
    name: row.original_name,
    ...given({ title: row.title, description: row.original_description ?? row.description }),
    inputSchema: jsonOf(row.input_schema) ?? { type: "object" },
    ...isEmpty(outputSchema) ? {} : { outputSchema },
    ...isEmpty(annotations) ? {} : { annotations },
  };
}

/** ContextForge keeps the arguments of a prompt as a JSON Schema. */
function promptDefinition(row: SourceRow): Fields {
  const schema = jsonOf(row.argument_schema) as {
    readonly properties?: Readonly<Record<string, { readonly description?: unknown } | null>>;
    readonly required?: unknown;
  } | null;
  const required = Array.isArray(schema?.required) ? schema.required : [];
  const named = Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    ...given({ description: typeof property?.description === "string" ? property.description : null }),
    required: required.includes(name),
  }));
  return {
    name: row.original_name,
    ...given({ title: row.title, description: row.description }),
    ...named.length === 0 ? {} : { arguments: named },
  };
}

/** null: it is the one that ContextForge has made of the name. */
function ownTitle({ display_name: title, original_name: name }: SourceRow, made: string): string | null {
  return title === null || title === "" || title === made || title === name ? null : title;
}

function ownDescription({ description, original_description: original }: SourceRow): string | null {
  return original === null || description === original ? null : description;
}

function notesOfTool(row: SourceRow): string[] {
  const idle = ["jsonpath_filter", "plugin_chain_pre", "plugin_chain_post"].filter((name) => {
    const value = row[name] ?? null;
    return name === "jsonpath_filter" ? !isEmpty(value) : !isEmpty(jsonOf(value));
  });
  return idle.map((name) => `${name} has no effect here`);
}

function membersOf(rows: readonly SourceRow[], column: string): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const row of rows) {
    const ids = members.get(row.server_id ?? "") ?? [];
    ids.push(row[column] ?? "");
    members.set(row.server_id ?? "", ids);
  }
  return members;
}

/** The members that are texts. */
function given(fields: Readonly<Record<string, string | null | undefined>>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}
