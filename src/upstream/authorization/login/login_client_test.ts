import { assertEquals, assertRejects } from "@std/assert";
import { createSecretBox } from "../../../store/secret_box.ts";
import type { ClientKey, Connections } from "../../../store/upstream_tokens/connections.ts";
import type { LoginExchange } from "../login_exchange.ts";
import { LoginFault } from "../login_fault.ts";
import type { LoginServer } from "../login_server.ts";
import type { OAuthCredentials } from "../oauth_credentials.ts";
import { clientDocument, LoginClients } from "./login_client.ts";

const NOBODY: OAuthCredentials = {
  ...{ type: "oauth", grant: "authorization_code", clientId: "", clientSecret: null, privateKey: null },
  ...{ clientAuth: null, issuer: null, tokenUrl: null, scopes: [], resource: null },
};
const GIVEN: OAuthCredentials = { ...NOBODY, clientId: "mine", clientSecret: "a secret" };
const TARGET = { gatewayId: "g", version: "1" };
const PLAIN = { redirectUri: "http://gw/cb", metadataUrl: "http://gw/document" };
const SECURE = { redirectUri: "https://gw/cb", metadataUrl: "https://gw/document" };

function serverAt(issuer: string, more: Partial<LoginServer> = {}): LoginServer {
  return { issuer, token_endpoint: `${issuer}/token`, ...more };
}

async function setUp() {
  const rows = new Map<string, string>();
  const keyOf = ({ gatewayId, version }: ClientKey) => `${gatewayId} ${version}`;
  const connections: Pick<Connections, "client" | "addClient" | "forgetClient" | "countClients"> = {
    client: (key) => Promise.resolve(rows.get(keyOf(key)) ?? null),
    addClient: (key, sealed) => {
      if (!rows.has(keyOf(key))) rows.set(keyOf(key), sealed);
      return Promise.resolve(rows.get(keyOf(key))!);
    },
    forgetClient: (key) => Promise.resolve(void rows.delete(keyOf(key))),
    countClients: () => Promise.resolve(rows.size),
  };
  const registered: string[] = [];
  const exchange: LoginExchange = {
    ...{ caCertificate: undefined, allowsHttp: false },
    send: ({ body }) => {
      registered.push(JSON.parse(body!).application_type);
      const text = JSON.stringify({ client_id: `registered-${registered.length}` });
      return Promise.resolve({ status: 201, contentType: "application/json", text });
    },
  };
  const secretBox = await createSecretBox("a secret of the test that is long enough");
  const clients = new LoginClients({ connections: connections as Connections, secretBox });
  return { clients, exchange, registered, rows };
}

Deno.test("LoginClients: a document needs an https address, unless nothing else is offered", async () => {
  const { clients, exchange, registered } = await setUp();
  const documents = {
    client_id_metadata_document_supported: true,
    authorization_response_iss_parameter_supported: true,
  };
  const both = serverAt("https://as", { ...documents, registration_endpoint: "https://as/register" });
  const idAt = async (server: LoginServer, addresses: typeof PLAIN) =>
    (await clients.of(exchange, TARGET, NOBODY, server, addresses)).client.clientId;
  assertEquals(await idAt(both, SECURE), SECURE.metadataUrl);
  assertEquals(await idAt(both, PLAIN), "registered-1");
  assertEquals(await idAt(serverAt("https://other", documents), PLAIN), PLAIN.metadataUrl);
  const local = { redirectUri: "http://127.0.0.1:4444/cb", metadataUrl: "http://127.0.0.1:4444/document" };
  assertEquals(await idAt(both, local), "registered-2");
  assertEquals(registered, ["web", "native"]);
});

Deno.test("LoginClients: a given client belongs to the server that has accepted it", async () => {
  const { clients, exchange, rows } = await setUp();
  const [home, other] = [serverAt("https://as"), serverAt("https://other")];
  const of = async (given: OAuthCredentials, server: LoginServer, version = "1") =>
    (await clients.of(exchange, { ...TARGET, version }, given, server, SECURE)).client.clientId;
  // A server that has not accepted it yet may be a mistake.
  assertEquals([await of(GIVEN, other), await of(GIVEN, home)], ["mine", "mine"]);
  await clients.accepted(TARGET, GIVEN, home);
  assertEquals(await of(GIVEN, home), "mine");
  await assertRejects(() => of(GIVEN, other), LoginFault, "Give issuer");
  // The operator's choice, and new credentials.
  assertEquals(await of({ ...GIVEN, issuer: "https://other" }, other), "mine");
  assertEquals(await of(GIVEN, other, "2"), "mine");
  await clients.accepted({ ...TARGET, version: "2" }, GIVEN, other);
  await assertRejects(() => of(GIVEN, home, "2"), LoginFault, "Give issuer");
  assertEquals(rows.size, 1);
  // A document is the same everywhere.
  const document = { ...NOBODY, clientId: "https://gw.example/client.json" };
  await clients.accepted(TARGET, document, home);
  const named = serverAt("https://other", { authorization_response_iss_parameter_supported: true });
  assertEquals(await of(document, named), document.clientId);
  await assertRejects(() => of(document, other), LoginFault, "Give issuer");
  assertEquals(await of({ ...document, issuer: "https://other" }, other), document.clientId);
});

Deno.test("LoginClients: each kind of client, and each issuer, has a redirect URI of its own", async () => {
  const { clients, exchange } = await setUp();
  const flags = { client_id_metadata_document_supported: true };
  const registering = (issuer: string) =>
    serverAt(issuer, { ...flags, registration_endpoint: `${issuer}/register` });
  const of = (given: OAuthCredentials, server: LoginServer) =>
    clients.of(exchange, TARGET, given, server, SECURE);
  const { redirect_uris: documented } = clientDocument(SECURE.metadataUrl, SECURE.redirectUri);
  // A server that does not promise `iss` gets no metadata document, unless the operator has chosen it.
  const first = await of(NOBODY, registering("https://as"));
  const second = await of(NOBODY, registering("https://other"));
  assertEquals([first.client.clientId, second.client.clientId], ["registered-1", "registered-2"]);
  const chosen = await of({ ...NOBODY, issuer: "https://as" }, registering("https://as"));
  assertEquals([chosen.client.clientId, [chosen.redirectUri]], [SECURE.metadataUrl, documented]);
  await assertRejects(() => of(NOBODY, serverAt("https://as", flags)), LoginFault, "Give issuer");
  const given = await of(GIVEN, serverAt("https://as"));
  assertEquals(given.redirectUri, SECURE.redirectUri);
  const uris = [first, second, chosen, given].map(({ redirectUri }) => redirectUri);
  assertEquals(new Set(uris).size, 4);
  assertEquals((await of(NOBODY, registering("https://as"))).redirectUri, first.redirectUri);
});

Deno.test("LoginClients: issuers count against the limit of clients, and the error says so", async () => {
  const { clients, exchange, registered } = await setUp();
  const addresses = { ...SECURE, metadataUrl: null };
  const at = (n: number) => {
    const server = serverAt(`https://as${n}`, { registration_endpoint: `https://as${n}/register` });
    return clients.of(exchange, TARGET, NOBODY, server, addresses);
  };
  for (let n = 0; n < 8; n++) await at(n);
  await assertRejects(() => at(8), LoginFault, "one for each authorization server and address");
  assertEquals((await at(0)).client.clientId, "registered-1");
  assertEquals(registered.length, 8);
});
