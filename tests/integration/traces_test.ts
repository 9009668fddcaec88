// Traces of a gateway with two workers, as a receiver sees them that reads OTLP by OpenTelemetry's own definitions.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { OtlpHttp, type UrlSetting } from "../../src/telemetry/traces/otlp_http.ts";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { freePort } from "../support/free_port.ts";
import { post, toolCall } from "../support/mcp_post.ts";
import { META_LAUNCH, startMetaUpstream } from "../support/meta_upstream.ts";
import { OtlpReceiver, type SeenSpan } from "../support/otlp_receiver.ts";
import { hasProgram } from "../support/programs.ts";
import { Prometheus } from "../support/prometheus.ts";
import { pythonProgram } from "../support/python_programs.ts";
import { RecordingUpstream } from "../support/recording_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
const METRICS_TOKEN = "Qm4Xy7Rt2Lk9Vb5Nc8Wd3Jf6Hg1Ps0Ze";

function traceId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** A call with the headers of a caller's span. */
function headersOf(trace: string, isSampled = true): Record<string, string> {
  return { traceparent: `00-${trace}-${CALLER}-${isSampled ? "01" : "00"}` };
}

/** The spans of a trace, once so many have arrived. */
async function trace(receiver: OtlpReceiver, id: string, spans: number): Promise<SeenSpan[]> {
  const own = (all: readonly SeenSpan[]) => all.filter(({ traceId }) => traceId === id);
  return own(await receiver.until((all) => own(all).length >= spans, `${spans} spans of trace ${id}`));
}

/** The spans of a trace of several workers, as soon as those from `name` up to the caller's have come. Each worker exports its own. */
async function wholeTrace(receiver: OtlpReceiver, id: string, name: string): Promise<SeenSpan[]> {
  const own = (all: readonly SeenSpan[]) => all.filter(({ traceId }) => traceId === id);
  const isWhole = (spans: readonly SeenSpan[]) => {
    let at = spans.find((span) => span.name === name);
    while (at !== undefined && at.parentSpanId !== CALLER) {
      const { parentSpanId } = at;
      at = spans.find(({ spanId }) => spanId === parentSpanId);
    }
    return at !== undefined;
  };
  return own(await receiver.until((all) => isWhole(own(all)), `the spans above ${name} of trace ${id}`));
}

interface ReadExemplar {
  readonly name: string;
  readonly le: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestamp: number;
}

/** @throws {Error} with the words of the parser */
async function exemplarsIn(text: string): Promise<ReadExemplar[]> {
  const child = pythonProgram("read_metrics.py").spawn();
  const [output] = await Promise.all([child.output(), written(child.stdin, text)]);
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
  return JSON.parse(new TextDecoder().decode(output.stdout));
}

async function written(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
}

function named(spans: readonly SeenSpan[], name: string): SeenSpan {
  const found = spans.filter((span) => span.name === name);
  assertEquals(found.length, 1, `${name} in ${spans.map(({ name }) => name).join(", ")}`);
  return found[0]!;
}

function settings(receiver: { readonly url: string }, more: Record<string, string> = {}) {
  return {
    OTEL_ENABLE_OBSERVABILITY: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_BSP_SCHEDULE_DELAY: "50",
    ...more,
  };
}

/** Opens a session. @returns its headers */
async function openSession(sluice: Sluice, path = "/mcp"): Promise<Record<string, string>> {
  const params = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  };
  const { sessionId } = await post(sluice, { jsonrpc: "2.0", id: 1, method: "initialize", params }, { path });
  return { "mcp-session-id": sessionId!, "mcp-protocol-version": "2025-06-18" };
}

Deno.test("A call is one trace, from its client to its upstream", async (t) => {
  await using receiver = await OtlpReceiver.start();
  await using upstream = RecordingUpstream.start();
  await using sluice = await Sluice.start({
    env: settings(receiver, {
      OTEL_SERVICE_NAME: "gate",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test%20bench,service.name=other",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20c0llector",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      ENABLE_HEADER_PASSTHROUGH: "true",
      DEFAULT_PASSTHROUGH_HEADERS: "traceparent,x-tenant",
      MCP_SESSION_POOL_ENABLED: "true",
      HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS: "0",
      METRICS_TOKEN,
    }),
  });
  const secretUrl = `${upstream.url}?key=upst7eam-key`;
  await sluice.registerUpstream("up", secretUrl, { auth_type: "bearer", auth_token: "upst7eam-token" });
  const token = await sluice.token();
  const call = (args: object, headers: Record<string, string>, path = "/rpc") =>
    post(sluice, toolCall("up-work", args), { path, headers, token });

  await t.step("with the spans of its way, under the client's own", async () => {
    const { body } = await call({ secret: "argum3nt" }, {
      ...headersOf(TRACE),
      tracestate: STATE,
      "x-correlation-id": "order-7",
      "x-tenant": "t3nant",
    });
    assert(body.result, JSON.stringify(body));
    const spans = await trace(receiver, TRACE, 8);
    const edge = named(spans, "POST /rpc");
    const operation = named(spans, "tools/call up-work");
    const client = named(spans, "tools/call work");
    assertEquals([edge.kind, operation.kind, client.kind], ["SERVER", "SERVER", "CLIENT"]);
    const parents = Object.fromEntries(spans.map(({ name, parentSpanId }) => [name, parentSpanId]));
    assertEquals(parents, {
      "POST /rpc": CALLER,
      auth: edge.spanId,
      admission: edge.spanId,
      "tools/call up-work": edge.spanId,
      "tools/call work": operation.spanId,
      "pool wait": client.spanId,
      connection: client.spanId,
      result: edge.spanId,
    });
    const { "client.address": client_, "sluice.correlation_id": correlation, ...http } = edge.attributes;
    assertEquals([client_, correlation], ["127.0.0.1", "order-7"]);
    assertEquals(http, {
      "http.request.method": "POST",
      "http.route": "/rpc",
      "url.path": "/rpc",
      "url.scheme": "http",
      "http.response.status_code": 200,
      "sluice.endpoint": "rpc",
    });
    assertEquals(operation.attributes, {
      "mcp.method.name": "tools/call",
      "mcp.protocol.version": "2025-11-25",
      "gen_ai.tool.name": "up-work",
      "gen_ai.operation.name": "execute_tool",
      "jsonrpc.request.id": "1",
      "sluice.upstream": "up",
      "sluice.correlation_id": "order-7",
    });
    assertEquals(client.attributes, {
      "mcp.method.name": "tools/call",
      "gen_ai.tool.name": "work",
      "gen_ai.operation.name": "execute_tool",
      "network.transport": "tcp",
      "server.address": "127.0.0.1",
      "server.port": Number(new URL(upstream.url).port),
      "sluice.upstream": "up",
    });
    for (const { startedAt, endedAt, traceState, isError } of spans) {
      assert(edge.startedAt <= startedAt && startedAt <= endedAt && endedAt <= edge.endedAt);
      assertEquals([traceState, isError], [STATE, false]);
    }
    // The system's clock, to the second.
    assert(Math.abs(Number(edge.endedAt / 1_000_000n) - Date.now()) < 60_000);
  });

  await t.step("which the upstream continues by header and _meta", async () => {
    const client = named(await trace(receiver, TRACE, 8), "tools/call work");
    const { headers, params } = upstream.calls()[0]!;
    const traceparent = `00-${TRACE}-${client.spanId}-01`;
    assertEquals([headers.get("traceparent"), headers.get("tracestate")], [traceparent, STATE]);
    assertEquals(params._meta, { traceparent, tracestate: STATE });
    assertEquals(headers.get("x-tenant"), "t3nant");
  });

  await t.step("in a pooled session by the header of each call", async () => {
    const ids = Array.from({ length: 6 }, traceId);
    const before = upstream.calls().length;
    for (const id of ids) await call({}, headersOf(id));
    // A session by each of the two workers at most, whatever the callers' traces are.
    const sessions = new Set(
      upstream.calls().slice(before).map(({ headers }) => headers.get("mcp-session-id")),
    );
    assert(sessions.size <= 2, `${sessions.size} sessions for ${ids.length} calls`);
    const seen = upstream.calls().slice(before).map(({ headers }) =>
      headers.get("traceparent")!.split("-")[1]
    );
    assertEquals(seen, ids);
  });

  await t.step("in a session, by whichever worker has it", async () => {
    const session = await openSession(sluice);
    // The kernel gives a connection to either worker: one request of several comes to the other.
    const ids = Array.from({ length: 16 }, traceId);
    for (const id of ids) await call({}, { ...headersOf(id), ...session }, "/mcp");
    const traces = await Promise.all(ids.map((id) => trace(receiver, id, 7)));
    const forwarded = traces.filter((spans) => spans.some(({ name }) => name === "forward"));
    assert(forwarded.length > 0, "no request was forwarded");
    for (const spans of forwarded) {
      const forward = named(spans, "forward");
      const operation = named(spans, "tools/call up-work");
      assertEquals([forward.kind, operation.kind], ["CLIENT", "SERVER"]);
      assertEquals(forward.parentSpanId, named(spans, "POST /mcp").spanId);
      assertEquals(operation.parentSpanId, forward.spanId);
      assert(operation.resource["service.instance.id"] !== forward.resource["service.instance.id"]);
      assertEquals(named(spans, "tools/call work").parentSpanId, operation.spanId);
      assert(typeof operation.attributes["mcp.session.id"] === "string");
    }
  });

  await t.step("also where the client names its span in _meta alone, or another one there", async () => {
    const [only, other] = [traceId(), traceId()];
    const inMeta = (id: string) => ({ traceparent: `00-${id}-${CALLER}-01`, progressToken: "p" });
    const params = (id: string) => ({ name: "up-work", arguments: {}, _meta: inMeta(id) });
    await post(sluice, { jsonrpc: "2.0", id: 1, method: "tools/call", params: params(only) }, {
      path: "/rpc",
    });
    const edge = named(await trace(receiver, only, 5), "POST /rpc");
    assertEquals(edge.parentSpanId, CALLER);
    const { _meta: meta } = upstream.calls().at(-1)!.params;
    assertEquals([meta.progressToken, meta.traceparent.split("-")[1]], ["p", only]);
    const own = traceId();
    await post(sluice, { jsonrpc: "2.0", id: 1, method: "tools/call", params: params(other) }, {
      path: "/rpc",
      headers: headersOf(own),
    });
    const [http, mcp] = [await trace(receiver, own, 3), await trace(receiver, other, 2)];
    const operation = named(mcp, "tools/call up-work");
    assertEquals(operation.parentSpanId, CALLER);
    assertEquals(operation.links, [named(http, "POST /rpc").spanId]);
  });

  await t.step("with what failed, and why", async () => {
    const rows = [
      ["error", "-32603", { code: "-32603" }],
      ["isError", "tool_error", { code: undefined }],
    ] as const;
    for (const [ends, type, { code }] of rows) {
      const id = traceId();
      await call({ ends }, headersOf(id));
      const spans = await trace(receiver, id, 5);
      for (const name of ["tools/call up-work", "tools/call work"]) {
        const { isError, attributes } = named(spans, name);
        assertEquals([isError, attributes["error.type"]], [true, type]);
      }
      assertEquals(named(spans, "tools/call up-work").attributes["rpc.response.status_code"], code);
      assertEquals(named(spans, "POST /rpc").isError, false);
    }
    const unknown = traceId();
    await post(sluice, toolCall("up-none", {}), { path: "/rpc", headers: headersOf(unknown) });
    const operation = named(await trace(receiver, unknown, 4), "tools/call");
    assertEquals(operation.attributes["error.type"], "TOOL_NOT_FOUND");
    const refused = traceId();
    await post(sluice, toolCall("up-work", {}), {
      path: "/rpc",
      headers: headersOf(refused),
      token: "eyJ.not-a.t0ken",
    });
    assertEquals(
      named(await trace(receiver, refused, 2), "auth").attributes["error.type"],
      "UNAUTHENTICATED",
    );
  });

  await t.step(
    "which the histograms name, as Prometheus and the parser of its client library read them",
    async () => {
      const response = await fetch(`${sluice.url}/metrics/prometheus`, {
        headers: { authorization: `Bearer ${METRICS_TOKEN}`, accept: "application/openmetrics-text" },
      });
      const exemplars = await exemplarsIn(await response.text());
      const ids = new Set(exemplars.map(({ labels }) => labels.span_id));
      const all = await receiver.until(
        (spans) => [...ids].every((id) => spans.some(({ spanId }) => spanId === id)),
        "the spans that exemplars name",
      );
      for (const { name, le, labels, value, timestamp } of exemplars) {
        const span = all.find(({ spanId }) => spanId === labels.span_id)!;
        assertEquals([labels.trace_id, Object.keys(labels).length], [span.traceId, 2]);
        const seconds = Number(span.endedAt - span.startedAt) / 1e9;
        assert(Math.abs(seconds - value) < 1e-5, `${name}: ${value} of ${seconds} s`);
        assert(value <= Number(le.replace("+Inf", "Infinity")), `${value} s in the bucket ${le}`);
        assert(Math.abs(timestamp - Number(span.endedAt / 1_000_000n) / 1_000) < 60, `${timestamp}`);
      }
      const named = new Set(exemplars.map(({ name }) => name));
      assertEquals([...named].toSorted(), [
        "mcp_client_operation_duration_seconds_bucket",
        "mcp_server_operation_duration_seconds_bucket",
        "sluice_http_request_duration_seconds_bucket",
      ]);
      if (!hasProgram("prometheus")) return;
      await using prometheus = await Prometheus.start({
        target: new URL(sluice.url).host,
        token: METRICS_TOKEN,
        rules: "groups: []",
      });
      const query = {
        query: 'mcp_client_operation_duration_seconds_bucket{error_type="tool_error"}',
        start: String(Date.now() / 1_000 - 3_600),
        end: String(Date.now() / 1_000 + 3_600),
      };
      let stored: { exemplars: { labels: { trace_id: string } }[] }[] = [];
      await waitFor(async () => (stored = await prometheus.get("query_exemplars", query)).length > 0, {
        what: "an exemplar in Prometheus",
      });
      const traces = new Set(all.filter(({ isError }) => isError).map(({ traceId }) => traceId));
      assert(stored[0]!.exemplars.every(({ labels }) => traces.has(labels.trace_id)), JSON.stringify(stored));
    },
  );

  await t.step("as the settings describe the gateway, and without secrets", () => {
    const [{ path, headers }] = receiver.requests();
    assertEquals([path, headers.authorization], ["/v1/traces", "Bearer c0llector"]);
    const { resource } = receiver.spans()[0]!;
    assertEquals(
      [resource["service.name"], resource["deployment.environment.name"]],
      ["gate", "test bench"],
    );
    const secrets = ["argum3nt", "upst7eam", "t3nant", "t0ken", token, sluice.secret];
    const text = receiver.text();
    assertEquals(secrets.filter((secret) => text.includes(secret)), []);
    assert(!sluice.stdout.lines.join("\n").includes("c0llector"));
  });
});

Deno.test("Slow and failed calls are exported whatever the sampler says, and other text goes on as it came", async (t) => {
  await using receiver = await OtlpReceiver.start();
  await using upstream = RecordingUpstream.start();
  await using sluice = await Sluice.start({
    env: settings(receiver, {
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0",
      TRACE_SLOW_CALLS: "1.5",
      DISABLE_ACCESS_LOG: "true",
    }),
  });
  await sluice.registerUpstream("up", upstream.url);
  const token = await sluice.token();
  const session = await openSession(sluice);
  const [quick, slow, sampled] = [traceId(), traceId(), traceId()];
  const call = (id: string, args: object, isSampled = false) =>
    post(sluice, toolCall("up-work", args), {
      headers: { ...session, ...headersOf(id, isSampled) },
      token,
    });

  await t.step("they are", async () => {
    // The first call opens the session at the upstream, which may take its time.
    await call(traceId(), {});
    await call(quick, {});
    await call(slow, { ms: 1_700 });
    await call(sampled, {}, true);
    // Of several calls, some are forwarded to the worker of the session.
    const failed = Array.from({ length: 8 }, traceId);
    for (const id of failed) await call(id, { ends: "error" });
    for (const id of [slow, sampled, ...failed]) {
      const spans = await trace(receiver, id, 6);
      assertEquals(named(spans, "POST /mcp").parentSpanId, CALLER);
      assertEquals(named(spans, "tools/call work").traceId, id);
    }
    assertEquals(receiver.spans().filter(({ traceId }) => traceId === quick), []);
  });

  await t.step(
    "the upstream learns that a trace is not sampled, and gets the params as they came",
    async () => {
      const text = '{ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ' +
        '{ "name":"up-work",  "arguments": {"n": 1.0, "big": 12345678901234567890, "e":"\\u00e9"}, "_meta": {"x":  [1, 2]} } }';
      const response = await fetch(`${sluice.url}/mcp`, {
        method: "POST",
        headers: {
          ...session,
          ...headersOf(quick, false),
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json",
        },
        body: text,
      });
      assertEquals(response.status, 200, await response.text());
      const { headers, text: sent } = upstream.calls().at(-1)!;
      assert(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/.test(headers.get("traceparent")!));
      assertEquals(headers.get("traceparent")!.split("-")[1], quick);
      const params = text.slice(text.indexOf('{ "name"'), -2).replace('"up-work"', '"work"');
      assert(sent.endsWith(`"params":${params}}`), sent);
    },
  );

  await t.step(
    "an upstream gets the header of its client as it came, and none of the gateway's own",
    async () => {
      const plain = (headers: Record<string, string>) =>
        post(sluice, toolCall("up-work", {}), { path: "/rpc", headers, token });
      await plain({ ...headersOf(quick, false), tracestate: STATE });
      const { headers: passed } = upstream.calls().at(-1)!;
      assertEquals(passed.get("traceparent"), `00-${quick}-${CALLER}-00`);
      assertEquals(passed.get("tracestate"), STATE);
      await plain({});
      assertEquals(upstream.calls().at(-1)!.headers.get("traceparent"), null);
      const headers = { "x-correlation-id": "no-context" };
      await post(sluice, toolCall("up-work", { ends: "error" }), { path: "/rpc", headers, token });
      const isIts = ({ name, attributes }: SeenSpan) =>
        name === "POST /rpc" && attributes["sluice.correlation_id"] === "no-context";
      const all = await receiver.until((spans) => spans.some(isIts), "the failed call without a context");
      const spans = await trace(receiver, all.find(isIts)!.traceId, 6);
      assertEquals(named(spans, "tools/call work").isError, true);
    },
  );
});

Deno.test("A receiver that is down, hangs, lies or fails costs no call anything", async (t) => {
  const over = Promise.withResolvers<void>();
  let mode: "hang" | "fail" | "huge" | "refuse" = "hang";
  await using bad = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    await request.body?.cancel();
    if (mode === "refuse") return new Response(null, { status: 401 });
    if (mode === "fail") return new Response(null, { status: 500 });
    if (mode === "hang") {
      await over.promise;
      return new Response(null);
    }
    const chunk = new Uint8Array(1 << 20).fill(255);
    return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }));
  });
  await using upstream = RecordingUpstream.start();
  const sluice = await Sluice.start({
    env: settings({ url: `http://127.0.0.1:${bad.addr.port}/p4th` }, {
      WORKERS: "1",
      OTEL_EXPORTER_OTLP_TIMEOUT: "300",
      OTEL_BSP_MAX_QUEUE_SIZE: "20",
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "10",
      OTEL_BSP_SCHEDULE_DELAY: "20",
    }),
  });
  await using _stopped = sluice;
  await sluice.registerUpstream("up", upstream.url);
  const lost = async (reason: string) => {
    const { body } = await sluice.api("GET", "/metrics/prometheus");
    return Number(new RegExp(`spans_lost_total\\{reason="${reason}"\\} (\\d+)`).exec(body)![1]);
  };
  const call = async () => assert((await sluice.rpc("tools/call", { name: "up-work" })).body.result);
  const warnings = () => sluice.log().filter(({ event }) => event === "traces cannot be exported");

  await t.step("what finds no place is counted, and the log says so once", async () => {
    await Promise.all(Array.from({ length: 60 }, call));
    await waitFor(async () => await lost("queue_full") > 100, { what: "a full queue" });
    await waitFor(() => warnings().length > 0, { what: "a warning" });
    assertEquals(warnings().length, 1);
    assert(String(warnings()[0]!.reason).includes("did not answer in 300 ms"));
    assert(!String(warnings()[0]!.reason).includes("p4th"));
  });

  await t.step("an endless answer is given up", async () => {
    mode = "huge";
    await waitFor(async () => {
      await call();
      const { body } = await sluice.api("GET", "/metrics/prometheus");
      return Number(/spans_exported_total (\d+)/.exec(body)![1]) > 0;
    }, { what: "exported spans" });
  });

  await t.step("spans that are refused are not sent again", async () => {
    mode = "refuse";
    await waitFor(async () => {
      await call();
      return await lost("refused") > 0;
    }, { what: "refused spans" });
  });

  await t.step("the gateway ends in time", async () => {
    mode = "hang";
    await call();
    assertEquals(await sluice.stop(), 0);
  });
  over.resolve();
});

Deno.test("The last spans are exported when the gateway ends", async () => {
  await using receiver = await OtlpReceiver.start();
  await using upstream = RecordingUpstream.start();
  await using sluice = await Sluice.start({ env: settings(receiver, { OTEL_BSP_SCHEDULE_DELAY: "600000" }) });
  await sluice.registerUpstream("up", upstream.url);
  const id = traceId();
  await post(sluice, toolCall("up-work", {}), { path: "/rpc", headers: headersOf(id) });
  assertEquals(receiver.spans(), []);
  assertEquals(await sluice.stop(), 0);
  assert((await trace(receiver, id, 5)).length >= 5);
});

Deno.test("A call that another replica forwards is one trace, also at upstreams over stdio and SSE", async () => {
  await using receiver = await OtlpReceiver.start();
  await using sse = startMetaUpstream();
  const env = settings(receiver, { STDIO_ENABLED: "true" });
  await withTwo(async (one, other, token) => {
    const upstreams = [
      { name: "pipe", transport: "STDIO", ...META_LAUNCH },
      { name: "events", transport: "SSE", url: sse.url },
    ];
    for (const upstream of upstreams) {
      const { status, body } = await one.api("POST", "/gateways", upstream);
      assertEquals(status, 200, JSON.stringify(body));
    }
    const session = await openSession(one);
    for (const { name } of upstreams) {
      const id = traceId();
      const { body } = await post(other, toolCall(`${name}-meta`, {}), {
        headers: { ...headersOf(id), tracestate: STATE, ...session },
        token,
      });
      assert(body.result, JSON.stringify(body));
      const spans = await wholeTrace(receiver, id, `tools/call ${name}-meta`);
      const operation = named(spans, `tools/call ${name}-meta`);
      const client = spans.find(({ kind, name }) => kind === "CLIENT" && name === "tools/call meta")!;
      const forwards = spans.filter(({ name }) => name === "forward");
      const byId = new Map(spans.map((span) => [span.spanId, span]));
      const replicaOf = ({ resource }: SeenSpan) => String(resource["service.instance.id"]).split(":")[1];
      const forward = forwards.find((span) => replicaOf(span) !== replicaOf(operation))!;
      assert(forward !== undefined, `no other replica: ${spans.map(({ name }) => name)}`);
      assertEquals(forward.parentSpanId, named(spans, "POST /mcp").spanId);
      assertEquals(client.parentSpanId, operation.spanId);
      const meta = JSON.parse(body.result.content[0].text);
      const [, traceInMeta, spanInMeta, flags] = meta.traceparent.split("-");
      assertEquals([traceInMeta, flags, meta.tracestate], [id, "01", STATE]);
      assert(byId.has(spanInMeta), `span ${spanInMeta} of _meta is not in the trace`);
    }
  }, env);
});

Deno.test("A receiver that cannot be reached is named with the reason and the setting, and without words of the runtime", async () => {
  const reasonFor = async (url: string, urlSetting: UrlSetting) =>
    (await assertRejects(() => otlpTo(url, urlSetting).post({ spans: new Uint8Array(), count: 1 }), Error))
      .message;
  const port = freePort();
  assertEquals(
    await reasonFor(`http://127.0.0.1:${port}/v1/traces?key=hush`, "OTEL_EXPORTER_OTLP_ENDPOINT"),
    `127.0.0.1:${port}: nothing listens there (connection refused): see OTEL_EXPORTER_OTLP_ENDPOINT`,
  );
  assertEquals(
    await reasonFor("http://nowhere.invalid/v1/traces", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    "nowhere.invalid: the host name cannot be resolved: see OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  );
});

Deno.test("A receiver that refuses spans is named with the setting that its status concerns", async () => {
  let status = 404;
  await using server = serveOnLoopback(() => new Response(null, { status }));
  const url = `http://127.0.0.1:${server.addr.port}/v1/traces`;
  const hintOf = async (refusal: number, urlSetting: UrlSetting) => {
    status = refusal;
    const { why } = await otlpTo(url, urlSetting).post({ spans: new Uint8Array(), count: 1 });
    return why.split(": ")[1];
  };
  const [base, whole] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] as const;
  assertEquals(await hintOf(404, base), `see ${base}, to which /v1/traces is added`);
  assertEquals(await hintOf(404, whole), `see ${whole}, to which nothing is added`);
  assertEquals([await hintOf(405, base), await hintOf(405, whole)], [`see ${base}`, `see ${whole}`]);
  assertEquals(await hintOf(401, whole), "see OTEL_EXPORTER_OTLP_HEADERS");
});

function otlpTo(url: string, urlSetting: UrlSetting): OtlpHttp {
  return new OtlpHttp({
    ...{ url, urlSetting, headers: [], timeoutMs: 60_000, compresses: false, authorities: undefined },
    ...{ resource: {}, version: "1" },
  });
}
