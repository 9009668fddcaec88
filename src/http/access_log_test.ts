import { assert, assertEquals } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { MemorySink, principal, settle } from "../../tests/support/fakes.ts";
import type { LogFormat } from "../telemetry/log.ts";
import { correlationIdOf, noteCaller } from "../telemetry/call_note.ts";
import { AccessLog, type Place } from "./access_log.ts";

function setUp(format: LogFormat = "json") {
  const sink = new MemorySink();
  let nowMs = 1_000;
  const log = new AccessLog({
    worker: 3,
    format,
    sink,
    nowMs: () => nowMs,
    now: () => Date.parse("2026-01-02T03:04:05Z"),
  });
  return { sink, log, pass: (ms: number) => nowMs += ms };
}

const RPC = { path: "/rpc", endpoint: "rpc", client: "203.0.113.9" };
const SENDER = {
  principal: principal({ subject: "ana@example.com", jti: "j-1" }),
  received: new Headers({ "x-correlation-id": "c-1" }),
};

const request = (headers: Record<string, string> = {}) =>
  new Request("http://gateway/rpc?token=hunter2", {
    method: "POST",
    body: "{}",
    headers: { authorization: "Bearer hunter2", cookie: "jwt=hunter2", ...headers },
  });

function begin(log: AccessLog, asked: Request, place: Place) {
  return log.begin(asked, correlationIdOf(asked.headers), place);
}

Deno.test("AccessLog writes what is known of a request, and neither query nor secret", () => {
  const { sink, log, pass } = setUp();
  const record = begin(log, request({ "x-correlation-id": "deploy-17" }), RPC);
  pass(12.3456);
  noteCaller(record.note, SENDER.principal);
  Object.assign(record.note, { rpcMethod: "tools/call", tool: "time-now", upstream: "time", session: "s1" });
  record.note.code = "UPSTREAM_TIMEOUT";
  record.answered(200, null);
  log.close();
  assertEquals(JSON.parse(sink.lines.join("").split("\n")[0]!), {
    time: "2026-01-02T03:04:05.000Z",
    level: "INFO",
    event: "request",
    worker: 3,
    method: "POST",
    path: "/rpc",
    endpoint: "rpc",
    status: 200,
    latencyMs: 12.346,
    correlationId: "deploy-17",
    client: "203.0.113.9",
    caller: "ana@example.com",
    jti: "j-1",
    rpcMethod: "tools/call",
    tool: "time-now",
    upstream: "time",
    session: "s1",
    code: "UPSTREAM_TIMEOUT",
  });
  assertEquals(sink.lines.join("").includes("hunter2"), false);
});

Deno.test("AccessLog writes a line for a call on a channel", () => {
  const { sink, log, pass } = setUp();
  const record = log.beginCall({ path: "/ws", endpoint: "ws", client: "203.0.113.9" }, SENDER);
  Object.assign(record.note, { rpcMethod: "tools/call", tool: "time-now", upstream: "time" });
  pass(2);
  record.answered('{"é":1}');
  log.close();
  assertEquals(JSON.parse(sink.lines.join("")), {
    time: "2026-01-02T03:04:05.000Z",
    level: "INFO",
    event: "call",
    worker: 3,
    path: "/ws",
    endpoint: "ws",
    latencyMs: 2,
    correlationId: "c-1",
    client: "203.0.113.9",
    caller: "ana@example.com",
    jti: "j-1",
    rpcMethod: "tools/call",
    tool: "time-now",
    upstream: "time",
    bytes: 8,
  });
});

Deno.test("AccessLog writes a line for each request of a batch behind the batch's own, with its caller", () => {
  const { sink, log } = setUp();
  const record = begin(log, request({ "x-correlation-id": "b-1" }), RPC);
  noteCaller(record.note, principal({ kind: "anonymous" }));
  Object.assign(record.note, { rpcMethod: "batch", session: "s1" });
  record.note.calls = [
    { correlationId: "b-1", rpcMethod: "tools/call", tool: "time-now", upstream: "time" },
    { correlationId: "b-1", code: "INVALID_REQUEST" },
  ];
  record.answered(200, null);
  log.close();
  const lines = sink.lines.join("").trim().split("\n").map((line) => JSON.parse(line));
  const common = {
    time: "2026-01-02T03:04:05.000Z",
    level: "INFO",
    worker: 3,
    path: "/rpc",
    endpoint: "rpc",
  };
  const whose = { correlationId: "b-1", client: "203.0.113.9", caller: "anonymous", session: "s1" };
  assertEquals(lines, [
    { ...common, ...whose, event: "request", method: "POST", status: 200, latencyMs: 0, rpcMethod: "batch" },
    { ...common, ...whose, event: "call", rpcMethod: "tools/call", tool: "time-now", upstream: "time" },
    { ...common, ...whose, event: "call", code: "INVALID_REQUEST" },
  ]);
});

Deno.test("AccessLog tells no size of an answer that was many messages", () => {
  const { sink, log } = setUp();
  log.beginCall({ path: "/ws", endpoint: "ws" }, SENDER).answered(null);
  log.close();
  assertEquals("bytes" in JSON.parse(sink.lines.join("")), false);
});

Deno.test("AccessLog writes text that a client's words cannot break out of", () => {
  const { sink, log } = setUp("text");
  const record = begin(log, request({ "x-correlation-id": "a b" }), {
    path: "/x\u001b[31m",
    endpoint: "none",
  });
  record.note.rpcMethod = "ping status=200";
  noteCaller(record.note, principal({ subject: "ana\u009b31m" }));
  record.answered(404, null);
  log.close();
  assertEquals(
    sink.lines,
    [
      '2026-01-02T03:04:05.000Z INFO request worker=3 method=POST path="/x\\u001b[31m" endpoint=none status=404 ' +
      'latencyMs=0 correlationId=ab caller="ana\\u009b31m" rpcMethod="ping status=200"\n',
    ],
  );
});

Deno.test("AccessLog shows no one-time token of a path", () => {
  const { sink, log } = setUp();
  const paths = {
    "/teams/invitations/hunter2/accept": "/teams/invitations/*****/accept",
    "/auth/email/reset-password/hunter2": "/auth/email/reset-password/*****",
    "/auth/email/admin/users/ann@x/reset-password": "/auth/email/admin/users/ann@x/reset-password",
  };
  for (const path of Object.keys(paths)) {
    begin(log, request(), { path, endpoint: path.startsWith("/auth") ? "login" : "admin" }).answered(
      200,
      null,
    );
  }
  log.close();
  const lines = sink.lines.join("").trim().split("\n").map((line) => JSON.parse(line).path);
  assertEquals(lines, Object.values(paths));
});

Deno.test("AccessLog makes an id where the client gives none, or none that can be used, and bounds what it takes", () => {
  const { log } = setUp();
  const idOf = (headers: Record<string, string>) => begin(log, request(headers), RPC).note.correlationId;
  assert(/^[0-9a-f-]{36}$/.test(idOf({})));
  assert(/^[0-9a-f-]{36}$/.test(idOf({ "x-correlation-id": '{}"' })));
  assertEquals(idOf({ "x-correlation-id": "x".repeat(1_000) }), "x".repeat(128));
});

Deno.test("AccessLog writes a stream's line when it has ended, however that was", async () => {
  for (const isCutOff of [false, true]) {
    const { sink, log, pass } = setUp();
    const ended = Promise.withResolvers<void>();
    begin(log, request(), { path: "/mcp", endpoint: "mcp" }).answered(200, ended.promise);
    await settle();
    log.close();
    assertEquals(sink.lines, []);
    pass(5_000);
    if (isCutOff) ended.reject(new Error("the client is gone"));
    else ended.resolve();
    await settle();
    log.close();
    assertEquals(JSON.parse(sink.lines[0]!).latencyMs, 5_000);
  }
});

Deno.test("AccessLog gathers lines for a moment, or until they are many", () => {
  const timers = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { sink, log } = setUp();
    const answer = () => begin(log, request(), RPC).answered(200, null);
    answer();
    answer();
    assertEquals(sink.lines, []);
    timers.tick(50);
    assertEquals(sink.lines.map((text) => text.split("\n").length - 1), [2]);
    for (let i = 0; i < 5_000; i++) answer();
    assert(sink.lines.length > 3, String(sink.lines.length));
    assert(sink.lines.every((text) => text.length < 251_000 && text.endsWith("\n")));
    log.close();
    assertEquals(sink.lines.join("").split("\n").length - 1, 5_002);
  } finally {
    timers.uninstall();
  }
});
