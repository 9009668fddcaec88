// Reads the credentials of a gateway from a request, and opens and seals stored ones. A mask in a request stands for the stored
// secret.
import type { Principal } from "../../auth/principal.ts";
import { isOperator } from "../../auth/rbac.ts";
import { isError } from "../../base/errors.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import {
  authorizedUrl,
  awsKeysIn,
  buildAuthHeaders,
  type Credentials,
  credentialsOwner,
  type LoginCredentials,
  readCredentials,
  writeCredentials,
} from "../../upstream/credentials.ts";
import type { AdminDeps, DiscoverTarget } from "../rest/deps.ts";
import { type Fault, fault } from "../rest/faults.ts";
import { requestedAws } from "./requested_aws.ts";
import { requestedOAuth } from "./requested_oauth.ts";
import { mentionsCertificate, requestedCertificate } from "./requested_certificate.ts";
import type { Place } from "./gateway_place.ts";
import { requestedReferences } from "./requested_references.ts";
import { requestedEnvironment } from "./gateway_environment.ts";
import { type GatewayInput, MASK } from "../rest/schemas.ts";
import type { ShownCredentials } from "../rest/shapes.ts";

/** Headers of the connection or the protocol: they cannot carry credentials. */
export const NOT_CREDENTIALS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "accept",
  "host",
  "mcp-protocol-version",
  "mcp-session-id",
  "transfer-encoding",
  "upgrade",
]);

const AUTH_FIELDS = [
  "auth_username",
  "auth_password",
  "auth_token",
  "auth_header_key",
  "auth_header_value",
  "auth_headers",
  "auth_query_param_key",
  "auth_query_param_value",
] as const;

/** What a process does not receive. */
const IDLE_FIELDS = [...AUTH_FIELDS, "oauth_config", "aws_config", "client_cert", "client_key"] as const;

const OAUTH_OVER_HTTP = fault(
  ["body", "auth_type"],
  '"oauth" needs transport "STREAMABLEHTTP" or "SSE": a WebSocket cannot be asked again with another token',
);

const SIGNED_OVER_HTTP = fault(
  ["body", "auth_type"],
  '"aws_sigv4" needs transport "STREAMABLEHTTP" or "SSE": the messages of a WebSocket are not signed',
);

/** Whoever names the authorization server could have the callers' tokens sent to a server of their own. */
const EXCHANGE_BY_OPERATOR = fault(
  ["body", "oauth_config", "grant_type"],
  'only an administrator may register "token_exchange": it sends the tokens of callers to the authorization server',
);

/** Only an administrator may register such credentials. */
export function sendsCallersTokens(credentials: Credentials | null): boolean {
  return credentials?.type === "oauth" && credentials.exchange !== undefined;
}

/** The credentials of a gateway; null if it has none. @throws {SluiceError} SECRET_UNREADABLE */
export async function openCredentials(
  { secretBox }: Pick<AdminDeps, "secretBox">,
  row: GatewayRow,
): Promise<Credentials | null> {
  if (row.authSecret === null) return null;
  return readCredentials(await secretBox.open(row.authSecret, credentialsOwner(row.id)));
}

/** For answers: null also if the credentials cannot be decrypted, so that an operator can see and repair the gateway. */
export async function shownCredentials(
  deps: Pick<AdminDeps, "secretBox">,
  row: GatewayRow,
): Promise<ShownCredentials> {
  try {
    return await openCredentials(deps, row);
  } catch (error) {
    if (isError(error, "SECRET_UNREADABLE")) return null;
    throw error;
  }
}

export async function sealCredentials(
  { secretBox }: Pick<AdminDeps, "secretBox">,
  gatewayId: string,
  credentials: Credentials | null,
): Promise<Pick<GatewayRow, "authType" | "authSecret">> {
  if (credentials === null) return { authType: null, authSecret: null };
  const authSecret = await secretBox.seal(writeCredentials(credentials), credentialsOwner(gatewayId));
  return { authType: credentials.type, authSecret };
}

/** Credentials as text, to compare them. */
export function written(credentials: Credentials | null): string | null {
  return credentials === null ? null : writeCredentials(credentials);
}

/** The argument of `deps.discover` for an upstream. @throws {SluiceError} UPSTREAM_LOGIN_FAILED if a secret cannot be read */
export async function discoverTarget(
  { secrets }: Pick<AdminDeps, "secrets">,
  row: Pick<GatewayRow, "name" | "url" | "transport" | "caCertificate" | "protocol">,
  written: Credentials | null,
  isTransportOpen = false,
): Promise<DiscoverTarget> {
  const credentials = written?.references === true ? await secrets.resolved(written, row.name) : written;
  const auth = credentials === null
    ? buildAuthHeaders(null, null)
    : buildAuthHeaders(credentials.type, writeCredentials(credentials));
  return {
    name: row.name,
    url: authorizedUrl(row.url, auth).href,
    transport: row.transport,
    headers: [...auth.headers],
    caCertificate: row.caCertificate,
    env: credentials?.type === "env" ? credentials.variables : {},
    oauth: credentials?.type === "oauth" ? credentials : null,
    aws: awsKeysIn(credentials),
    certificate: credentials?.certificate ?? null,
    isTransportOpen,
    protocol: row.protocol,
  };
}

/** Does the request change credentials? Masks do not. */
export function mentionsCredentials(input: GatewayInput): boolean {
  if (input.oauth_config !== undefined && input.oauth_config !== null) return true;
  if (input.aws_config !== undefined && input.aws_config !== null) return true;
  if (mentionsCertificate(input)) return true;
  return input.auth_type !== undefined || input.env !== undefined || AUTH_FIELDS.some((field) => {
    const value = input[field];
    return value !== undefined && value !== null && value !== MASK;
  });
}

/**
 * The credentials in a request.
 * @param kept the stored credentials, for which a mask stands
 */
export function requestedCredentials(
  input: GatewayInput,
  kept: Credentials | null,
  place: Place,
  by: { readonly deps: Pick<AdminDeps, "secrets">; readonly principal: Principal },
): { credentials: Credentials | null; faults: Fault[] } {
  const { credentials: literal, faults } = place.transport === "STDIO"
    ? requestedOfProgram(input, kept)
    : requestedOfAddress(input, kept, place);
  const { credentials, faults: others } = requestedReferences(literal, kept, { ...by, place });
  const isChange = written(credentials) !== written(kept);
  const refused = isChange && sendsCallersTokens(credentials) && !isOperator(by.principal)
    ? [EXCHANGE_BY_OPERATOR]
    : [];
  return { credentials, faults: [...faults, ...others, ...refused] };
}

function requestedOfAddress(
  input: GatewayInput,
  kept: Credentials | null,
  { transport, url }: Place,
): { credentials: Credentials | null; faults: Fault[] } {
  const { credentials: login, faults } = requestedAuth(input, kept);
  const { certificate, faults: others } = requestedCertificate(input, kept, { transport, url });
  const mismatched = transport !== "WEBSOCKET"
    ? []
    : login?.type === "oauth"
    ? [OAUTH_OVER_HTTP]
    : login?.type === "aws_sigv4"
    ? [SIGNED_OVER_HTTP]
    : [];
  const credentials = certificate === null ? login : { ...login ?? { type: "none" as const }, certificate };
  return { credentials, faults: [...faults, ...others, ...mismatched] };
}

function requestedOfProgram(
  input: GatewayInput,
  kept: Credentials | null,
): { credentials: Credentials | null; faults: Fault[] } {
  const { credentials, faults } = requestedEnvironment(input, kept);
  const silent = input.auth_type === undefined || input.auth_type === null || input.auth_type === "none";
  const stated = [...(silent ? [] : ["auth_type"]), ...IDLE_FIELDS.filter((field) => input[field] != null)];
  const idle = stated.map((field) =>
    fault(["body", field], 'has no effect with transport "STDIO"; pass secrets to the process in env')
  );
  return { credentials, faults: [...faults, ...idle] };
}

function requestedAuth(
  input: GatewayInput,
  kept: Credentials | null,
): { credentials: LoginCredentials | null; faults: Fault[] } {
  // Clients of ContextForge may leave auth_type out.
  const meant = input.oauth_config ? "oauth" : input.aws_config ? "aws_sigv4" : kept?.type;
  const type = input.auth_type === undefined ? meant : input.auth_type;
  const faults: Fault[] = [];
  const given = (
    field: Exclude<typeof AUTH_FIELDS[number], "auth_headers">,
    keptValue: string | undefined,
  ) => {
    const value = input[field] ?? undefined;
    if (value === MASK || (value === undefined && keptValue !== undefined)) {
      if (keptValue !== undefined) return keptValue;
      faults.push(fault(["body", field], "the mask stands for a stored secret, and none is stored"));
    } else if (value === undefined || value === "") {
      faults.push(fault(["body", field], `Field required with auth_type "${type}"`, "missing"));
    }
    return value ?? "";
  };
  const done = (credentials: LoginCredentials | null) => ({
    credentials: faults.length > 0 ? null : credentials,
    faults,
  });
  switch (type) {
    case "basic": {
      const old = kept?.type === "basic" ? kept : undefined;
      const username = given("auth_username", old?.username);
      if (username.includes(":")) faults.push(fault(["body", "auth_username"], 'must not contain a ":"'));
      return done({ type, username, password: given("auth_password", old?.password) });
    }
    case "bearer":
      return done({ type, token: given("auth_token", kept?.type === "bearer" ? kept.token : undefined) });
    case "authheaders":
      return done({ type, headers: requestedHeaders(input, kept, faults) });
    case "query_param": {
      const old = kept?.type === "query_param" ? kept : undefined;
      const key = given("auth_query_param_key", old?.key);
      return done({ type, key, value: given("auth_query_param_value", old?.value) });
    }
    case "oauth":
      return done(requestedOAuth(input.oauth_config, kept, faults));
    case "aws_sigv4":
      return done(requestedAws(input.aws_config, kept, faults));
    default:
      for (const field of AUTH_FIELDS) {
        if (type === undefined && input[field] !== undefined && input[field] !== null) {
          faults.push(fault(["body", field], "has no effect without an auth_type"));
        }
      }
      return done(null);
  }
}

function requestedHeaders(input: GatewayInput, kept: Credentials | null, faults: Fault[]) {
  const old = kept?.type === "authheaders" ? kept.headers : [];
  // Of a repeated name the first one counts.
  const byName = new Map(old.toReversed().map((header) => [header.key.toLowerCase(), header]));
  const { auth_header_key: key, auth_header_value: value } = input;
  const single = key !== undefined && key !== null ? [{ key, value: value ?? "" }] : [];
  const wanted = input.auth_headers ?? (single.length > 0 ? single : old);
  if (wanted.length === 0) {
    faults.push(fault(["body", "auth_headers"], 'Field required with auth_type "authheaders"', "missing"));
  }
  return wanted.map((header, i) => {
    const name = header.key.toLowerCase();
    if (NOT_CREDENTIALS.has(name)) {
      faults.push(
        fault(
          ["body", "auth_headers", i, "key"],
          `"${header.key}" is set by the gateway and cannot be a credential`,
        ),
      );
    }
    if (header.value !== MASK) return header;
    const stored = byName.get(name);
    if (stored === undefined) {
      faults.push(
        fault(
          ["body", "auth_headers", i, "value"],
          "the mask stands for a stored secret, and none is stored",
        ),
      );
    }
    return stored ?? header;
  });
}
