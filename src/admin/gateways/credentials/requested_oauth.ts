// Reads `oauth_config` from a request.
import type {
  ExchangeSettings,
  LoginSettings,
  OAuthCredentials,
} from "../../../upstream/authorization/oauth_credentials.ts";
import type { LoginCredentials } from "../../../upstream/credentials.ts";
import type { OAuthConfig } from "../../rest/credentials/oauth_config.ts";
import { type Fault, fault } from "../../rest/faults.ts";
import { unmasked } from "./masked_secrets.ts";

const LOC = ["body", "oauth_config"] as const;

/**
 * @param kept the stored credentials, for which masks stand. They also stand for the whole field, if the request has none
 * @param faults further ones are added
 */
export function requestedOAuth(
  config: OAuthConfig | null | undefined,
  kept: LoginCredentials | null,
  faults: Fault[],
): OAuthCredentials | null {
  const old = kept?.type === "oauth" ? kept : null;
  if (config === undefined || config === null) {
    if (old === null) faults.push(fault(LOC, 'Field required with auth_type "oauth"', "missing"));
    return old;
  }
  const {
    issuer = null,
    token_url: tokenUrl = null,
    resource = null,
    scopes,
    client_auth: clientAuth = null,
  } = config;
  const isLogin = config.grant_type === "authorization_code";
  faults.push(...idleFields(config));
  const login = requestedLogin(config, faults);
  const exchange = requestedExchange(config, faults);
  const isMoved = old !== null && (old.issuer !== issuer || old.tokenUrl !== tokenUrl);
  const former = isMoved ? "authorization server" : null;
  const secret = (name: "client_secret" | "private_key", value: string | null): string | null =>
    unmasked(config[name], { value, former }, [...LOC, name], faults);
  const clientSecret = secret("client_secret", old?.clientSecret ?? null);
  const privateKey = secret("private_key", old?.privateKey ?? null);
  const hasClient = config.client_id !== undefined && config.client_id !== null;
  if (!hasClient && !isLogin) {
    faults.push(fault([...LOC, "client_id"], "Field required", "missing"));
  }
  if (isLogin && !hasClient && (clientSecret !== null || privateKey !== null || clientAuth !== null)) {
    faults.push(fault([...LOC, "client_id"], "Field required with the credentials of a client", "missing"));
  }
  if (isLogin && clientSecret !== null && privateKey !== null) {
    faults.push(fault([...LOC, "client_secret"], "give client_secret or private_key, and not both"));
  }
  if (!isLogin && (clientSecret === null) === (privateKey === null)) {
    const reason = "give client_secret or private_key, and not both";
    faults.push(fault([...LOC, "client_secret"], reason, clientSecret === null ? "missing" : "value_error"));
  }
  const wantsKey = clientAuth === "private_key_jwt";
  const isPublic = isLogin && clientAuth === "none";
  if (clientAuth !== null && !isPublic && (clientAuth === "none" || wantsKey !== (privateKey !== null))) {
    faults.push(
      fault([...LOC, "client_auth"], `does not fit ${privateKey === null ? "client_secret" : "private_key"}`),
    );
  }
  return {
    type: "oauth",
    grant: config.grant_type ?? "client_credentials",
    clientId: config.client_id ?? "",
    ...{ clientSecret, privateKey, clientAuth, issuer, tokenUrl },
    scopes: scopes ?? [],
    resource,
    ...(login === null ? {} : { login }),
    ...(exchange === null ? {} : { exchange }),
  };
}

/** The fields that only some grants have. */
const FIELDS_OF_GRANTS: Partial<Record<keyof OAuthConfig, readonly OAuthCredentials["grant"][]>> = {
  connection: ["authorization_code"],
  authorization_url: ["authorization_code"],
  authorization_params: ["authorization_code"],
  send_resource: ["authorization_code", "token_exchange"],
  subject_token_type: ["token_exchange"],
  requested_token_type: ["token_exchange"],
  audience: ["token_exchange"],
};

function idleFields(config: OAuthConfig): Fault[] {
  const { grant_type: grant = "client_credentials" } = config;
  const unsent: Fault[] = config.send_resource === false && config.resource
    ? [fault([...LOC, "resource"], "has no effect with send_resource false: leave one of both out")]
    : [];
  const others = Object.entries(FIELDS_OF_GRANTS).flatMap(([name, grants]) => {
    const value = config[name as keyof OAuthConfig];
    if (value === undefined || value === null || grants.includes(grant)) return [];
    const wanted = grants.map((each) => `"${each}"`).join(" or ");
    return [fault([...LOC, name], `has no effect without grant_type ${wanted}`)];
  });
  return [...unsent, ...others];
}

/** null: no tokens are exchanged. @param faults further ones are added */
function requestedExchange(config: OAuthConfig, faults: Fault[]): ExchangeSettings | null {
  if (config.grant_type !== "token_exchange") return null;
  if (!config.issuer && !config.token_url) {
    // An upstream must not name the server that gets the tokens of callers.
    const reason =
      'Field required with grant_type "token_exchange", or token_url: callers\' tokens are sent there';
    faults.push(fault([...LOC, "issuer"], reason, "missing"));
  }
  return {
    subjectTokenType: config.subject_token_type ?? "access_token",
    requestedTokenType: config.requested_token_type ?? null,
    audience: config.audience ?? null,
    sendsResource: config.send_resource ?? true,
  };
}

/** Parameters of an authorization request that the gateway sets itself. */
const OWN_PARAMETERS: ReadonlySet<string> = new Set([
  ...["response_type", "response_mode", "client_id", "redirect_uri", "state", "scope", "resource"],
  ...["code_challenge", "code_challenge_method", "request", "request_uri"],
]);

/** null: people do not log in. @param faults further ones are added */
function requestedLogin(config: OAuthConfig, faults: Fault[]): LoginSettings | null {
  if (config.grant_type !== "authorization_code") return null;
  const parameters = config.authorization_params ?? {};
  for (const name of Object.keys(parameters)) {
    if (OWN_PARAMETERS.has(name)) {
      faults.push(fault([...LOC, "authorization_params", name], "is set by the gateway"));
    }
  }
  const { token_url: tokenUrl, authorization_url: authorizationUrl = null } = config;
  if (tokenUrl && authorizationUrl === null) {
    faults.push(fault([...LOC, "authorization_url"], "Field required with token_url", "missing"));
  }
  return {
    connection: config.connection ?? "user",
    authorizationUrl,
    sendsResource: config.send_resource ?? true,
    parameters,
  };
}
