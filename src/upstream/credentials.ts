// The gateway's credentials for an upstream: their stored form, and the headers and parameters that they add to requests.
import type { OAuthCredentials } from "./authorization/oauth_credentials.ts";
import type { AwsKeys } from "./identity/aws_signature.ts";
import type { ClientCertificate } from "./identity/client_certificate.ts";

/** Kept as JSON text, sealed (store/secret_box.ts). */
export type Credentials = LoginCredentials & {
  /** The certificate of the gateway in TLS. */
  readonly certificate?: ClientCertificate;
  /** The texts have references to secrets (identity/secret_references.ts). Without this mark, all texts are as they are. */
  readonly references?: true;
};

export type LoginCredentials =
  /** Nothing besides a certificate. */
  | { readonly type: "none" }
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  | { readonly type: "bearer"; readonly token: string }
  | {
    readonly type: "authheaders";
    readonly headers: readonly { readonly key: string; readonly value: string }[];
  }
  | { readonly type: "query_param"; readonly key: string; readonly value: string }
  | OAuthCredentials
  /** Keys that sign each request. */
  | { readonly type: "aws_sigv4" } & AwsKeys
  /** Environment variables of an upstream process. */
  | { readonly type: "env"; readonly variables: Readonly<Record<string, string>> };

/** Headers and URL parameters of a request to the upstream. Header names are in lower case. */
export interface UpstreamAuth {
  readonly headers: readonly [name: string, value: string][];
  /** URL parameters, for `query_param`. */
  readonly query: readonly [name: string, value: string][];
}

/** The owner name under which SecretBox seals a gateway's credentials. */
export function credentialsOwner(gatewayId: string): string {
  return `gateway:${gatewayId}`;
}

export function writeCredentials(credentials: Credentials): string {
  return JSON.stringify(credentials);
}

/** @param secret the opened text that `writeCredentials` wrote */
export function readCredentials(secret: string): Credentials {
  return JSON.parse(secret) as Credentials;
}

/**
 * @param authType of the gateway's row
 * @param secret the opened credentials; null: none
 */
export function buildAuthHeaders(authType: string | null, secret: string | null): UpstreamAuth {
  if (authType === null || authType === "none" || secret === null) return { headers: [], query: [] };
  const credentials = readCredentials(secret);
  switch (credentials.type) {
    case "basic": {
      const pair = new TextEncoder().encode(`${credentials.username}:${credentials.password}`);
      return { headers: [["authorization", `Basic ${pair.toBase64()}`]], query: [] };
    }
    case "bearer":
      return { headers: [["authorization", `Bearer ${credentials.token}`]], query: [] };
    case "authheaders":
      return { headers: credentials.headers.map(({ key, value }) => [key.toLowerCase(), value]), query: [] };
    case "query_param":
      return { headers: [], query: [[credentials.key, credentials.value]] };
    case "oauth":
    case "aws_sigv4":
      // The transport's client adds the token, or the signature.
    case "none":
    case "env":
      return { headers: [], query: [] };
  }
}

/** The names and values of the credentials in requests. */
export function authOf(credentials: Credentials): UpstreamAuth {
  return buildAuthHeaders(credentials.type, writeCredentials(credentials));
}

/** The login of an upstream that wants OAuth; null: it has other credentials. */
export function oauthIn(secret: string | null): OAuthCredentials | null {
  const credentials = secret === null ? null : readCredentials(secret);
  return credentials?.type === "oauth" ? credentials : null;
}

/** The keys that sign the requests of an upstream; null: they are not signed. */
export function awsKeysIn(credentials: Credentials | null): AwsKeys | null {
  return credentials?.type === "aws_sigv4" ? credentials : null;
}

/** The environment variables that a process gets in addition to the common ones. */
export function buildEnvironment(secret: string | null): Readonly<Record<string, string>> {
  const credentials = secret === null ? null : readCredentials(secret);
  return credentials?.type === "env" ? credentials.variables : {};
}

/** The URL to call: the registered URL with the credentials' parameters. Must not be logged or shown in errors. */
export function authorizedUrl(url: string, { query }: UpstreamAuth): URL {
  const full = new URL(url);
  for (const [name, value] of query) full.searchParams.set(name, value);
  return full;
}
