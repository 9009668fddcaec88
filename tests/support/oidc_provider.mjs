// A real identity provider, `oidc-provider` from npm, as a process: node oidc_provider.mjs MODULE '{"port":…,"clients":[…],"accounts":{…}}'.
// Its own interaction pages sign people in: the login is the account's name, with any password. POST /test/accounts replaces accounts.
// POST /test/token gives an account a token for the audience "gateway". Such tokens can be exchanged (RFC 8693), in the way that the
// documentation of `oidc-provider` shows.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [, , module, options] = process.argv;
const { default: Provider, errors } = await import(module);
const jose = await import(createRequire(module).resolve("jose"));
const { port, clients, accounts, takesRegistrations = false, signsAccessTokens = false } = JSON.parse(
  options,
);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients,
  cookies: { keys: ["of the test"] },
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    profile: ["name"],
    groups: ["groups", "realm_access", "_claim_names"],
  },
  features: {
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    registration: { enabled: takesRegistrations },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        ...{ scope: "tools", audience: resource, accessTokenTTL: 600 },
        ...(signsAccessTokens ? { accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } } : {
          accessTokenFormat: "opaque",
        }),
      }),
    },
  },
  // Its own guard refuses loopback addresses, where the gateway of the test is.
  fetch: (url, { dispatcher: _guard, ...options }) => fetch(url, options),
  // Programs read the person from the token itself.
  extraTokenClaims: (_context, { accountId }) => signsAccessTokens ? accounts[accountId] : undefined,
  scopes: ["openid", "offline_access", "tools"],
  pkce: { required: () => true },
  ttl: { Session: 600, Grant: 600, Interaction: 600, AccessToken: 600, IdToken: 600 },
  findAccount: (_context, sub) =>
    accounts[sub] && { accountId: sub, claims: () => ({ sub, ...accounts[sub] }) },
});

/** A token of an account for a resource. */
async function accessToken(client, accountId, resource, accessTokenFormat) {
  const grant = new provider.Grant({ accountId, clientId: client.clientId });
  grant.addResourceScope(resource, "tools");
  const token = new provider.AccessToken({
    ...{ accountId, client, grantId: await grant.save(), gty: "token-exchange", scope: "tools" },
  });
  const server = { scope: "tools", accessTokenFormat, accessTokenTTL: 600 };
  token.resourceServer = new provider.ResourceServer(resource, server);
  return { value: await token.save(), token };
}

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
provider.registerGrantType(EXCHANGE, async (context) => {
  const { client, params } = context.oidc;
  const keys = jose.createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const { payload } = await jose.jwtVerify(params.subject_token, keys, { issuer, audience: "gateway" }).catch(
    () => {
      throw new errors.InvalidGrant("the subject token is not known");
    },
  );
  if (accounts[payload.sub]?.exchanges === false) throw new errors.InvalidTarget();
  const { value, token } = await accessToken(client, payload.sub, params.resource, "opaque");
  context.body = {
    access_token: value,
    issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
    ...{ token_type: token.tokenType, expires_in: token.expiration, scope: token.scope },
  };
}, ["resource", "scope", "requested_token_type", "subject_token", "subject_token_type"]);

const serve = provider.callback();
createServer(async (request, response) => {
  if (request.method !== "POST" || !request.url.startsWith("/test/")) return serve(request, response);
  const parts = [];
  for await (const part of request) parts.push(part);
  const given = JSON.parse(Buffer.concat(parts).toString());
  if (request.url === "/test/accounts") return response.end(String(Object.assign(accounts, given)));
  const client = await provider.Client.find(given.client_id);
  response.end((await accessToken(client, given.account, "gateway", "jwt")).value);
}).listen(port, "127.0.0.1", () => console.log(`listening on ${issuer}`));
