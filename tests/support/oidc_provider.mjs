// A real identity provider, `oidc-provider` from npm, as a process: node oidc_provider.mjs MODULE '{"port":…,"clients":[…],"accounts":{…}}'.
// Its own interaction pages sign people in: the login is the account's name, with any password.
//
// POST /test/accounts replaces accounts. POST /test/token gives an account a token for the audience "gateway". Such tokens can be
// exchanged (RFC 8693), in the way that the documentation of `oidc-provider` shows. POST /test/facts says what an access token is for.
// GET /test/grants has what the token endpoint was asked. POST /test/hold has its answers wait, and POST /test/let-go sends them.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [, , module, options] = process.argv;
const { default: Provider, errors } = await import(module);
const { default: MemoryAdapter } = await import(new URL("adapters/memory_adapter.js", `file://${module}`));
const jose = await import(createRequire(module).resolve("jose"));
const { port, clients, accounts, takesRegistrations = false, signsAccessTokens = false, accessTokenS = 600 } =
  JSON.parse(options);
const issuer = `http://127.0.0.1:${port}`;
const store = new Map();

const provider = new Provider(issuer, {
  clients,
  // The adapter's own store forgets all but the latest thousand records.
  adapter: (model) => new MemoryAdapter(model, store),
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
        ...{ scope: "tools", audience: resource },
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
  // A refresh token that comes twice ends the grant.
  rotateRefreshToken: true,
  ttl: { Session: 600, Grant: 600, Interaction: 600, AccessToken: accessTokenS, IdToken: 600 },
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

const grants = [];
const note = ({ oidc: { params, entities } }, error) =>
  grants.push({
    ...{ kind: params?.grant_type, refreshToken: params?.refresh_token ?? null, error: error ?? null },
    person: entities.Account?.accountId ?? entities.RefreshToken?.accountId ?? null,
  });
provider.on("grant.success", (context) => note(context));
provider.on(
  "grant.error",
  (context, error) => note(context, `${error.message}: ${error.error_detail ?? ""}`),
);

/** Access tokens, by their value. */
const issued = new Map();
provider.on(
  "access_token.saved",
  ({ jti, accountId, aud, exp }) => issued.set(jti, { person: accountId, resource: aud, exp }),
);

let isHolding = false;
const held = [];
const commands = {
  "POST /test/accounts": (text) => void Object.assign(accounts, JSON.parse(text)),
  "POST /test/token": async (text) => {
    const { client_id, account } = JSON.parse(text);
    return (await accessToken(await provider.Client.find(client_id), account, "gateway", "jwt")).value;
  },
  "POST /test/facts": (text) => issued.get(text),
  "GET /test/grants": () => ({ grants, held: held.length }),
  "POST /test/hold": () => void (isHolding = true),
  "POST /test/let-go": () => {
    isHolding = false;
    for (const send of held.splice(0)) send();
  },
};

const serve = provider.callback();
const server = createServer(async (request, response) => {
  const command = commands[`${request.method} ${request.url}`];
  if (command === undefined) {
    if (isHolding && request.url === "/token") {
      const end = response.end.bind(response);
      response.end = (...sent) => isHolding ? held.push(() => end(...sent)) : end(...sent);
    }
    return serve(request, response);
  }
  const parts = [];
  for await (const part of request) parts.push(part);
  const answer = await command(Buffer.concat(parts).toString());
  response.end(typeof answer === "string" ? answer : JSON.stringify(answer ?? null));
});
// Clients would have to expect that it closes an idle connection in the moment of a request.
server.keepAliveTimeout = 0;
server.listen(port, "127.0.0.1", () => console.log(`listening on ${issuer}`));
