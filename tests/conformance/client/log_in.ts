// What the suite's authorization scenarios want done: the suite's server is registered at the gateway, which logs in there as itself,
// or sends a person's browser there, and a tool is called.
import type { PersonBrowser } from "../../support/person_browser.ts";
import type { Sluice } from "../../support/sluice.ts";

/** What the suite tells the command that it starts. */
export interface Task {
  readonly scenario: string;
  readonly revision: string;
  readonly url: string;
  readonly context: Readonly<Record<string, string>>;
}

/** The address that the suite wants a client with a metadata document to be known by. */
const CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json";

/** States of a login that is there. Most of the suite's tokens have an end and no renewal. */
const WELL = ["connected", "expires_soon"];

/** A person who is sent to log in more often has found a loop. */
const MAX_LOGINS = 4;

/** @throws {Error} if there is no way to call the tool */
export async function logIn(
  gateway: Sluice,
  person: PersonBrowser,
  { scenario, revision, url, context }: Task,
): Promise<void> {
  const name = `${scenario.replaceAll(/[^a-z0-9]+/g, "-")}-${revision}`;
  const oauth_config = configOf(scenario, context);
  const { status, body } = await gateway.api("POST", "/gateways", {
    ...{ name, url, transport: "STREAMABLEHTTP", auth_type: "oauth", protocol: revision, oauth_config },
  });
  if (status !== 200) throw new Error(`the upstream is refused: ${JSON.stringify(body)}`);
  try {
    await call(gateway, person, { id: body.id, tool: `${name}-test-tool` });
  } finally {
    await gateway.api("DELETE", `/gateways/${body.id}`);
  }
}

async function call(
  gateway: Sluice,
  person: PersonBrowser,
  { id, tool }: { readonly id: string; readonly tool: string },
): Promise<void> {
  for (let logins = 0; logins <= MAX_LOGINS; logins++) {
    const { body } = await gateway.rpc("tools/call", { name: tool, arguments: {} }, person.token);
    if (body.error === undefined) return;
    const { body: connections } = await gateway.api("GET", "/connections", undefined, person.token);
    const own = connections.find((each: { gateway_id: string }) => each.gateway_id === id);
    // A further login would change nothing.
    if (own === undefined || WELL.includes(own.state)) throw new Error(body.error.message);
    const page = await person.connect(id);
    if (page.status !== 200) {
      throw new Error(/<h1>That did not work<\/h1><p>(.*?)<\/p>/.exec(page.text)?.[1] ?? page.text);
    }
  }
  throw new Error("every call wants a further login");
}

function configOf(
  scenario: string,
  { client_id, client_secret, private_key_pem: private_key }: Task["context"],
): Record<string, unknown> {
  if (scenario.startsWith("auth/client-credentials")) {
    return { grant_type: "client_credentials", client_id, client_secret, private_key };
  }
  const given = scenario === "auth/basic-cimd"
    ? { client_id: CLIENT_DOCUMENT }
    : { client_id, client_secret };
  return { grant_type: "authorization_code", ...given };
}
