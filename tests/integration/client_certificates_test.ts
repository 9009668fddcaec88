// Upstreams that want a certificate of the gateway in TLS: over HTTP/1.1, HTTP/2 and SSE, each with its own and nobody else's.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startCertifiedUpstream } from "../support/certified_upstream.ts";
import { makeAuthority } from "../support/client_authority.ts";
import { post, toolCall } from "../support/mcp_post.ts";
import { waitFor } from "../support/wait_for.ts";
import { Sluice } from "../support/sluice.ts";

/** A server that closes its connection with data unread resets it, and the alert with its reason can be lost. */
const WITHOUT_CERTIFICATE =
  /client_cert and client_key \(PEM\)|ended during the TLS handshake|closed the connection/;

Deno.test("An upstream that wants a client certificate gets its own, over every version of HTTP", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_mtls_" });
  const [servers, clients, others] = [
    await makeAuthority(folder, "servers"),
    await makeAuthority(folder, "clients"),
    await makeAuthority(folder, "others"),
  ];
  const own = await servers.issue("server");
  const [alice, bob, carol, mallory] = [
    await clients.issue("alice"),
    await clients.issue("bob"),
    await clients.issue("carol"),
    await others.issue("mallory"),
  ];
  await using upstream = await startCertifiedUpstream(own, clients);
  await using older = await startCertifiedUpstream(own, clients, "TLSv1.2");
  const { origin } = upstream;

  for (const http2 of ["false", "true"]) {
    await using sluice = await Sluice.start({
      env: { HTTP_CLIENT_HTTP2_ENABLED: http2, SECRETS_DIRECTORY: folder },
    });
    const api = sluice.api.bind(sluice);
    const whoami = async (name: string): Promise<string> =>
      (await post(sluice, toolCall(`${name}-whoami`), { path: "/rpc" })).body.result?.content[0].text;
    const body = (name: string, pair: { cert: string; key: string }, rest: Record<string, unknown> = {}) => ({
      ...{ name, url: `${origin}/mcp`, ca_certificate: servers.cert },
      ...{ client_cert: pair.cert, client_key: pair.key, ...rest },
    });
    const version = http2 === "true" ? "2.0" : "1.1";

    await t.step(`each upstream has its own connections, HTTP/2 offered: ${http2}`, async () => {
      const sse = { url: `${origin}/sse`, transport: "SSE" };
      for (const [name, pair, rest] of [["alice", alice, {}], ["bob", bob, {}], ["sse", bob, sse]] as const) {
        const { status, body: made } = await api("POST", "/gateways", body(name, pair, rest));
        assertEquals([status, made.clientCert, made.clientKey, made.authType], [
          200,
          pair.cert,
          "*****",
          null,
        ], JSON.stringify(made));
      }
      for (let i = 0; i < 4; i++) {
        for (const [name, who] of [["alice", "alice"], ["bob", "bob"], ["sse", "bob"]] as const) {
          assertEquals((await whoami(name)).split(" ").slice(0, 2), [who, version], name);
        }
      }
    });

    await t.step(`a pair can be changed, kept and removed, HTTP/2 offered: ${http2}`, async () => {
      const path = "/gateways/alice";
      const changed = await api("PUT", path, { client_cert: carol.cert, client_key: carol.key });
      assertEquals([changed.status, (await whoami("alice")).split(" ")[0]], [200, "carol"]);
      // What was read can be sent back, and a token comes besides.
      const again = { client_cert: carol.cert, client_key: "*****", auth_type: "bearer", auth_token: "t" };
      const { body: kept } = await api("PUT", path, again);
      assertEquals([kept.authType, kept.clientKey, (await whoami("alice")).split(" ")[0]], [
        "bearer",
        "*****",
        "carol",
      ]);
      const removed = await api("PUT", path, { client_cert: null });
      assertEquals(removed.status, 502);
      assertMatch(removed.body.detail, WITHOUT_CERTIFICATE);
    });

    await t.step(`a pair in files is read again at SIGHUP, HTTP/2 offered: ${http2}`, async () => {
      const put = async ({ cert, key }: { cert: string; key: string }) => {
        await Deno.writeTextFile(`${folder}/tls.crt`, cert);
        await Deno.writeTextFile(`${folder}/tls.key`, key);
      };
      await put(bob);
      const files = { cert: "${file:tls.crt}", key: "${file:tls.key}" };
      const { status, body: made } = await api("POST", "/gateways", body("files", files));
      assertEquals([status, made.clientCert], [200, files.cert], JSON.stringify(made));
      assertEquals((await whoami("files")).split(" ")[0], "bob");
      await put(carol);
      Deno.kill(sluice.pid, "SIGHUP");
      await waitFor(async () => (await whoami("files")).split(" ")[0] === "carol", { what: "the new pair" });
      await put({ ...carol, key: bob.key });
      const { body: { detail } } = await api(
        "POST",
        "/gateways",
        body("mixed", files, { url: `${origin}/mcp?mixed` }),
      );
      assertStringIncludes(detail, "client_key of its registration does not belong to client_cert");
    });

    await t.step(`a refusal says what to do, HTTP/2 offered: ${http2}`, async () => {
      for (const url of [`${origin}/mcp`, `${older.origin}/mcp`]) {
        const none = await api("POST", "/gateways", { name: "none", url, ca_certificate: servers.cert });
        assertEquals(none.status, 502);
        assertMatch(none.body.detail, WITHOUT_CERTIFICATE, url);
        const stranger = await api("POST", "/gateways", body("stranger", mallory, { url }));
        assertEquals(stranger.status, 502, JSON.stringify(stranger.body));
      }
      const faults = async (given: Record<string, unknown>) => {
        const { status, body: { detail } } = await api("POST", "/gateways", {
          ...body("odd", alice),
          ...given,
        });
        assertEquals(status, 422, JSON.stringify(detail));
        return detail.map(({ loc, msg }: { loc: string[]; msg: string }) => `${loc[1]}: ${msg}`).join("; ");
      };
      assertEquals(await faults({ client_key: bob.key }), "client_key: does not belong to client_cert");
      assertStringIncludes(await faults({ client_cert: alice.cert + alice.key }), "has a private key");
      assertEquals(await faults({ client_key: null }), "client_key: Field required with client_cert");
      assertStringIncludes(await faults({ url: "http://127.0.0.1:1/mcp" }), "needs an https address");
      assertStringIncludes(
        await faults({ url: "wss://127.0.0.1:1/mcp", transport: "WEBSOCKET" }),
        "needs transport",
      );
    });
    const text = [...sluice.stdout.lines, ...sluice.stderr.lines].join("\n");
    assertEquals(text.includes("PRIVATE KEY"), false);
  }
  await Deno.remove(folder, { recursive: true });
});
