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
  readCredentials,
  writeCredentials,
} from "../../upstream/credentials.ts";
import type { AdminDeps, DiscoverTarget } from "../rest/deps.ts";
import { type Fault, fault } from "../rest/faults.ts";
import { AUTH_FIELDS } from "./credentials/auth_fields.ts";
import { requestedAuth } from "./credentials/requested_auth.ts";
import { mentionsCertificate, requestedCertificate } from "./credentials/requested_certificate.ts";
import { requestedEnvironment } from "./credentials/requested_environment.ts";
import { requestedReferences } from "./credentials/requested_references.ts";
import type { Place } from "./gateway_place.ts";
import { type GatewayInput, MASK } from "../rest/schemas.ts";
import type { ShownCredentials } from "../rest/shapes.ts";

/** Fields that a process does not receive. */
const IDLE_FIELDS = [...AUTH_FIELDS, "client_cert", "client_key"] as const;

const OAUTH_OVER_HTTP = fault(
  ["body", "auth_type"],
  '"oauth" needs transport "STREAMABLEHTTP" or "SSE": a WebSocket cannot be asked again with another token',
);

const SIGNED_OVER_HTTP = fault(
  ["body", "auth_type"],
  '"aws_sigv4" needs transport "STREAMABLEHTTP" or "SSE": the messages of a WebSocket are not signed',
);

/** A caller who names the authorization server could have the tokens of others sent to it. */
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
  const { credentials, faults: others } = requestedReferences(literal, kept, by);
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
