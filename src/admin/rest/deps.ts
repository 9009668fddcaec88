// Room `rest`: what the handlers of all entities share: requests and answers, schemas, faults, lists and shapes. This file has
// the interfaces to the rest of the program.
import type { OAuthCredentials } from "../../upstream/authorization/oauth_credentials.ts";
import type { Secrets } from "../../upstream/identity/named_secrets.ts";
import type { ClientCertificate } from "../../upstream/identity/client_certificate.ts";
import type { AwsKeys } from "../../upstream/identity/aws_signature.ts";
import type { Permission } from "../../auth/permission_table.ts";
import type { ApiTokenSigner } from "../../auth/api_tokens/sign_api_token.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Logins } from "../../auth/logins/logins.ts";
import type { SingleSignOn } from "../../auth/sso/single_sign_on.ts";
import type { People } from "../../auth/people.ts";
import type { PasswordMails } from "../../auth/logins/password_mails.ts";
import type { PasswordHashes } from "../../auth/logins/password_hash.ts";
import type { RunningSettings } from "../../config/settings_report.ts";
import type { ExtraField } from "./fields.ts";
import type { ToolNameRules } from "../../catalog/snapshot/tool_name.ts";
import type { DiscoveryKinds, DiscoverySaved } from "../../store/registry/save_discovery.ts";
import type { AuditAction, AuditEntity, AuditRecord } from "../../store/audit/audit_record.ts";
import type { AuditRecords } from "../../store/audit/audit_records.ts";
import type { AuditTrail } from "../../store/audit/audit_trail.ts";
import type { Holding } from "../../store/approvals/approvals.ts";
import type { Verdict } from "../../store/registry/decisions.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Connecting } from "../connections/connecting.ts";
import type { SecretBox } from "../../store/secret_box.ts";
import type { Checkup } from "../../telemetry/checkup.ts";
import type { RunningAdvice } from "../../tuning/running_advice.ts";
import type { FoundLines, LogQuery } from "../../telemetry/recent_log.ts";
import type { ExecutionStore } from "../../store/executions/execution_store.ts";
import type { Discovery, GatewayRow, PromptRow, ResourceRow } from "../../store/registry/rows.ts";

/** How to connect to an upstream. Do not log `url`: it can contain the credentials of auth_type query_param. */
export interface DiscoverTarget {
  readonly name: string;
  readonly url: string;
  readonly transport: GatewayRow["transport"];
  readonly headers: [name: string, value: string][];
  readonly caCertificate: string | null;
  /** The environment variables of a process. They are secrets. */
  readonly env: Readonly<Record<string, string>>;
  /** How the gateway logs in; null: it has other credentials, or none. */
  readonly oauth: OAuthCredentials | null;
  /** The keys that sign the requests; null: they are not signed. */
  readonly aws: AwsKeys | null;
  /** The certificate of the gateway in TLS; null: none. */
  readonly certificate: ClientCertificate | null;
  /** Streamable HTTP is tried first, then SSE. */
  readonly isTransportOpen: boolean;
  /** As in `GatewayRow`. */
  readonly protocol: string;
}

/** The settings of users and teams. */
export interface AccountRules {
  /** PASSWORD_MIN_LENGTH_USER */
  readonly minPasswordChars: number;
  /** MAX_TEAMS_PER_USER */
  readonly maxTeams: number;
  /** MAX_MEMBERS_PER_TEAM, for teams without a limit of their own. */
  readonly maxMembers: number;
  /** PASSWORD_RESET_TOKEN_EXPIRY_MINUTES */
  readonly passwordLinkMs: number;
  /** TOKEN_EXPIRY */
  readonly loginMs: number;
  /** SESSION_MAX_LIFETIME */
  readonly longestLoginMs: number;
  /** INVITATION_EXPIRY_DAYS */
  readonly invitationMs: number;
}

/** The rules of API tokens. */
export interface ApiTokenRules {
  readonly signer: ApiTokenSigner;
  /** MAX_API_TOKENS_PER_USER */
  readonly maxPerUser: number;
  /** REQUIRE_TOKEN_EXPIRATION */
  readonly requireExpiration: boolean;
}

/** The processes and calls of upstreams. */
export interface UpstreamLoad {
  /** The processes of stdio upstreams, by the upstream's name. */
  readonly processes: ReadonlyMap<string, number>;
  /** The calls under way, by the upstream's id. */
  readonly calls: ReadonlyMap<string, number>;
}

/** The kept lines of the log. */
export interface LogLines {
  find(query: LogQuery): Promise<FoundLines>;
  /** Takes the streams of lines that have to end when the worker does. */
  readonly streams: Set<{ end(): void }>;
}

export interface AdminDeps {
  readonly store: Registry;
  readonly secretBox: SecretBox;
  /** Checks that an upstream may be reached at this URL, or started from a `stdio:` URL. @throws {SluiceError} EGRESS_DENIED, COMMAND_DENIED */
  checkEgress(url: URL): Promise<void>;
  /** Of references in credentials. */
  readonly secrets: Pick<Secrets, "missingSetting" | "resolved">;
  /**
   * Connects to an upstream, initializes the session, and lists everything.
   * @param onListing called when the upstream has introduced itself
   * @throws {SluiceError} UPSTREAM_*
   */
  discover(target: DiscoverTarget, onListing?: () => void): Promise<Discovery>;
  /** A variable of the gateway's environment that registrations may use; undefined for any other. */
  variable(name: string): string | undefined;
  /** Lists a registered upstream again, and saves the result. @throws {SluiceError} */
  refresh(gatewayId: string, kinds: DiscoveryKinds): Promise<DiscoverySaved>;
  /** Tells of changes of an upstream that wait for an approval since now. */
  onHeld(upstream: string, holding: Holding): void;
  /** Counts a decision about a held change. */
  countDecision(verdict: Verdict): void;
  /** Logins of people at upstreams. */
  readonly connecting: Connecting;
  /** Called after each committed write. Resolves when all workers of this replica have the new catalog. */
  catalogChanged(): Promise<void>;
  /** The recorded executions, those of this replica until now; null: none are recorded. */
  readonly executions: (() => Promise<ExecutionStore>) | null;
  /** The parts of a resource, as the upstream answers them. */
  readResource(
    principal: Principal,
    row: ResourceRow,
    signal: AbortSignal,
  ): Promise<{ readonly contents: readonly Readonly<Record<string, unknown>>[] }>;
  renderPrompt(
    principal: Principal,
    row: PromptRow,
    args: Record<string, string>,
    signal: AbortSignal,
  ): Promise<unknown>;
  /** In all workers of this replica. */
  upstreamLoad(): Promise<UpstreamLoad>;
  /** The settings of this replica, without secrets. */
  settings(): Promise<RunningSettings>;
  /** The findings of the doctor about this replica. */
  checkup(): Promise<Checkup>;
  /** Begins an examination, unless one is under way. @returns what was found before */
  examine(): Promise<Checkup>;
  /** The settings that the tuner would change for a number of users; null: the machine is not known yet. */
  advise(users: number): Promise<RunningAdvice | null>;
  /** The latest lines of the log of this replica. */
  readonly logLines: LogLines;
  readonly logins: Logins;
  /** null: SSO_ENABLED=false. */
  readonly sso: Pick<SingleSignOn, "logout" | "renew" | "providers"> | null;
  readonly passwords: PasswordHashes;
  /** null: SMTP_ENABLED=false. */
  readonly passwordMails: Pick<PasswordMails, "request"> | null;
  readonly accounts: AccountRules;
  readonly apiTokens: ApiTokenRules;
  /** Ends the access tokens of OAuth clients by their grants. Resolves when all workers of this replica refuse them. */
  endGrants(
    grantIds: readonly string[],
    why: { readonly revokedBy: string | null; readonly reason: string },
  ): Promise<void>;
  /** Users, teams and roles as this worker knows them. */
  people(): People;
  readonly toolNames: ToolNameRules;
  /** The statuses of imports, for all workers and replicas. */
  readonly importReports: {
    get(key: string): Promise<string | null>;
    put(key: string, value: string, ttlMs: number): Promise<void>;
    list(prefix: string): Promise<readonly { readonly key: string; readonly value: string }[]>;
    delete(key: string): Promise<boolean>;
    sweep(): Promise<number>;
  };
  /** null: AUDIT_TRAIL_ENABLED=false. */
  readonly auditTrail: AuditTrail | null;
  /** The records of the audit trail. */
  readonly auditRecords: AuditRecords;
  ready(): Promise<{ ready: boolean; reasons: string[] }>;
  /** Diagnostics without secrets. */
  version(): Record<string, unknown>;
  now(): Date;
}

export interface AdminRequest {
  readonly method: string;
  /** Without the query, percent-encoded as received. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  /** The address of the client. */
  readonly client: string;
  /** The parsed JSON body; undefined if there is none. */
  body(): Promise<unknown>;
  /** The body as it came; "" if there is none. */
  text(): Promise<string>;
  readonly signal: AbortSignal;
  /** The id that the log lines of the request have. */
  readonly correlationId: string;
  /** For the audit trail; null: nothing is recorded. */
  readonly action: AuditAction | null;
}

export interface AdminResponse {
  readonly status: number;
  /** A value for JSON, or the bytes of a stream. */
  readonly body: unknown;
  readonly headers?: Record<string, string>;
  /** For the audit trail: changes that the read of the route's entity does not show. */
  readonly audited?: AuditRecord["changes"];
  /** For the audit trail: the entity, where neither the path nor the id of the answer names it. */
  readonly about?: AuditEntity;
}

/** The arguments of a handler. */
export interface Call
  extends Pick<AdminRequest, "query" | "principal" | "client" | "body" | "text" | "signal"> {
  readonly deps: AdminDeps;
  /** The permission of the route, which the caller has for something; null: the route needs none. */
  readonly permission: Permission | null;
  /** The decoded values of the path's `{names}`. */
  readonly params: Readonly<Record<string, string>>;
  /** Fields of the body that the handler does not know; the answer warns of them. */
  readonly extra: ExtraField[];
}

export type Handler = (call: Call) => Promise<AdminResponse>;

export function ok(body: unknown, status = 200): AdminResponse {
  return { status, body };
}
