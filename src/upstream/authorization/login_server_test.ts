import { assertEquals, assertRejects } from "@std/assert";
import { readChallenge } from "./bearer_challenge.ts";
import type { LoginExchange } from "./login_exchange.ts";
import { LoginFault } from "./login_fault.ts";
import { findServer, isSameIssuer, namedServers } from "./login_server.ts";

const URL_OF_UPSTREAM = new URL("https://u/mcp");
const NOBODY = readChallenge(null);
const FOUND = { issuer: null, tokenUrl: null, resource: null };

/** @param documents JSON by address; every other address has nothing */
function exchange(documents: Readonly<Record<string, unknown>>): LoginExchange {
  return {
    ...{ caCertificate: undefined, allowsHttp: false },
    send: ({ url }) => {
      const document = documents[url.href];
      const text = JSON.stringify(document ?? null);
      return Promise.resolve({ status: document === undefined ? 404 : 200, contentType: null, text });
    },
  };
}

Deno.test("findServer() takes the default paths of an upstream without metadata, but not for a given client", async () => {
  const found = await findServer(exchange({}), URL_OF_UPSTREAM, { ...FOUND, clientId: "" }, NOBODY);
  assertEquals(found, {
    server: {
      issuer: "https://u",
      authorization_endpoint: "https://u/authorize",
      token_endpoint: "https://u/token",
      registration_endpoint: "https://u/register",
      code_challenge_methods_supported: ["S256"],
    },
    resource: "https://u/mcp",
    scopes: null,
  });
  await assertRejects(
    () => findServer(exchange({}), URL_OF_UPSTREAM, { ...FOUND, clientId: "mine" }, NOBODY),
    LoginFault,
    "Give token_url",
  );
  // Metadata of the upstream that lead nowhere are no reason to guess.
  const metadata = { resource: "https://u/mcp", authorization_servers: ["https://as"] };
  const named = exchange({ "https://u/.well-known/oauth-protected-resource/mcp": metadata });
  await assertRejects(
    () => findServer(named, URL_OF_UPSTREAM, { ...FOUND, clientId: "" }, NOBODY),
    LoginFault,
    "has no metadata",
  );
});

Deno.test("namedServers() has all servers that the upstream names, if it names any", async () => {
  const naming = exchange({
    "https://u/.well-known/oauth-protected-resource": {
      resource: "https://u",
      authorization_servers: ["https://other", "https://as/"],
    },
  });
  assertEquals(await namedServers(naming, URL_OF_UPSTREAM, NOBODY), ["https://other", "https://as/"]);
  assertEquals(await namedServers(exchange({}), URL_OF_UPSTREAM, NOBODY), null);
  assertEquals([isSameIssuer("https://as/", "https://as"), isSameIssuer("https://as", "https://at")], [
    true,
    false,
  ]);
});
