// A real identity provider, `oidc-provider` from npm, as a process: node oidc_provider.mjs MODULE '{"port":…,"clients":[…],"accounts":{…}}'.
// Its own interaction pages sign people in: the login is the account's name, with any password. POST /test/accounts replaces accounts.
import { createServer } from "node:http";

const [, , module, options] = process.argv;
const { default: Provider } = await import(module);
const { port, clients, accounts, takesRegistrations = false } = JSON.parse(options);
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
      getResourceServerInfo: () => ({ scope: "tools", accessTokenFormat: "opaque", accessTokenTTL: 600 }),
    },
  },
  // Its own guard refuses loopback addresses, where the gateway of the test is.
  fetch: (url, { dispatcher: _guard, ...options }) => fetch(url, options),
  scopes: ["openid", "offline_access", "tools"],
  pkce: { required: () => true },
  ttl: { Session: 600, Grant: 600, Interaction: 600, AccessToken: 600, IdToken: 600 },
  findAccount: (_context, sub) =>
    accounts[sub] && { accountId: sub, claims: () => ({ sub, ...accounts[sub] }) },
});

const serve = provider.callback();
createServer(async (request, response) => {
  if (request.method !== "POST" || request.url !== "/test/accounts") return serve(request, response);
  const parts = [];
  for await (const part of request) parts.push(part);
  Object.assign(accounts, JSON.parse(Buffer.concat(parts).toString()));
  response.end();
}).listen(port, "127.0.0.1", () => console.log(`listening on ${issuer}`));
