// Our own credentials to an upstream: their stored form, and what they add to its requests. The only place that knows both.

/** How we authenticate to an upstream; kept as JSON text, sealed (store/secret_box.ts). */
export type Credentials =
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  | { readonly type: "bearer"; readonly token: string }
  | {
    readonly type: "authheaders";
    readonly headers: readonly { readonly key: string; readonly value: string }[];
  }
  | { readonly type: "query_param"; readonly key: string; readonly value: string }
  /** Environment variables of an upstream that is started as a process. */
  | { readonly type: "env"; readonly variables: Readonly<Record<string, string>> };

/** What a request to the upstream carries. Header names are in lower case. */
export interface UpstreamAuth {
  readonly headers: readonly [name: string, value: string][];
  /** URL parameters, for query_param. */
  readonly query: readonly [name: string, value: string][];
}

/** Who the sealed credentials of a gateway belong to, for SecretBox. */
export function credentialsOwner(gatewayId: string): string {
  return `gateway:${gatewayId}`;
}

export function writeCredentials(credentials: Credentials): string {
  return JSON.stringify(credentials);
}

/** @param secret what `writeCredentials` wrote, opened */
export function readCredentials(secret: string): Credentials {
  return JSON.parse(secret) as Credentials;
}

/**
 * @param authType of the gateway's row
 * @param secret its credentials, opened; null where there are none
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
    case "env":
      return { headers: [], query: [] };
  }
}

/** The variables that a process is started with, besides what every process gets. */
export function buildEnvironment(secret: string | null): Readonly<Record<string, string>> {
  const credentials = secret === null ? null : readCredentials(secret);
  return credentials?.type === "env" ? credentials.variables : {};
}

/** The URL to call: the registered one with the credentials' parameters. Not for logs or error texts. */
export function authorizedUrl(url: string, { query }: UpstreamAuth): URL {
  const full = new URL(url);
  for (const [name, value] of query) full.searchParams.set(name, value);
  return full;
}
