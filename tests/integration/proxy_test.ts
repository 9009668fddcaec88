// The ways out to upstreams besides a direct connection: through a forward proxy (our own, which can refuse and lie, and tinyproxy),
// and over HTTP/2.
import { createServer } from "node:tls";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SluiceError } from "../../src/base/errors.ts";
import { Proxies, type ProxySettings } from "../../src/upstream/dial/proxies.ts";
import type { Http1ClientOptions } from "../../src/upstream/http_client/http1_client.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { DuplexPeer } from "../support/duplex_peer.ts";
import { endChild } from "../support/end_child.ts";
import { ForwardProxy, type ForwardProxyOptions } from "../support/forward_proxy.ts";
import { freePort } from "../support/free_port.ts";
import { clientOf, get, post, rejects, textOf } from "../support/http1_hostile.ts";
import { metric } from "../support/metric.ts";
import { canLeaveOut } from "../support/programs.ts";
import { makeSelfSigned, openssl } from "../support/self_signed.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";
import { serveWebSocket } from "../support/websocket_peer.ts";

const folder = await Deno.makeTempDir({ prefix: "sluice_proxy_" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const { certFile, keyFile } = await makeSelfSigned(folder, "proxied");
const [cert, key] = [Deno.readTextFileSync(certFile), Deno.readTextFileSync(keyFile)];

/** A client that goes through `proxy`, to the names that `resolve` knows and to 127.0.0.1. */
function clientThrough(
  proxy: string,
  { settings = {}, ca, ...options }: Partial<Http1ClientOptions> & {
    settings?: Partial<ProxySettings>;
    ca?: string;
  } = {},
) {
  const none = { httpProxy: null, httpsProxy: null, noProxy: [], proxyResolvesNames: false };
  return clientOf({ proxies: new Proxies({ ...none, allProxy: proxy, ...settings }, ca), ...options });
}

function serve(tls: { cert?: string; key?: string } = {}) {
  const seen: string[] = [];
  const options = { hostname: "127.0.0.1", port: 0, onListen() {}, ...tls } as Deno.ServeTcpOptions;
  const server = Deno.serve(options, async (request) => {
    const { pathname, search } = new URL(request.url);
    seen.push(`${request.method} ${pathname}${search} ${request.headers.get("host")}`);
    assertEquals(request.headers.has("proxy-authorization"), false);
    return new Response(await request.text());
  });
  const { port } = server.addr;
  const scheme = tls.cert === undefined ? "http" : "https";
  return { scheme, port, seen, [Symbol.asyncDispose]: () => server.shutdown() };
}

Deno.test("A proxy reads requests to a literal address itself, over one connection only if it says that it keeps it", async () => {
  for (const [saysKeepAlive, connections] of [[true, [1, 1]], [false, [2, 0]]] as const) {
    await using server = serve();
    await using proxy = new ForwardProxy({ credentials: "me:hush", saysKeepAlive });
    using client = clientThrough(proxy.url());
    const url = `http://127.0.0.1:${server.port}/mcp?a=%20b`;
    for (const body of ["one", "two"]) assertEquals(await textOf(client.send(post(url, body))), body);
    assertEquals(proxy.seen, Array(2).fill(`POST ${url} HTTP/1.1`));
    assertEquals(server.seen, Array(2).fill(`POST /mcp?a=%20b 127.0.0.1:${server.port}`));
    assertEquals([client.stats.created, client.stats.reused], connections);
  }
});

Deno.test("A tunnel leads to the address that was checked, whatever the proxy takes the name for", async () => {
  const checked: string[] = [];
  for (const tls of [{}, { cert, key }]) {
    await using server = serve(tls);
    // A name that has changed its address since: the proxy would connect to nobody.
    await using proxy = new ForwardProxy({ names: { localhost: "192.0.2.1" } });
    using client = clientThrough(proxy.url(), {
      resolve: () => Promise.resolve(["127.0.0.1"]),
      checkAddress: (host, ip) => void checked.push(`${host} ${ip}`),
    });
    const url = `${server.scheme}://localhost:${server.port}/`;
    const request = post(url, "through", { caCertificate: cert });
    for (let i = 0; i < 2; i++) assertEquals(await textOf(client.send(request)), "through");
    assertEquals(proxy.seen, [`CONNECT 127.0.0.1:${server.port} HTTP/1.1`]);
    assertEquals(server.seen[0], `POST / localhost:${server.port}`);
  }
  assertEquals(checked, ["localhost 127.0.0.1", "localhost 127.0.0.1"]);
});

Deno.test("Nothing is asked of a proxy for an address that must not be connected to", async () => {
  await using proxy = new ForwardProxy();
  using client = clientThrough(proxy.url(), {
    resolve: () => Promise.resolve(["169.254.169.254"]),
    checkAddress: () => {
      throw new SluiceError("EGRESS_DENIED", { reason: "a cloud metadata address" });
    },
  });
  for (const url of ["http://rebound.test/", "https://rebound.test/", "http://169.254.169.254/latest"]) {
    await rejects(() => client.send(get(url)), "EGRESS_DENIED");
  }
  assertEquals([proxy.seen, proxy.openConnections], [[], 0]);
});

Deno.test("PROXY_RESOLVES_NAMES leaves names to the proxy, and asks the resolver for none", async () => {
  await using plain = serve();
  await using secure = serve({ cert, key });
  await using proxy = new ForwardProxy({ names: { "plain.test": "127.0.0.1", localhost: "127.0.0.1" } });
  using client = clientThrough(proxy.url(), {
    settings: { proxyResolvesNames: true },
    resolve: (host) => Promise.reject(new Error(`asked for ${host}`)),
    checkAddress: (host) => {
      throw new Error(`checked ${host}`);
    },
  });
  assertEquals(await textOf(client.send(post(`http://plain.test:${plain.port}/a`, "x"))), "x");
  const request = post(`https://localhost:${secure.port}/b`, "y", { caCertificate: cert });
  assertEquals(await textOf(client.send(request)), "y");
  assertEquals(proxy.seen, [
    `POST http://plain.test:${plain.port}/a HTTP/1.1`,
    `CONNECT localhost:${secure.port} HTTP/1.1`,
  ]);
  assertEquals(plain.seen, [`POST /a plain.test:${plain.port}`]);
});

Deno.test("NO_PROXY is reached directly", async () => {
  await using server = serve();
  await using proxy = new ForwardProxy();
  using client = clientThrough(proxy.url(), { settings: { noProxy: ["127.0.0.0/8"] } });
  assertEquals(await textOf(client.send(post(`http://127.0.0.1:${server.port}/`, "direct"))), "direct");
  assertEquals(proxy.seen, []);
});

Deno.test("A proxy over TLS carries requests, tunnels and TLS within them; its certificate is verified", async () => {
  await using plain = serve();
  await using secure = serve({ cert, key });
  await using proxy = new ForwardProxy({ credentials: "me:hush", tls: { cert, key } });
  const big = "x".repeat(1_000_000);
  {
    using client = clientThrough(proxy.url(), { ca: cert, resolve: () => Promise.resolve(["127.0.0.1"]) });
    assertEquals(await textOf(client.send(post(`http://127.0.0.1:${plain.port}/`, big))), big);
    const request = (host: string) => post(`https://${host}:${secure.port}/`, big, { caCertificate: cert });
    // A literal address and a name: both are in the certificate.
    for (const host of ["127.0.0.1", "localhost", "localhost"]) {
      assertEquals(await textOf(client.send(request(host))), big);
    }
    assertEquals([client.stats.created, client.stats.reused], [3, 1]);
    const other = await rejects(() => client.send(request("other.test")), "UPSTREAM_TLS_FAILED");
    assertEquals(other.params.reason, 'its certificate is not valid for "other.test"');
    const unknown = post(`https://localhost:${secure.port}/`, "", { upstream: "unknown" });
    await rejects(() => client.send(unknown), "UPSTREAM_TLS_FAILED");
  }
  using wary = clientThrough(proxy.url());
  const failure = await rejects(
    () => wary.send(get(`http://127.0.0.1:${plain.port}/`)),
    "UPSTREAM_CONNECT_FAILED",
  );
  assertEquals(
    failure.params.reason,
    "cannot open a TLS connection to the proxy of ALL_PROXY: its certificate is not signed by a known authority; " +
      "name its authority in PROXY_SSL_CA_CERTS",
  );
});

Deno.test("Behind a proxy over TLS no certificate is trusted that only names an authority", async () => {
  // OpenSSL makes a certificate of version 1 where none of its extensions are asked for. It names itself as its issuer.
  const [forgedKey, request, forged] = ["key", "csr", "pem"].map((name) => `${folder}/forged.${name}`);
  const named = ["-subj", "/CN=proxied", "-keyout", forgedKey!, "-out", request!];
  await openssl("req", "-new", "-nodes", "-newkey", "rsa:2048", ...named);
  await openssl("x509", "-req", "-in", request!, "-signkey", forgedKey!, "-out", forged!, "-days", "2");
  const server = createServer({
    cert: Deno.readTextFileSync(forged!),
    key: Deno.readTextFileSync(forgedKey!),
  });
  let requests = 0;
  server.on("secureConnection", (socket) => {
    socket.on("data", () => requests++);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await using proxy = new ForwardProxy({ tls: { cert, key } });
  using client = clientThrough(proxy.url(), { ca: cert, resolve: () => Promise.resolve(["127.0.0.1"]) });
  const asked = post(`https://proxied:${port}/`, "secret", { caCertificate: cert });
  await rejects(() => client.send(asked), "UPSTREAM_TLS_FAILED");
  assertEquals(requests, 0);
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("A proxy that refuses, or is not there, is named by its setting", async () => {
  await using server = serve();
  const literal = `http://127.0.0.1:${server.port}/`;
  const named = `http://up.test:${server.port}/`;
  const reasonOf = async (options: ForwardProxyOptions, url: string, credentials?: string) => {
    await using proxy = new ForwardProxy(options);
    using client = clientThrough(proxy.url(credentials), { resolve: () => Promise.resolve(["127.0.0.1"]) });
    const error = await rejects(() => client.send(get(url)), "UPSTREAM_CONNECT_FAILED");
    await waitFor(() => proxy.openConnections === 0, { what: "the connection to be closed" });
    return String(error.params.reason);
  };
  for (const url of [literal, named]) {
    assertEquals(
      await reasonOf({ credentials: "me:hush" }, url, "me:wrong"),
      "the proxy of ALL_PROXY does not accept the user name and password in its URL (HTTP 407)",
    );
  }
  assertMatch(
    await reasonOf({ refuseTunnels: 403 }, named),
    /refused CONNECT \(HTTP 403\); if it allows host names/,
  );
  assertMatch(await reasonOf({ refuseTunnels: 503 }, named), /cannot reach the upstream \(HTTP 503\)$/);
  using client = clientThrough(`http://127.0.0.1:${freePort()}`);
  const gone = await rejects(() => client.send(get(literal)), "UPSTREAM_CONNECT_FAILED");
  assertEquals(gone.params.reason, "cannot reach the proxy of ALL_PROXY: connection refused");
  assertEquals(server.seen, []);
});

Deno.test("A WebSocket is opened through a tunnel, to a checked address", async () => {
  for (const tls of [undefined, { cert, key }]) {
    await using server = serveWebSocket({ protocol: "mcp", tls });
    await using proxy = new ForwardProxy({ credentials: "me:hush" });
    const checked: string[] = [];
    await using peer = new DuplexPeer({
      checkAddress: (host, ip) => void checked.push(`${host} ${ip}`),
      proxies: new Proxies({
        httpProxy: null,
        httpsProxy: null,
        allProxy: proxy.url(),
        noProxy: [],
        proxyResolvesNames: false,
      }),
    });
    const session = await peer.open({ transport: "WEBSOCKET", url: server.url, caCertificate: cert });
    const call = { timeoutMs: 3_000, timeoutSetting: "A_SETTING" };
    assertEquals((await session.request("tools/call", "{}", call)).text, '{"ok":true}');
    await session.close();
    assertEquals(proxy.seen, [`CONNECT 127.0.0.1:${server.url.port} HTTP/1.1`]);
    assertEquals(checked, ["127.0.0.1 127.0.0.1"]);
  }
});

Deno.test("A gateway goes through the proxy of the environment, within its limits and its metrics, and tells its words", async () => {
  // The proxy says `keep-alive` only of answers that have a length.
  await using upstream = CounterUpstream.start({ jsonReplies: true });
  await using proxy = new ForwardProxy({ credentials: "me:hush", saysKeepAlive: true });
  await using sluice = await Sluice.start({
    env: { http_proxy: proxy.url(), NO_PROXY: "elsewhere.test", HTTP_CLIENT_MAX_CONNECTIONS: "3" },
  });
  await sluice.registerUpstream("counter", upstream.url);
  const calls = Array.from({ length: 20 }, () => sluice.rpc("counter-increment"));
  for (const { body } of await Promise.all(calls)) assert(body.result !== undefined, JSON.stringify(body));
  assert(proxy.seen.length > 20);
  assert(
    proxy.seen.every((line) => line.startsWith(`POST ${upstream.url}`) || line.startsWith("DELETE")),
    proxy.seen[0],
  );
  const open = await metric(sluice, "sluice_outbound_connections_open ");
  assert(open >= 1 && open <= 6, `${open} connections in two workers`);
});

Deno.test("A gateway tells what is wrong with its proxy when an upstream is registered", async () => {
  await using upstream = CounterUpstream.start();
  await using proxy = new ForwardProxy({ credentials: "me:hush" });
  await using sluice = await Sluice.start({ env: { HTTP_PROXY: proxy.url("me:wrong"), NO_PROXY: "x.test" } });
  const body = { name: "counter", url: upstream.url, transport: "STREAMABLEHTTP" };
  const refused = await sluice.api("POST", "/gateways", body);
  assertEquals(refused.status, 502);
  const text = JSON.stringify(refused.body);
  assert(
    text.includes("the proxy of HTTP_PROXY does not accept the user name and password in its URL"),
    text,
  );
  assert(!text.includes("wrong") && !text.includes(String(proxy.port)), text);
});

Deno.test("serve --demo registers its demo, whatever proxy the environment names", async () => {
  const proxy = `http://127.0.0.1:${freePort()}`;
  await using sluice = await Sluice.start({ args: ["--demo"], env: { HTTP_PROXY: proxy, ALL_PROXY: proxy } });
  const { body } = await sluice.rpc("echo", { message: "there" });
  assert(body.result !== undefined, JSON.stringify(body));
});

Deno.test("A gateway does not start with a proxy that it does not speak to", async () => {
  await using sluice = await Sluice.spawn({ env: { ALL_PROXY: "socks5://me:hush@127.0.0.1:1080" } });
  assert(await sluice.exit() !== 0);
  const text = sluice.stderr.tail() + sluice.stdout.tail();
  assert(text.includes("ALL_PROXY must be an http or https URL"), text);
  assert(!text.includes("hush"), text);
});

Deno.test("HTTP_CLIENT_HTTP2_ENABLED reaches https upstreams over HTTP/2, and leaves http upstreams to our own client", async () => {
  await using upstream = CounterUpstream.start();
  const hosts: (string | null)[] = [];
  await using front = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, cert, key },
    async (request) => {
      // HTTP/2 has no such header.
      hosts.push(request.headers.get("host"));
      const { method, headers } = request;
      return await fetch(upstream.url, {
        method,
        headers,
        body: method === "POST" ? await request.text() : null,
      });
    },
  );
  await using sluice = await Sluice.start({ env: { WORKERS: "1", HTTP_CLIENT_HTTP2_ENABLED: "true" } });
  const connections = () => metric(sluice, "sluice_outbound_connections_open ");
  await sluice.registerUpstream("secure", `https://127.0.0.1:${front.addr.port}/mcp`, {
    ca_certificate: cert,
  });
  assert((await sluice.rpc("secure-increment")).body.result !== undefined);
  assertEquals([new Set(hosts), await connections()], [new Set([null]), 0]);
  await sluice.registerUpstream("plain", upstream.url);
  assert((await sluice.rpc("plain-increment")).body.result !== undefined);
  assertEquals(await connections() > 0, true);
});

const withoutTinyproxy = canLeaveOut("tinyproxy");
if (withoutTinyproxy) console.log("left out: tests with tinyproxy (the Debian package is not installed)");

async function startTinyproxy(port = freePort()) {
  const path = await Deno.makeTempFile({ dir: folder });
  await Deno.writeTextFile(
    path,
    [`Port ${port}`, "Listen 127.0.0.1", "Timeout 60", "BasicAuth me hush", "ConnectPort 443", ""].join("\n"),
  );
  const child = new Deno.Command("tinyproxy", { args: ["-d", "-c", path], stdout: "null", stderr: "null" })
    .spawn();
  await waitFor(async () => (await Deno.connect({ hostname: "127.0.0.1", port })).close() === undefined, {
    what: "tinyproxy to listen",
  });
  return {
    at: (credentials: string) => `http://${credentials}127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await endChild(child);
    },
  };
}

Deno.test({
  name: "tinyproxy carries what it allows, and its refusals are told in words",
  ignore: withoutTinyproxy,
  fn: async () => {
    await using plain = serve();
    await using proxy = await startTinyproxy();
    const resolve = () => Promise.resolve(["127.0.0.1"]);
    using client = clientThrough(proxy.at("me:hush@"), { resolve });
    const literal = `http://127.0.0.1:${plain.port}/a?b`;
    for (let i = 0; i < 3; i++) assertEquals(await textOf(client.send(post(literal, "body"))), "body");
    assertEquals(plain.seen, Array(3).fill(`POST /a?b 127.0.0.1:${plain.port}`));
    const refused = await rejects(
      () => client.send(get(`http://up.test:${plain.port}/`)),
      "UPSTREAM_CONNECT_FAILED",
    );
    assertMatch(String(refused.params.reason), /refused CONNECT \(HTTP 403\); .*PROXY_RESOLVES_NAMES=true$/);
    using resolving = clientThrough(proxy.at("me:hush@"), { settings: { proxyResolvesNames: true } });
    assertEquals(await textOf(resolving.send(post(`http://localhost:${plain.port}/`, "named"))), "named");
    using stranger = clientThrough(proxy.at(""), { resolve });
    for (const url of [literal, `https://up.test/`]) {
      const unknown = await rejects(() => stranger.send(get(url)), "UPSTREAM_CONNECT_FAILED");
      assertMatch(String(unknown.params.reason), /wants credentials \(HTTP 407\)/);
    }
  },
});
