// An identity provider in memory, whose answers a test changes at will.
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { FakeClock } from "./fake_clock.ts";
import { ProviderClient, type SendToProvider } from "../../src/auth/sso/provider.ts";
import type { SsoProvider } from "../../src/config/sso_providers.ts";

export const ISSUER = "https://idp.example";

export const PROVIDER: SsoProvider = {
  id: "main",
  display_name: "Main",
  issuer: ISSUER,
  client_id: "sluice",
  client_secret: "secret of the client",
  client_auth: null,
  scope: "openid email",
  endpoints: {},
  post_logout_redirect_uri: null,
  algorithms: ["RS256", "ES256"],
  allow_http: false,
  email_claim: "email",
  trust_email: false,
  groups_claim: ["groups"],
  teams: {},
  roles: {},
  admin_groups: [],
  admin_domains: [],
  default_role: null,
  create_users: true,
  trusted_domains: [],
  link_accounts: false,
};

export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Made once: it takes a third of a second. */
let pair: ReturnType<typeof generateKeyPair> | undefined;

export async function lyingProvider(rules: Partial<SsoProvider> = {}) {
  const clock = new FakeClock();
  const { privateKey, publicKey } = await (pair ??= generateKeyPair("RS256", { extractable: true }));
  const jwk = { ...await exportJWK(publicKey), kid: "1", alg: "RS256", use: "sig" };
  const now = () => Math.floor(clock.now() / 1000);
  const sign = (claims: JWTPayload, header = { alg: "RS256", kid: "1" }) =>
    new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
  const sent: Sent[] = [];
  const lies = {
    metadata: {} as Record<string, unknown>,
    claims: {} as JWTPayload,
    /** In place of the signed token. */
    idToken: null as null | ((claims: JWTPayload) => Promise<string>),
    keys: [jwk] as unknown[],
    userInfo: { sub: "17" } as Record<string, unknown>,
    /** In place of an answer, by the path. */
    answers: {} as Record<string, () => { status?: number; contentType?: string; text?: string }>,
  };
  let nonce = "";
  const bodyAt = async (path: string): Promise<unknown> => {
    switch (path) {
      case "/.well-known/openid-configuration":
        return {
          issuer: ISSUER,
          authorization_endpoint: `${ISSUER}/auth`,
          token_endpoint: `${ISSUER}/token`,
          userinfo_endpoint: `${ISSUER}/me`,
          jwks_uri: `${ISSUER}/keys`,
          end_session_endpoint: `${ISSUER}/end`,
          id_token_signing_alg_values_supported: ["none", "HS256", "RS256"],
          ...lies.metadata,
        };
      case "/token": {
        const claims = {
          ...{ iss: ISSUER, aud: "sluice", sub: "17", nonce, iat: now(), exp: now() + 300 },
          ...{ email: "ann@x.org", email_verified: true, groups: [] },
          ...lies.claims,
        };
        const idToken = await (lies.idToken ?? sign)(claims);
        return { access_token: "access", token_type: "Bearer", id_token: idToken };
      }
      case "/keys":
        return { keys: lies.keys };
      case "/me":
        return lies.userInfo;
    }
  };
  const send: SendToProvider = async ({ method, url, headers, body }) => {
    sent.push({ method, url: url.href, headers: Object.fromEntries(headers), body });
    const lie = lies.answers[url.pathname]?.();
    return {
      status: lie?.status ?? 200,
      contentType: lie?.contentType ?? "application/json",
      text: lie?.text ?? JSON.stringify(await bodyAt(url.pathname)),
    };
  };
  const client = new ProviderClient({
    provider: { ...PROVIDER, ...rules },
    send,
    clock,
    log: { debug() {}, info() {}, warning() {}, error() {}, with: () => null! },
    countKeysRead: () => {},
    ttlMs: 3_600_000,
    graceMs: 3_600_000,
  });
  /** Signs in, with the answer that `change` makes of the provider's. */
  const signIn = async (change: (answer: URLSearchParams) => void = () => {}) => {
    const binding = await client.bind("https://gateway.example/auth/sso/callback/main");
    nonce = binding.nonce;
    const answer = new URLSearchParams({ code: "code", state: binding.state });
    change(answer);
    return await client.identify(answer, binding);
  };
  return { client, lies, sent, sign, signIn, clock, now, privateKey, jwk };
}
