// `fetch` cannot be handed a fake socket, so these tests serve themselves on loopback.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ErrorCode, SluiceError } from "../../base/errors.ts";
import { Deadline } from "../resilience/deadline.ts";
import { FetchClient, type FetchClientOptions } from "./fetch_client.ts";
import type { HttpRequest } from "./http_client.ts";
import { isRelayInForce, SocksRelay } from "../dial/socks_relay.ts";
import { callerAtRest } from "../../../tests/support/fakes.ts";
import { paced } from "../../../tests/support/pace.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { StreamPlaces } from "./stream_places.ts";

function clientOf(options: Partial<FetchClientOptions> = {}) {
  const client = new FetchClient({
    maxKeepaliveConnections: 4,
    keepaliveExpiryMs: 5_000,
    readTimeoutMs: 5_000,
    connectTimeoutMs: 5_000,
    checkAddress: () => {},
    ...options,
  });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

function serve(handler: Deno.ServeHandler) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler);
  const request = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
    method: "GET",
    url: new URL(`http://127.0.0.1:${server.addr.port}${path}`),
    headers: [],
    upstream: "up",
    ...more,
  });
  return { request, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function rejects(run: () => Promise<unknown>, code: ErrorCode): Promise<SluiceError> {
  const error = await assertRejects(run);
  assert(error instanceof SluiceError, String(error));
  assertEquals(error.code, code, error.message);
  return error;
}

/** A listener that was closed goes on in a child process of another test until that has begun its own program. */
async function isRefusing({ hostname, port }: Deno.NetAddr): Promise<void> {
  const isRefused = () => Deno.connect({ hostname, port }).then((conn) => conn.close(), () => true);
  await waitFor(isRefused, { what: "the port to refuse connections" });
}

Deno.test("FetchClient.send() sends headers and body, and gives status, headers and text", async () => {
  await using server = serve(async (request) =>
    new Response(`${request.method} ${request.headers.get("x-a")} ${await request.text()}`, {
      status: 201,
      headers: [["x-b", "1"], ["x-b", "2"]],
    })
  );
  using client = clientOf();
  const response = await client.send(
    server.request("/", { method: "POST", headers: [["x-a", "é"]], body: "語" }),
  );
  assertEquals([response.status, response.header("x-b"), response.header("x-c")], [201, "1, 2", null]);
  assertEquals(await response.text(100), "POST é 語");
});

Deno.test("FetchClient.send() follows no redirect", async () => {
  await using server = serve(() => new Response(null, { status: 302, headers: { location: "/other" } }));
  using client = clientOf();
  const response = await client.send(server.request("/"));
  assertEquals([response.status, response.header("location")], [302, "/other"]);
  response.discard();
});

Deno.test("FetchClient: text() stops at its limit, leaving chunks() ends the stream", async () => {
  const cancelled = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let request = 0;
  await using server = serve(() => {
    const number = request++;
    return new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new TextEncoder().encode("x".repeat(1_000))),
        cancel: () => cancelled[number].resolve(),
      }),
    );
  });
  using client = clientOf();
  const tooLarge = await client.send(server.request("/"));
  await rejects(() => tooLarge.text(5_000), "UPSTREAM_RESPONSE_TOO_LARGE");
  for await (const chunk of (await client.send(server.request("/"))).chunks()) {
    assertEquals(chunk[0], 120);
    break;
  }
  await Promise.all(cancelled.map(({ promise }) => promise));
});

Deno.test("FetchClient names the limit that has passed, before and within the answer", async () => {
  const stop = Promise.withResolvers<void>();
  await using server = serve(async (request) => {
    if (request.url.endsWith("/silent")) await stop.promise;
    return new Response(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode("x"));
          stop.promise.then(() => controller.close()).catch(() => {});
        },
      }),
    );
  });
  // Long enough for the head of an answer.
  const readTimeoutMs = Math.ceil(await paced(100));
  using client = clientOf({ readTimeoutMs });
  const silent = await rejects(() => client.send(server.request("/silent")), "UPSTREAM_TIMEOUT");
  assertEquals(
    silent.message,
    `Upstream "up" did not answer within ${readTimeoutMs} ms (HTTP_CLIENT_READ_TIMEOUT)`,
  );
  const response = await client.send(server.request("/stalled"));
  const stalled = await rejects(() => response.text(10), "UPSTREAM_TIMEOUT");
  assertEquals(stalled.params.phase, "continue its answer");
  // However long the call may take: an answer that has begun does not stall so long.
  const call = { readTimeoutMs: 30_000, deadline: new Deadline(30_000, "TOOL_TIMEOUT") };
  const begun = await client.send(server.request("/stalled", call));
  assert(
    (await rejects(() => begun.text(10), "UPSTREAM_TIMEOUT")).message.endsWith("(HTTP_CLIENT_READ_TIMEOUT)"),
  );
  const late = server.request("/silent", { deadline: new Deadline(30, "TOOL_TIMEOUT") });
  assert((await rejects(() => client.send(late), "UPSTREAM_TIMEOUT")).message.endsWith("(TOOL_TIMEOUT)"));
  stop.resolve();
});

Deno.test("FetchClient.send() rejects with the signal's reason", async () => {
  const arrived = Promise.withResolvers<void>();
  const stop = Promise.withResolvers<void>();
  await using server = serve(async () => {
    arrived.resolve();
    await stop.promise;
    return new Response();
  });
  using client = clientOf();
  const abort = new AbortController();
  const sent = client.send(server.request("/", { signal: abort.signal }));
  await arrived.promise;
  abort.abort("enough");
  assertEquals(await assertRejects(() => sent), "enough");
  stop.resolve();
});

Deno.test("FetchClient.send() calls nothing that it must not, and gives failures their row without the URL", async () => {
  let calls = 0;
  await using server = serve(() => new Response(String(calls++)));
  using guarded = clientOf({
    checkAddress: () => {
      throw new SluiceError("EGRESS_DENIED", { reason: "no" });
    },
  });
  await rejects(() => guarded.send(server.request("/")), "EGRESS_DENIED");
  using client = clientOf();
  await rejects(() => client.send(server.request("/", { headers: [["x", "a\r\nb"]] })), "INVALID_REQUEST");
  const blocked = new URL("http://127.0.0.1:6000/connect?key=secret");
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const url = new URL(`http://127.0.0.1:${listener.addr.port}/connect?key=secret`);
  const closing = (async () => {
    for await (const conn of listener) conn.close();
  })();
  const closed = await rejects(() => client.send(server.request("/", { url })), "UPSTREAM_CLOSED");
  assertEquals(closed.params.sent, 1);
  listener.close();
  await closing;
  await isRefusing(listener.addr);
  const refused = await rejects(() => client.send(server.request("/", { url })), "UPSTREAM_CONNECT_FAILED");
  assertEquals(refused.message, 'Cannot connect to upstream "up": connection refused');
  const noCall = await assertRejects(() => client.send(server.request("/", { url: blocked })), SluiceError);
  for (const { message } of [closed, refused, noCall]) assert(!message.includes("secret"));
  client.close();
  await rejects(() => client.send(server.request("/")), "SHUTTING_DOWN");
  assertEquals(calls, 0);
});

Deno.test("FetchClient connects to the address that was checked, and checks each new connection of a name that moves", async () => {
  await using server = serve((request) =>
    new Response(new URL(request.url).hostname, { headers: { connection: "close" } })
  );
  const answers = [["127.0.0.1"], ["169.254.169.254"]];
  const checked: string[] = [];
  using client = clientOf({
    resolve: () => Promise.resolve(answers.shift()!),
    checkAddress: (hostname, ip) => {
      checked.push(`${hostname} ${ip}`);
      if (ip !== "127.0.0.1") throw new SluiceError("EGRESS_DENIED", { reason: "a metadata address" });
    },
  });
  const url = new URL(server.request("/").url);
  url.hostname = "moving.test";
  const response = await client.send(server.request("/", { url }));
  assertEquals(await response.text(100), "moving.test");
  const denied = await rejects(() => client.send(server.request("/", { url })), "EGRESS_DENIED");
  assertEquals(denied.params, { reason: "a metadata address", upstream: "up" });
  assertEquals(checked, ["moving.test 127.0.0.1", "moving.test 169.254.169.254"]);
});

Deno.test("FetchClient: connections to its relay need the password, and end with the client", async () => {
  await using server = serve(() => new Response("x"));
  const relay = new SocksRelay({ connectTimeoutMs: 5_000, checkAddress: () => {} });
  const { url: address } = relay.proxy as { url: string };
  const { port } = new URL(address.replace("socks5", "http"));
  const strangers = [{ username: "sluice", password: "guess" }, undefined].map((basicAuth) =>
    Deno.createHttpClient({ proxy: { transport: "socks5", url: address, basicAuth } })
  );
  for (const client of strangers) {
    await assertRejects(() => fetch(server.request("/").url, { client }), TypeError);
    client.close();
  }
  const silent = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await silent.write(Uint8Array.of(5, 1, 2));
  assertEquals(await silent.read(new Uint8Array(2)), 2);
  relay.close();
  assertEquals(await silent.read(new Uint8Array(2)), null);
  silent.close();
});

Deno.test("isRelayInForce() is false if the environment takes hosts from all proxies", () => {
  const isInForce = (variables: { [name: string]: string | undefined }) =>
    isRelayInForce((name) => variables[name]);
  assertEquals(
    [{}, { NO_PROXY: "" }, { NO_PROXY: "a.test" }, { no_proxy: "*" }].map(isInForce),
    [true, true, false, false],
  );
});

Deno.test("FetchClient: event streams take a place of their caller until they end, in whichever way", async () => {
  await using server = serve(({ url }) => {
    if (url.endsWith("/none")) return new Response("none", { status: 405 });
    if (url.endsWith("/empty")) return new Response(null, { status: 204 });
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Uint8Array.of(1)) });
    return new Response(body);
  });
  const places = new StreamPlaces(1);
  using client = clientOf({ streamPlaces: places });
  const eve = callerAtRest();
  const open = (path: string, more: Partial<HttpRequest> = {}) =>
    client.send(server.request(path, { longLived: true, holder: eve, ...more }));
  const stop = new AbortController();
  const stream = await open("/", { signal: stop.signal });
  await rejects(() => open("/"), "TOO_MANY_STREAMS_OF_CALLER");
  assertEquals([places.open, eve.upstreamStreams], [1, 1]);
  const reading = assertRejects(async () => {
    for await (const _chunk of stream.chunks()) stop.abort(new Error("left"));
  });
  await reading;
  assertEquals([places.open, eve.upstreamStreams], [0, 0]);
  (await open("/none")).discard();
  assertEquals(await (await open("/empty")).text(1), "");
  await rejects(() => open("/", { url: new URL("http://127.0.0.1:1/") }), "EGRESS_DENIED");
  // The response to a call goes on.
  const more = await open("/", { deadline: new Deadline(60_000, "the test") });
  assertEquals([places.open, eve.upstreamStreams], [1, 0]);
  more.discard();
  assertEquals([places.open, eve.upstreamStreams], [0, 0]);
});
