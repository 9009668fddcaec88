// What the admin API needs of the rest of the program, and the plain shapes in which it is asked and answers.
import type { Principal } from "../../auth/principal.ts";
import type { ExtraField } from "./fields.ts";
import type { ToolNameRules } from "../../catalog/snapshot/tool_name.ts";
import type { DiscoveryKinds, DiscoverySaved } from "../../store/registry/save_discovery.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { Discovery, GatewayRow, PromptRow, ResourceRow } from "../../store/registry/rows.ts";

/** Where and how to find an upstream; `url` carries the parameters of query_param credentials: not for logs. */
export interface DiscoverTarget {
  readonly name: string;
  readonly url: string;
  readonly transport: GatewayRow["transport"];
  readonly headers: [name: string, value: string][];
  readonly caCertificate: string | null;
  /** The process's own variables: secrets. */
  readonly env: Readonly<Record<string, string>>;
}

export interface AdminDeps {
  readonly store: Registry;
  readonly secretBox: SecretBox;
  /** May an upstream be there? For a `stdio:` URL: may it be started? @throws {SluiceError} EGRESS_DENIED, COMMAND_DENIED */
  checkEgress(url: URL): Promise<void>;
  /** Connects, initializes and lists every page. @throws {SluiceError} UPSTREAM_* */
  discover(target: DiscoverTarget): Promise<Discovery>;
  /** Asks a registered upstream again and saves what it offers now: catalog/sync.ts. @throws {SluiceError} */
  refresh(gatewayId: string, kinds: DiscoveryKinds): Promise<DiscoverySaved>;
  /** Resolves when every worker of this replica has the new catalog; called after each committed write. */
  catalogChanged(): Promise<void>;
  readResource(principal: Principal, row: ResourceRow, signal: AbortSignal): Promise<unknown>;
  renderPrompt(
    principal: Principal,
    row: PromptRow,
    args: Record<string, string>,
    signal: AbortSignal,
  ): Promise<unknown>;
  readonly toolNames: ToolNameRules;
  ready(): Promise<{ ready: boolean; reasons: string[] }>;
  /** Diagnostics, without secrets. */
  version(): Record<string, unknown>;
  now(): Date;
}

export interface AdminRequest {
  readonly method: string;
  /** Without query; percent-encoded as it came. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  /** The parsed JSON body; undefined where there is none. */
  body(): Promise<unknown>;
  readonly signal: AbortSignal;
}

export interface AdminResponse {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

/** One request on its way through a handler. */
export interface Call extends Pick<AdminRequest, "query" | "principal" | "body" | "signal"> {
  readonly deps: AdminDeps;
  /** The path's `{names}`, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Filled while the body is read: the fields that the answer warns of. */
  readonly extra: ExtraField[];
}

export type Handler = (call: Call) => Promise<AdminResponse>;

export function ok(body: unknown, status = 200): AdminResponse {
  return { status, body };
}
