// `sluice doctor --upstream` with real MCP servers, and with servers that are sick in one way each.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { waitFor } from "../support/wait_for.ts";
import { examineUpstream } from "../../src/cli/doctor/upstream/upstream_steps.ts";
import { exitCodeOfSteps, upstreamText } from "../../src/cli/doctor/upstream/upstream_report.ts";
import { loadConfig } from "../../src/config/load.ts";
import { follow, runCli } from "../support/cli.ts";
import { freePort } from "../support/free_port.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { openssl } from "../support/self_signed.ts";
import { type Fault, startSick } from "../support/sick_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { startEverything } from "../support/upstream_everything.ts";
import { serveWebSocket } from "../support/websocket_peer.ts";

interface Given {
  readonly headers?: readonly (readonly [string, string])[];
  readonly ca?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

async function examined(url: string, { headers = [], ca, settings = {} }: Given = {}) {
  const { config } = loadConfig({
    environment: { SSRF_ALLOW_LOCALHOST: "true", ...settings },
    dotEnv: null,
    dev: false,
    overrides: {},
    cores: 1,
  });
  const target = { url: new URL(url), headers, caCertificate: ca ?? null };
  const report = await examineUpstream(target, config);
  return {
    ...report,
    text: upstreamText(report, target, "up"),
    words: upstreamText(report, target, "up").replace(/\s+/g, " "),
    outcomes: report.steps.map(({ name, outcome }) => `${name} ${outcome}`),
    code: exitCodeOfSteps(report.steps),
  };
}

const REACHED = ["DNS works", "settings works", "TCP works"];

Deno.test("`sluice doctor --upstream` describes servers of both kinds of revisions, and what they keep", async () => {
  await using everything = await startEverything();
  const both = await examined(everything.url);
  assertEquals([both.outcomes, both.code], [[...REACHED, "HTTP works", "MCP works"], 0], both.text);
  assertEquals(both.registration, { transport: "STREAMABLEHTTP", stateful: true });
  assertStringIncludes(both.text, "It opens a session (Mcp-Session-Id).");
  assertStringIncludes(both.text, "mcp-servers/everything");
  assertStringIncludes(both.text, '"transport":"STREAMABLEHTTP"');

  await using sse = await startEverything({ transport: "sse" });
  const older = await examined(sse.url);
  assertEquals([older.outcomes, older.code], [[...REACHED, "HTTP attention", "MCP works"], 1], older.text);
  assertEquals(older.registration, { transport: "SSE", stateful: true });
  assertStringIncludes(older.words, "over the older SSE transport");
  assertStringIncludes(older.text, '"type": "sse"');

  await using counter = CounterUpstream.start();
  assertEquals((await examined(counter.url)).registration?.stateful, true);
  // The examination leaves no session behind.
  await waitFor(() => counter.liveSessions === 0, { what: "its session to be ended" });

  for (const revision of ["2025-11-25", "2026-07-28"] as const) {
    await using listing = new ListingUpstream({ revision });
    listing.tools = ["good", { name: "bad", inputSchema: "none" }];
    const odd = await examined(listing.url);
    assertStringIncludes(odd.words, `speaks MCP ${revision}.`);
    assertStringIncludes(odd.words, "It keeps no session");
    assertStringIncludes(odd.words, "tool bad is left out");
    assertEquals([odd.outcomes.at(-1), odd.code], ["MCP attention", 1], odd.text);
  }
});

Deno.test("`sluice doctor --upstream` reaches a server over WebSocket, with TLS and without", async () => {
  await using plain = serveWebSocket({ protocol: "mcp" });
  const works = await examined(plain.url.href);
  assertEquals([works.outcomes, works.code], [[...REACHED, "MCP works"], 0], works.text);
  assertEquals(works.registration?.transport, "WEBSOCKET");
  assertStringIncludes(works.words, "over WebSocket.");
  assertStringIncludes(works.text, '"transport":"WEBSOCKET"');
  assertStringIncludes(works.text, '"type": "ws"');
  const tls = await certificate("basicConstraints=critical,CA:FALSE");
  await using encrypted = serveWebSocket({ protocol: "mcp", tls });
  const url = `wss://localhost:${encrypted.url.port}/mcp`;
  assertEquals((await examined(url)).outcomes, [...REACHED, "TLS fails"]);
  const trusted = await examined(url, { ca: tls.cert });
  assertEquals(trusted.outcomes, [...REACHED, "TLS attention", "MCP works"], trusted.text);
  await using closed = serveWebSocket({ refuse: () => new Response(null, { status: 401 }) });
  const wanting = await examined(closed.url.href);
  assertEquals([wanting.outcomes, wanting.registration], [[...REACHED, "MCP fails"], null], wanting.text);
  assertStringIncludes(wanting.words, 'Try again with --header "Authorization: Bearer TOKEN".');
  const denied = await examined(closed.url.href, { headers: [["authorization", "Bearer hush-hush"]] });
  assertStringIncludes(denied.words, "The given headers do not open it.");
  await using page = serveWebSocket({ refuse: () => new Response(null, { status: 404 }) });
  assertStringIncludes((await examined(page.url.href)).words, "The path is often /ws.");
});

/** The fault, the steps after TCP, and words of the report. */
const FAULTS: readonly [Fault, steps: string[], words: string][] = [
  ["login page", ["HTTP fails"], "The answer is a web page."],
  ["wants credentials", ["HTTP fails"], 'Try again with --header "Authorization: Bearer TOKEN".'],
  [
    "wants credentials",
    ["HTTP fails"],
    "The gateway can also log in itself, by OAuth: sluice help upstreams#oauth.",
  ],
  ["wants other credentials", ["HTTP fails"], "It refuses the request."],
  ["limit", ["HTTP fails"], "The server limits requests (Retry-After: 30). -> Try again later"],
  ["error page", ["HTTP fails"], "Look at the log of the server, or of the proxy in front of it."],
  ["redirect loop", ["HTTP fails"], "There are too many redirects."],
  ["no such path", ["HTTP attention", "MCP fails"], "The path is often /mcp or /sse."],
  ["other answer", ["HTTP works", "MCP fails"], "UPSTREAM_PROTOCOL_ERROR"],
  ["broken JSON", ["HTTP works", "MCP fails"], "UPSTREAM_PROTOCOL_ERROR"],
  ["silence", ["HTTP fails"], "no answer within 0.3 s (MCP_SESSION_POOL_TRANSPORT_TIMEOUT)"],
];

Deno.test("`sluice doctor --upstream` names the step that fails, and what to do", async () => {
  for (const [fault, steps, words] of FAULTS) {
    await using sick = startSick(fault);
    const { outcomes, code, text, words: report, registration } = await examined(sick.url, {
      // The other faults have the time that they need.
      settings: fault === "silence" ? { MCP_SESSION_POOL_TRANSPORT_TIMEOUT: "0.3" } : {},
    });
    assertEquals([fault, outcomes, code, registration], [fault, [...REACHED, ...steps], 2, null], text);
    assertStringIncludes(report, words);
  }
  const gone = await examined(`http://127.0.0.1:${freePort()}/mcp`);
  assertEquals(gone.outcomes, ["DNS works", "settings works", "TCP fails"]);
  assertStringIncludes(gone.words, "nothing listens there (connection refused)");
  const unknown = await examined("http://nowhere.invalid/mcp");
  assertEquals(unknown.outcomes, ["DNS fails"]);
  const denied = await examined(`http://127.0.0.1:1/mcp`, { settings: { SSRF_ALLOW_LOCALHOST: "false" } });
  assertEquals(denied.outcomes, ["DNS works", "settings fails"]);
  assertStringIncludes(denied.words, "-> SSRF_ALLOW_LOCALHOST=true in .env of the gateway");
  const inside = await examined("http://10.1.2.3:1/mcp", {
    settings: { SSRF_ALLOWED_NETWORKS: "192.168.0.0/16" },
  });
  assertStringIncludes(inside.words, "-> SSRF_ALLOWED_NETWORKS=192.168.0.0/16,10.1.2.3/32 in .env");
  // A port that takes connections and says nothing.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const mute = await examined(`https://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/mcp`, {
    settings: { HTTP_CLIENT_CONNECT_TIMEOUT: "2" },
  });
  assertEquals(mute.outcomes, [...REACHED, "TLS fails"]);
  assertStringIncludes(mute.words, "its handshake takes longer than 2 s (HTTP_CLIENT_CONNECT_TIMEOUT)");
});

Deno.test("`sluice doctor --upstream` follows redirects without giving credentials to another server, and shows no secret", async () => {
  const seen: (string | null)[] = [];
  const other = serveOnLoopback(async (request) => {
    await request.body?.cancel();
    seen.push(request.headers.get("authorization"));
    return new Response(null, { status: 401 });
  });
  await using sick = startSick("redirect", `http://127.0.0.1:${other.addr.port}/mcp`);
  const { text, words } = await examined(sick.url, { headers: [["authorization", "Bearer hush-hush"]] });
  assertStringIncludes(text, `It redirects to http://127.0.0.1:${other.addr.port}/mcp.`);
  assertStringIncludes(
    words,
    `The gateway does not follow this redirect. -> Examine and register http://127.0.0.1:${other.addr.port}/mcp itself`,
  );
  // It serves MCP, and is out of the gateway's reach under this address.
  await using listed = new ListingUpstream();
  await using moved = startSick("redirect", listed.url);
  const { outcomes } = await examined(moved.url);
  assertEquals(outcomes.at(-1), "HTTP fails");
  assertEquals(seen, [null]);
  await other.shutdown();

  await using refused = startSick("wants other credentials");
  const again = await examined(refused.url, { headers: [["authorization", "Bearer hush-hush"]] });
  assertStringIncludes(again.words, "The given headers do not open it.");
  await using listing = new ListingUpstream();
  const well = await examined(`${listing.url}?key=hush-hush`, { headers: [["x-api-key", "hush-hush"]] });
  assertStringIncludes(well.text, '"auth_headers":[{"key":"x-api-key","value":"X_API_KEY"}]');
  assertStringIncludes(well.text, '"x-api-key": "${X_API_KEY}"');
  assert(![text, again.text, well.text].join().includes("hush"));
});

/** A server with this certificate that answers 401. */
function serveRefusals(pair: { readonly cert: string; readonly key: string }): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, ...pair, onListen: () => {} }, async (request) => {
    await request.body?.cancel();
    return new Response(null, { status: 401 });
  });
}

Deno.test("`sluice doctor --upstream` shows the chain of certificates, and why the gateway refuses it", async () => {
  const { cert, key } = await certificate("basicConstraints=critical,CA:FALSE");
  const server = serveRefusals({ cert, key });
  try {
    const url = `https://localhost:${server.addr.port}/mcp`;
    const refused = await examined(url);
    assertEquals(refused.outcomes, [...REACHED, "TLS fails"], refused.text);
    const [, line] = /^ +(mcp\.internal.*)$/m.exec(refused.text) ?? [];
    assert(line?.startsWith("mcp.internal, for localhost, by mcp.internal, until"), refused.text);
    assertStringIncludes(refused.words, "--ca FILE");
    const trusted = await examined(url, { ca: cert });
    assertEquals(trusted.outcomes, [...REACHED, "TLS attention", "HTTP fails"], trusted.text);
    assertStringIncludes(trusted.words, "Renew the certificate that ends within 14 days.");
    const wrongName = await examined(`https://127.0.0.1:${server.addr.port}/mcp`, { ca: cert });
    assertStringIncludes(wrongName.words, 'its certificate is not valid for "127.0.0.1"');
  } finally {
    await server.shutdown();
  }
});

Deno.test("`sluice doctor --upstream` trusts what the gateway trusts: a certificate of the server's own that is marked as an authority", async () => {
  const { cert, key } = await certificate("basicConstraints=critical,CA:TRUE");
  const server = serveRefusals({ cert, key });
  try {
    const url = `https://localhost:${server.addr.port}/mcp`;
    const refused = await examined(url);
    assertStringIncludes(refused.words, "marked as an authority (CA:TRUE)");
    const trusted = await examined(url, { ca: cert });
    assertEquals(trusted.outcomes, [...REACHED, "TLS attention", "HTTP fails"], trusted.text);
    const other = await certificate("basicConstraints=critical,CA:TRUE");
    assertEquals((await examined(url, { ca: other.cert })).outcomes.at(-1), "TLS fails");
  } finally {
    await server.shutdown();
  }
});

/** A certificate for localhost that ends in five days, and its key. */
async function certificate(extension: string): Promise<{ readonly cert: string; readonly key: string }> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_tls_" });
  const [certFile, keyFile] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  await openssl(
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "5"],
    ...["-keyout", keyFile, "-out", certFile, "-subj", "/CN=mcp.internal"],
    ...["-addext", "subjectAltName=DNS:localhost", "-addext", extension],
  );
  const [cert, key] = await Promise.all([certFile, keyFile].map((file) => Deno.readTextFile(file)));
  await Deno.remove(folder, { recursive: true });
  return { cert: cert!, key: key! };
}

Deno.test("what `sluice doctor --upstream` says registers the server", async () => {
  await using listing = new ListingUpstream();
  listing.tools = ["one"];
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const cli = { cwd: sluice.cwd, env: { SSRF_ALLOW_LOCALHOST: "true" } };
  const { code, out, err } = await runCli(["doctor", "--upstream", listing.url], cli);
  assertEquals([code, err], [0, ""]);
  assertStringIncludes(out, `${listing.url} works.`);
  const [, curl] = /^(curl [^]*?)\n\n/m.exec(out)!;
  const here = curl!.replace("127.0.0.1:4444", `127.0.0.1:${sluice.port}`).replaceAll("\n", " ").replaceAll(
    "\\ ",
    " ",
  );
  const registered = await follow(`  ${here}`, {
    cwd: sluice.cwd,
    env: { TOKEN: await sluice.token(), PATH: Deno.env.get("PATH")! },
  });
  assertEquals([registered.name, registered.toolCount ?? registered.tool_count], ["upstream", 1]);
  const json = JSON.parse((await runCli(["doctor", "--json", "--upstream", listing.url], cli)).out);
  assertEquals([json.status, json.register.gateway.url], ["works", listing.url]);
  await using socket = serveWebSocket({ protocol: "mcp" });
  const report = await runCli(["doctor", "--json", "--upstream", socket.url.href], cli);
  const { register } = JSON.parse(report.out);
  const { status, body } = await sluice.api("POST", "/gateways", { ...register.gateway, name: "socket" });
  assertEquals([status, body.transport], [200, "WEBSOCKET"], JSON.stringify(body));
});
