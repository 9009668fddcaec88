// Mix-up attacks on logins of people at upstreams (RFC 9700, section 4.4): a hostile authorization server has browsers log in at an
// honest one, which does not name itself in its answers, so that the gateway would bring the hostile one the honest one's code.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/free_port.ts";
import { PersonBrowser } from "../support/person_browser.ts";
import { type PersonLoginOptions, PersonLoginUpstream, register } from "../support/person_login_upstream.ts";
import { Sluice } from "../support/sluice.ts";

const START_AGAIN = "Start again";

type Metadata = Record<string, unknown>;

/** The server does not promise to name itself. */
function silent(own: Metadata): Metadata {
  return { ...own, authorization_response_iss_parameter_supported: undefined };
}

Deno.test("No server gets the code of another one", async (t) => {
  const port = freePort();
  const base = `http://127.0.0.1:${port}`;
  await using gateway = await Sluice.start({
    env: { PORT: String(port), GATEWAY_PUBLIC_URL: base, SSRF_ALLOW_LOCALHOST: "true" },
  });
  const ann = await PersonBrowser.make(gateway, "ann@x.example");
  const quiet: PersonLoginOptions = { serverMetadata: silent, answer: (own) => own.delete("iss") };
  await using documents = new PersonLoginUpstream({ ...quiet, takesDocuments: true });
  await using registrations = new PersonLoginUpstream(quiet);
  for (const { issuer } of [documents, registrations]) ann.isAt(issuer, "ann");

  /** How a login ends, in words of the gateway or of the honest server. */
  const ends = (id: string) => ann.connect(id).then(({ text }) => text, String);
  const documentOf = (id: string) => `${base}/oauth/client-metadata/${id}`;
  const leadingTo = (honest: PersonLoginUpstream, request: URLSearchParams, more: Record<string, string>) =>
    `${honest.issuer}/authorize?${new URLSearchParams({ ...Object.fromEntries(request), ...more })}`;

  await t.step("the authorization endpoint of an honest server, for a metadata document", async () => {
    await using evil = new PersonLoginUpstream({
      takesDocuments: true,
      serverMetadata: (own) => silent({ ...own, authorization_endpoint: `${documents.issuer}/authorize` }),
    });
    const { id } = await register(gateway, "names", evil.url);
    assertStringIncludes(await ends(id), "Give issuer in oauth_config");
    assertEquals([documents.authorizations.length, evil.tokenRequests], [0, []]);
  });

  await t.step("a promise to name itself that is taken back during the login", async () => {
    let promises = true;
    await using evil = new PersonLoginUpstream({
      takesDocuments: true,
      serverMetadata: (own) =>
        promises ? own : silent({ ...own, registration_endpoint: `${own.issuer}/register` }),
      sendsOnTo: (request) => {
        promises = false;
        return leadingTo(documents, request, {});
      },
    });
    const { id } = await register(gateway, "promises", evil.url);
    // The registration answers with the id that the login has begun with.
    evil.registersAs = documentOf(id);
    let back = "";
    await ann.browser.open(await ann.begin(id), {
      until: (url) => url.startsWith(`${base}/admin/connections/`) && (back = url) !== "",
    });
    assertEquals([promises, new URL(back).searchParams.has("code")], [false, true]);
    // On both workers, of which one has read the metadata before.
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    const headers = { cookie: ann.browser.cookiesFor(back), accept: "text/html", connection: "close" };
    for (let n = 0; n < 12; n++) {
      assertStringIncludes(await (await fetch(back, { client, headers })).text(), START_AGAIN);
    }
    assertEquals(evil.tokenRequests, []);
  });

  const others = { registers: {}, gives: { client_id: "mine", client_secret: "secretOfTheClient" } };
  for (const [name, config] of Object.entries(others)) {
    await t.step(`the metadata document of an upstream with another client (${name})`, async () => {
      let more: Record<string, string> = {};
      await using evil = new PersonLoginUpstream({
        serverMetadata: silent,
        sendsOnTo: (request) => leadingTo(documents, request, more),
      });
      const { id } = await register(gateway, name, evil.url, config);
      more = { client_id: documentOf(id) };
      evil.registersAs = documentOf(id);
      assertStringIncludes(await ends(id), "the document is of another client");
      const { redirect_uris: [redirect_uri] } = await (await fetch(documentOf(id))).json();
      more = { ...more, redirect_uri };
      const before = documents.authorizations.length;
      assertStringIncludes(await ends(id), START_AGAIN);
      assertEquals([documents.authorizations.length - before, evil.tokenRequests], [1, []]);
    });
  }

  await t.step("the client at the former server of an upstream", async () => {
    let more: Record<string, string> = { client_id: "registered-1" };
    await using evil = new PersonLoginUpstream({
      serverMetadata: silent,
      sendsOnTo: (request) => leadingTo(registrations, request, more),
    });
    let named = registrations.issuer;
    await using turned = new PersonLoginUpstream({ names: () => named });
    const { id } = await register(gateway, "turned", turned.url);
    assertStringIncludes(await ends(id), "Connected.");
    const [former] = registrations.authorizations;
    named = evil.issuer;
    assertStringIncludes(await ends(id), "registered with another redirect URI");
    more = { ...more, redirect_uri: former.get("redirect_uri")! };
    assertStringIncludes(await ends(id), START_AGAIN);
    assertEquals([registrations.authorizations.length, evil.tokenRequests], [2, []]);
  });

  await t.step("honest servers that do not name themselves still have logins", async () => {
    const { id } = await register(gateway, "chosen", documents.url, { issuer: documents.issuer });
    assertStringIncludes(await ends(id), "Connected.");
    assertEquals(documents.authorizations.at(-1)!.get("client_id"), documentOf(id));
    const { id: registered } = await register(gateway, "registered", registrations.url);
    assertStringIncludes(await ends(registered), "Connected.");
  });
});
