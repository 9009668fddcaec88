// Room `authorization`: logs in to upstreams that want OAuth (MCP 2025-11-25, basic/authorization). `UpstreamLogins` makes what
// transports use. This file has what an operator registers.

/** How the gateway proves to an authorization server who it is (OpenID Connect Core 1.0, section 9). */
export const CLIENT_AUTHS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] as const;

/** Whose login an upstream gets by authorization code: that of each user, or one for all callers. */
export const CONNECTIONS = ["user", "shared"] as const;

export const GRANTS = ["client_credentials", "authorization_code", "token_exchange"] as const;

/** Types of tokens in an exchange (RFC 8693, section 3), without their common prefix. */
export const TOKEN_TYPES = ["access_token", "id_token", "jwt"] as const;

export interface OAuthCredentials {
  readonly type: "oauth";
  readonly grant: typeof GRANTS[number];
  /** Empty, with `authorization_code`: the gateway names itself at the authorization server. */
  readonly clientId: string;
  /** null: the client has a private key. */
  readonly clientSecret: string | null;
  /** PKCS #8 as PEM, for `private_key_jwt`. */
  readonly privateKey: string | null;
  /** null: as the authorization server's metadata say. */
  readonly clientAuth: typeof CLIENT_AUTHS[number] | null;
  /** The authorization server; null: the upstream names it. */
  readonly issuer: string | null;
  /** null: in the metadata of the authorization server. */
  readonly tokenUrl: string | null;
  /** Empty: what the upstream asks for. */
  readonly scopes: readonly string[];
  /** RFC 8707; null: the upstream's own name for itself, else its URL. */
  readonly resource: string | null;
  /** What logins of people need besides; absent with another grant. */
  readonly login?: LoginSettings;
  /** What the exchange of callers' tokens needs besides; absent with another grant. */
  readonly exchange?: ExchangeSettings;
}

export interface ExchangeSettings {
  /** As what the caller's token is sent. */
  readonly subjectTokenType: typeof TOKEN_TYPES[number];
  /** null: the authorization server decides. */
  readonly requestedTokenType: typeof TOKEN_TYPES[number] | null;
  /** The authorization server's name for the upstream; null: the resource alone names it. */
  readonly audience: string | null;
  /** false: the authorization server does not accept the parameter `resource`. */
  readonly sendsResource: boolean;
}

export interface LoginSettings {
  readonly connection: typeof CONNECTIONS[number];
  /** null: in the metadata of the authorization server. */
  readonly authorizationUrl: string | null;
  /** false: the authorization server does not accept the parameter `resource`. */
  readonly sendsResource: boolean;
  /** Further parameters of the authorization request. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** The operator has chosen the authorization server: the upstream's metadata are not asked for it. */
export function isServerGiven({ issuer, tokenUrl }: Pick<OAuthCredentials, "issuer" | "tokenUrl">): boolean {
  return issuer !== null || tokenUrl !== null;
}

/**
 * The upstream may name the scopes of tokens: the operator has named none. Where nothing else says which server a caller's token is
 * for, its scopes do, so that an upstream could ask for one of another server.
 */
export function takesScopes({ scopes, exchange }: Pick<OAuthCredentials, "scopes" | "exchange">): boolean {
  return scopes.length === 0 &&
    (exchange === undefined || exchange.sendsResource || exchange.audience !== null);
}
