// More than the gateway takes: what is let in succeeds, the rest is refused at once, nothing is lost or kept for ever.
import { assert, assertEquals } from "@std/assert";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { atRest, metric, open } from "../support/metric.ts";
import { paced } from "../support/pace.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RawConnection } from "../support/raw_http.ts";
import { makeSelfSigned } from "../support/self_signed.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function rawPost(token: string, body: string, headers = ""): Uint8Array {
  return bytes(
    `POST /rpc HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n${headers}` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}

Deno.test("serve above BACKPRESSURE answers 503 at once, and /health; what it lets in succeeds", async () => {
  await using upstream = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await Sluice.start({
    env: { BACKPRESSURE: "8", WORKERS: "2", HTTP_CLIENT_MAX_CONNECTIONS: "100" },
  });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token();
  const session = await openSession(sluice, { token });
  await atRest(sluice);
  const request = rawPost(token, JSON.stringify(toolCall("up-slow")));

  // All connections first: how the kernel spreads them over the workers is then settled, and the load comes all at once.
  const connections = await Promise.all(Array.from({ length: 200 }, () => RawConnection.open(sluice.port)));
  let answered = 0;
  const call = async (connection: RawConnection) => {
    await connection.send(request);
    const { status, headers, body, reusable } = await connection.receive();
    answered++;
    return { status, headers, body: JSON.parse(new TextDecoder().decode(body)), reusable };
  };
  const load = Promise.all(connections.map(call));
  await waitFor(() => upstream.calls === 16, { what: "all places taken" });
  const health = await Promise.all(
    Array.from({ length: 20 }, () => fetch(`${sluice.url}/health`).then((r) => r.json())),
  );
  assertEquals(health.filter(({ status }) => status === "healthy").length, 20);
  // Those that are refused do not wait for those that are let in, of whom none is answered yet.
  await waitFor(() => answered === 184, { what: "the refusals" });
  // A 503 would end the session of some clients.
  const { status, body: refusal } = await post(sluice, toolCall("up-slow", {}, 5), {
    token,
    headers: inSession(session),
  });
  assertEquals([status, refusal.id, refusal.error.data.code], [200, 5, "OVERLOADED"]);
  // A stranger's body is not read, whatever session it claims to be of.
  const stranger = await post(sluice, toolCall("up-slow", {}, 5), {
    token: "forged",
    headers: inSession("a".repeat(72)),
  });
  assertEquals([stranger.status, stranger.body.id], [503, null]);
  upstream.release();
  const answers = await load;

  const accepted = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 503);
  assertEquals([accepted.length, refused.length, upstream.calls], [16, 184, 16]);
  for (const { body } of accepted) assertEquals(body.result.content[0].text, "done");
  for (const { body, headers, reusable } of refused) {
    assertEquals([body.jsonrpc, body.id, body.error.code, body.error.data.code], [
      "2.0",
      null,
      -31530,
      "OVERLOADED",
    ]);
    assertEquals([headers.get("retry-after"), reusable], ["1", true]);
  }
  await atRest(sluice);
  const after = await Promise.all(connections.slice(0, 4).map(call));
  assertEquals(after.map(({ status }) => status), [200, 200, 200, 200]);
  for (const connection of connections) connection.close();
  assertEquals(await metric(sluice, "sluice_requests_refused_total{", "OVERLOADED"), 186);
  assertEquals(await metric(sluice, "sluice_errors_total{", "OVERLOADED"), 186);
  assertEquals(await metric(sluice, "sluice_requests_limit "), 16);
  await atRest(sluice);
  assertEquals(
    sluice.log().filter(({ level, event }) =>
      level === "ERROR" || (level === "WARNING" && event !== "no users yet")
    ),
    [],
  );
  const serving = sluice.log().find(({ event }) => event === "serving");
  assertEquals([serving?.requestsAtOnce, serving?.streamsAtOnce], [16, 8192]);
});

Deno.test("serve above BACKPRESSURE throws a large body away and keeps the connection; REST paths get REST's shape", async () => {
  await using upstream = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await Sluice.start({ env: { BACKPRESSURE: "1", WORKERS: "1" } });
  await sluice.registerUpstream("up", upstream.url);
  await atRest(sluice);
  const token = await sluice.token();
  const slow = sluice.rpc("tools/call", { name: "up-slow", arguments: {} });
  await waitFor(() => upstream.calls === 1, { what: "the place taken" });

  using connection = await RawConnection.open(sluice.port);
  const padded = JSON.stringify({ ...toolCall("up-slow"), padding: "x".repeat(300_000) });
  for (let i = 0; i < 3; i++) {
    const sent = connection.send(rawPost(token, padded));
    const { status, reusable } = await connection.receive();
    assertEquals([status, reusable], [503, true]);
    await sent;
  }
  const rest = await sluice.api("GET", "/gateways");
  assertEquals([rest.status, rest.body], [503, {
    detail: "The gateway is at capacity; retry later",
    code: "OVERLOADED",
  }]);
  for (const path of ["/health", "/ready", "/metrics/prometheus"]) {
    assertEquals((await sluice.api("GET", path)).status, 200);
  }
  upstream.release();
  assertEquals((await slow).body.result.content[0].text, "done");
  await connection.send(rawPost(token, JSON.stringify(toolCall("up-slow"))));
  assertEquals((await connection.receive()).status, 200);
});

Deno.test("serve lets calls wait for an outbound connection, shows how many, and answers when they have waited too long", async () => {
  await using upstream = SlowUpstream.start({ delayMs: Infinity });
  // All of them are to wait at once.
  const HTTP_CLIENT_POOL_TIMEOUT = String(Math.ceil(await paced(3)));
  await using sluice = await Sluice.start({
    env: { WORKERS: "1", HTTP_CLIENT_MAX_CONNECTIONS: "5", HTTP_CLIENT_POOL_TIMEOUT },
  });
  await sluice.registerUpstream("up", upstream.url);
  let answered = 0;
  const calls = Array.from({ length: 12 }, async () => {
    const answer = await sluice.rpc("tools/call", { name: "up-slow", arguments: {} });
    answered++;
    return answer;
  });
  // Four fifths of the connections are what one upstream gets.
  const waiting = () => metric(sluice, "sluice_outbound_calls_waiting ");
  await waitFor(async () => upstream.calls === 4 && await waiting() === 8, { what: "the others to wait" });
  assertEquals(await metric(sluice, "sluice_outbound_connections_open "), 4);
  await waitFor(() => answered === 8, {
    what: "the others to have waited too long",
    deadlineMs: Number(HTTP_CLIENT_POOL_TIMEOUT) * 1_000 + 60_000,
  });
  upstream.release();
  const codes = (await Promise.all(calls)).map(({ body }) => body.error?.data.code ?? "served");
  assertEquals(codes.filter((code) => code === "served").length, 4);
  assertEquals(codes.filter((code) => code === "HTTP_POOL_TIMEOUT").length, 8);
  assertEquals(await waiting(), 0);
});

Deno.test("serve counts streams on their own limit: they starve no call, and their places come back when clients leave", async () => {
  await using upstream = SlowUpstream.start({ delayMs: 1 });
  await using sluice = await Sluice.start({ env: { BACKPRESSURE: "4", MAX_STREAMS: "3", WORKERS: "1" } });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token();
  const session = await openSession(sluice, { token });
  await atRest(sluice);
  const stream = async (text: string, body = "") => {
    const connection = await RawConnection.open(sluice.port);
    const headers = { accept: "text/event-stream", authorization: `Bearer ${token}`, ...inSession(session) };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const content = `content-type: application/json\r\ncontent-length: ${body.length}\r\n`;
    await connection.send(
      bytes(`${text} /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines}${body && content}\r\n${body}`),
    );
    const { status, headers: answered } = await connection.receive({ headOnly: true });
    return { connection, status, retryAfter: answered.get("retry-after") };
  };

  const rounds = 3;
  for (let round = 0; round < rounds; round++) {
    const streams = [
      await stream("GET"),
      await stream("GET"),
      await stream("POST", JSON.stringify(toolCall("up-talk"))),
    ];
    assertEquals(streams.map(({ status }) => status), [200, 200, 200]);
    await waitFor(async () => (await open(sluice)).join() === "0,3", { what: "three streams, no request" });

    const refused = await stream("GET");
    assertEquals([refused.status, refused.retryAfter], [503, "1"]);
    refused.connection.close();
    // A call that turns into a stream when these are full keeps its place among the requests, and is served.
    const extra = await stream("POST", JSON.stringify(toolCall("up-talk")));
    assertEquals(extra.status, 200);
    await waitFor(async () => (await open(sluice)).join() === "1,3", { what: "a stream among the requests" });
    // Calls find their places free.
    const calls = await Promise.all(
      Array.from(
        { length: 3 },
        () => post(sluice, toolCall("up-slow"), { token, headers: inSession(session) }),
      ),
    );
    assertEquals(calls.map(({ status }) => status), [200, 200, 200]);

    // Some end, some clients leave.
    if (round === 1) upstream.hangUp();
    for (const { connection } of [...streams, extra]) connection.close();
    await atRest(sluice);
  }
  assertEquals(await metric(sluice, "sluice_requests_refused_total{", "TOO_MANY_STREAMS"), rounds);
  assertEquals(await metric(sluice, "sluice_streams_limit "), 3);
});

for (const protocol of ["http", "https"] as const) {
  Deno.test({
    name: `serve over ${protocol} cancels the calls of clients that leave, and gives their places back`,
    ignore: protocol === "https" && canLeaveOut("openssl"),
    fn: async () => {
      const folder = await Deno.makeTempDir({ prefix: "sluice_leave_" });
      await using upstream = SlowUpstream.start({ delayMs: Infinity });
      const tls = protocol === "https" ? await makeSelfSigned(folder, "gateway") : null;
      await using sluice = await Sluice.start({
        env: {
          ...{ BACKPRESSURE: "4", WORKERS: "2", TOOL_TIMEOUT: "3600" },
          ...(tls === null ? {} : { SSL: "true", CERT_FILE: tls.certFile, KEY_FILE: tls.keyFile }),
        },
      });
      const caCerts = tls === null ? [] : [await Deno.readTextFile(tls.certFile)];
      await Deno.remove(folder, { recursive: true });
      const address = { hostname: "127.0.0.1", port: sluice.port };
      const connect = () => tls === null ? Deno.connect(address) : Deno.connectTls({ ...address, caCerts });
      await sluice.registerUpstream("up", upstream.url);
      await atRest(sluice);

      const whole = rawPost(await sluice.token(), JSON.stringify(toolCall("up-slow")));
      const apart = [whole.subarray(0, -40), whole.subarray(-40)];
      for (const [round, parts] of [[whole], apart].entries()) {
        const connections = await Promise.all(Array.from({ length: 64 }, connect));
        for (const part of parts) {
          await Promise.all(connections.map((connection) => connection.write(part)));
          // The head alone takes a place: Deno 2.9 sees by itself only those leave whose request came in one read.
          await waitFor(async () => (await open(sluice))[0] === 8, { what: "all places taken" });
        }
        await waitFor(() => upstream.calls === 8 * (round + 1), { what: "all calls at the upstream" });
        for (const connection of connections) connection.close();
        await atRest(sluice);
        await waitFor(() => upstream.abandoned === 8 * (round + 1), { what: "the upstream to be told" });
      }
    },
  });
}

Deno.test("serve with DISABLE_ACCESS_LOG=false writes a line for each request, without secrets, and tells its id", async () => {
  await using upstream = SlowUpstream.start({ delayMs: 1 });
  await using sluice = await Sluice.start({ env: { DISABLE_ACCESS_LOG: "false", WORKERS: "2" } });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token();
  const session = await openSession(sluice, { token });
  const headers = { "x-correlation-id": "deploy-17", ...inSession(session) };
  // All at once, each on a connection of its own, so that the kernel gives some to either worker.
  const inSessionCount = 24;
  await Promise.all(
    Array.from({ length: inSessionCount }, () => post(sluice, toolCall("up-slow"), { token, headers })),
  );
  await post(sluice, toolCall("up-slow"), { token, path: "/rpc", headers: { "x-correlation-id": "rpc-1" } });
  await post(sluice, toolCall("up-nothing"), {
    token,
    path: "/rpc?api_key=hunter2",
    headers: { "x-correlation-id": "lost-1" },
  });
  const refused = await fetch(`${sluice.url}/gateways?api_key=hunter2`);
  await refused.body?.cancel();

  const lines = await waitFor(() => {
    const found = sluice.log().filter(({ event, path }) => event === "request" && path !== "/ready");
    return found.length >= inSessionCount + 5 ? found : null;
  }, { what: "all lines" });
  const calls = lines.filter(({ correlationId }) => correlationId === "rpc-1").map((line) =>
    ["status", "method", "path", "endpoint", "rpcMethod", "tool", "upstream", "bytes"]
      .map((field) => line[field]).join()
  );
  const { length } = '{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}';
  assertEquals(calls, [`200,POST,/rpc,rpc,tools/call,up-slow,up,${length}`]);
  // What the session's owner learns of a forwarded call comes back with the reply.
  const inThatSession = lines.filter(({ correlationId }) => correlationId === "deploy-17");
  assertEquals(inThatSession.length, inSessionCount);
  assert(
    inThatSession.every(({ session: name, latencyMs }) =>
      typeof name === "string" && name !== session && Number(latencyMs) >= 1
    ),
  );
  const noted = inThatSession.map(({ rpcMethod, tool, upstream }) => [rpcMethod, tool, upstream].join());
  assertEquals(new Set(noted), new Set(["tools/call,up-slow,up"]));
  assertEquals(new Set(inThatSession.map(({ worker }) => worker)).size, 2);
  const failed = lines.find(({ correlationId }) => correlationId === "lost-1");
  assertEquals([failed?.path, failed?.status, failed?.rpcMethod], ["/rpc", 200, "tools/call"]);
  const denied = lines.find(({ correlationId }) => correlationId === refused.headers.get("x-correlation-id"));
  assertEquals([denied?.path, denied?.status, denied?.endpoint], ["/gateways", 401, "admin"]);
  for (const secret of ["hunter2", token, session]) {
    assert(!sluice.stdout.lines.some((line) => line.includes(secret)));
  }
});
