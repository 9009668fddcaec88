// Calls that share upstream sessions: who shares a session, when it ends, and which calls are repeated.
import { assertEquals, assertRejects } from "@std/assert";
import { gatewayRow } from "../../tests/support/catalog_rows.ts";
import { settled } from "../../tests/support/fake_clock.ts";
import { type FakeUpstream, headerOf, result } from "../../tests/support/fake_upstream.ts";
import { codeOf } from "../../tests/support/pool_fixture.ts";
import { ANN, call, failing, passing, setUp } from "../../tests/support/pooled_upstream.ts";
import { NO_PASSTHROUGH } from "../../tests/support/upstream_deps.ts";
import { type ErrorCode, SluiceError } from "../base/errors.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";
import { Upstreams } from "./upstreams.ts";
import { httpTransports } from "../../tests/support/http_transports.ts";

Deno.test("Upstream.request() pooled keeps one session for calls of one identity after each other", async () => {
  const { ask, count, sessionsOf } = setUp();
  for (let i = 0; i < 4; i++) await ask();
  await settled();
  assertEquals(sessionsOf("tools/call"), ["s1", "s1", "s1", "s1"]);
  assertEquals([count("initialize"), count("notifications/initialized"), count("DELETE")], [1, 1, 0]);
});

Deno.test("Upstream.request() pooled gives each identity a session of its own", async () => {
  const { ask, sessionsOf } = setUp();
  const callers: Parameters<typeof call>[0][] = [
    { token: ANN },
    { token: { issuer: "i", subject: "bob", reach: "", user: "u@x.example" } },
    { token: { issuer: "j", subject: "ann", reach: "", user: "u@x.example" } },
    { token: ANN, headers: { "x-tenant-id": "t1" } },
    { token: ANN, headers: { "x-tenant-id": "t2" } },
    { token: ANN, headers: { "x-user-id": "t1" } },
    { token: ANN, headers: { cookie: "a=1" } },
    { token: null, headers: { authorization: "Basic YTpi" } },
    { token: null, headers: { authorization: "Bearer k1" } },
    { token: null, headers: { "x-upstream-authorization": "Bearer k1" } },
    { token: null },
  ];
  for (let round = 0; round < 2; round++) for (const caller of callers) await ask(caller);
  const own = callers.map((_, i) => `s${i + 1}`);
  assertEquals(sessionsOf("tools/call"), [...own, ...own]);
});

Deno.test("Upstream.request() pooled takes the renewed token of one subject for the same caller", async () => {
  const { ask, sessionsOf } = setUp();
  for (const token of ["one", "two", "three"]) await ask({ headers: { authorization: `Bearer ${token}` } });
  assertEquals(sessionsOf("tools/call"), ["s1", "s1", "s1"]);
});

Deno.test("Upstream.request() pooled pins what it passes to the session, in every request of it", async () => {
  const { ask, fake, pool } = setUp({ profile: passing("x-region") });
  for (const region of ["eu", "us", "eu", "us"]) await ask({ headers: { "x-region": region } });
  await ask({ headers: { "x-upstream-authorization": "Bearer theirs", authorization: "Bearer ours" } });
  await pool.close();
  const bySession = new Map<string, Set<string>>();
  for (const { http, sessionId } of fake.received) {
    if (sessionId === null) continue;
    const sent = `${headerOf(http, "x-region")} ${headerOf(http, "authorization")}`;
    bySession.set(sessionId, (bySession.get(sessionId) ?? new Set()).add(sent));
  }
  assertEquals([...bySession].map(([id, sent]) => [id, ...sent]), [
    ["s1", "eu null"],
    ["s2", "us null"],
    ["s3", "null Bearer theirs"],
  ]);
  const opened = fake.received.filter(({ method }) => method === "initialize");
  assertEquals(opened.map(({ http }) => headerOf(http, "x-region")), ["eu", "us", null]);
});

Deno.test("Upstream.request() bound opens another session where the pinned headers differ", async () => {
  const { ask, fake, sessionsOf } = setUp({ profile: passing("x-region") });
  const bound = new BoundSessions();
  for (const region of ["eu", "us", "eu"]) await ask({ bound, headers: { "x-region": region } });
  assertEquals(sessionsOf("tools/call"), ["s1", "s2", "s1"]);
  const sent = fake.received.filter(({ method }) => method === "tools/call");
  assertEquals(sent.map(({ http }) => headerOf(http, "x-region")), ["eu", "us", "eu"]);
});

Deno.test("Upstream.request() bound stays out of the pool, though it is switched on", async () => {
  const { ask, sessionsOf, pool } = setUp();
  const [one, two] = [new BoundSessions(), new BoundSessions()];
  for (const bound of [one, two, null, one, two, null]) await ask({ bound });
  assertEquals(sessionsOf("tools/call"), ["s1", "s2", "s3", "s1", "s2", "s3"]);
  assertEquals(pool.snapshot().total_sessions_created, 1);
});

Deno.test("Upstream.request() gives all calls one session by caller, or one for everybody, as the operator decides", async () => {
  const cases = [["caller", ["s1", "s1", "s1", "s2", "s2", "s1"]], ["shared", Array(6).fill("s1")]] as const;
  for (const [isolation, expected] of cases) {
    for (const poolEnabled of [false, true]) {
      // The pool may give a caller several at the same time, and one after the other the same.
      const { ask, sessionsOf } = setUp({ profile: { isolation }, deps: { poolEnabled } });
      const bob = { issuer: "i", subject: "bob", reach: "", user: "u@x.example" };
      const [one, two, his] = [new BoundSessions(), new BoundSessions(), new BoundSessions()];
      for (const bound of [one, two, null]) await ask({ bound });
      for (const bound of [his, null]) await ask({ bound, token: bob });
      await ask({ bound: two });
      assertEquals(sessionsOf("tools/call"), expected);
      assertEquals([one.size, two.size, his.size], [0, 0, 0]);
    }
  }
});

Deno.test("Upstream.request() pooled lets one call at a time into a session, and no more sessions than allowed", async () => {
  const running = new Map<string, number>();
  let most = 0;
  const { ask, count } = setUp({
    limits: { maxPerKey: 2 },
    script: async ({ method, sessionId, id }) => {
      if (method !== "tools/call") return undefined;
      const now = (running.get(sessionId!) ?? 0) + 1;
      running.set(sessionId!, now);
      most = Math.max(most, now);
      await settled();
      running.set(sessionId!, now - 1);
      return result(id, "{}");
    },
  });
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask()));
  assertEquals([answers.length, most, count("initialize")], [6, 1, 2]);
});

Deno.test("Upstream.request() pooled works through the expired sessions of the pool, down to a new one", async () => {
  const { ask, count, fake, pool, clock, sessionsOf } = setUp({
    script: ({ method, sessionId }) =>
      expired.has(sessionId ?? "") && method === "tools/call" ? { status: 404 } : undefined,
  });
  const expired = new Set<string>();
  await Promise.all([ask(), ask(), ask()]);
  await clock.tick(0);
  assertEquals(pool.snapshot().idle_sessions, 3);
  for (const id of ["s1", "s2", "s3"]) expired.add(id);
  const before = fake.received.length;
  assertEquals((await ask()).text, '{"ok":true}');
  await settled();
  const since = fake.received.slice(before).map(({ method }) => method);
  assertEquals(since.filter((method) => method === "tools/call").length, 4);
  // The upstream no longer knows these sessions, so there is nothing to end.
  assertEquals([count("initialize"), count("DELETE"), pool.snapshot().idle_sessions], [4, 0, 1]);
  assertEquals(sessionsOf("tools/call").at(-1), "s4");
});

Deno.test("Upstream.request() pooled gives up where one new session after the other has expired", async () => {
  const { ask, count, pool } = setUp({
    script: ({ method }) => method === "tools/call" ? { status: 404 } : undefined,
  });
  assertEquals(await codeOf(ask()), "UPSTREAM_SESSION_EXPIRED");
  assertEquals([count("initialize"), count("tools/call")], [2, 2]);
  assertEquals([pool.snapshot().idle_sessions, pool.snapshot().active_sessions], [0, 0]);
});

Deno.test("Upstream.request() shakes hands once more where the session has expired in between, and no more often", async () => {
  for (const poolEnabled of [true, false]) {
    for (const bound of [null, new BoundSessions()]) {
      const forgotten = new Set(["s1"]);
      const { ask, count, sessionsOf } = setUp({
        deps: { poolEnabled },
        script: ({ sessionId }) => forgotten.has(sessionId ?? "") ? { status: 404 } : undefined,
      });
      assertEquals((await ask({ bound })).failed, false);
      assertEquals([sessionsOf("tools/call"), count("initialize")], [["s2"], 2]);
      for (const id of ["s3", "s4", "s5"]) forgotten.add(id);
      assertEquals(
        await codeOf(ask({ bound: bound && new BoundSessions(), token: null })),
        "UPSTREAM_SESSION_EXPIRED",
      );
      assertEquals(count("initialize"), 4);
    }
  }
});

Deno.test("Upstream.request() pooled lets no session serve again after a call that failed in it", async () => {
  const failures: [string, () => ReturnType<ConstructorParameters<typeof FakeUpstream>[0] & object>][] = [
    ["UPSTREAM_HTTP_ERROR", () => ({ status: 500 })],
    ["UPSTREAM_AUTH_FAILED", () => ({ status: 401 })],
    ["UPSTREAM_PROTOCOL_ERROR", () => ({ body: "<html>" })],
    ["UPSTREAM_PROTOCOL_ERROR", () => ({ body: '{"jsonrpc":"2.0","id":"nobody","result":{}}' })],
    ["UPSTREAM_TIMEOUT", () => failing("UPSTREAM_TIMEOUT")],
    ["UPSTREAM_CLOSED", () => failing("UPSTREAM_CLOSED", { sent: 1 })],
    ["UPSTREAM_RESPONSE_TOO_LARGE", () => failing("UPSTREAM_RESPONSE_TOO_LARGE")],
  ];
  for (const [code, fail] of failures) {
    let broken = true;
    const { ask, sessionsOf } = setUp({
      script: ({ method }) => method === "tools/call" && broken ? fail() : undefined,
    });
    assertEquals(await codeOf(ask()), code);
    broken = false;
    await ask();
    await settled();
    assertEquals([sessionsOf("tools/call"), sessionsOf("DELETE")], [["s1", "s2"], ["s1"]], code);
  }
});

Deno.test("Upstream.request() pooled keeps a session whose upstream answers with an error, or that we had no connection for", async () => {
  const answers: (() => ReturnType<ConstructorParameters<typeof FakeUpstream>[0] & object>)[] = [
    () => ({ body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32050,"message":"no"}}' }),
    () => result(1, '{"isError":true,"content":[]}'),
    () => failing("HTTP_POOL_TIMEOUT", { timeoutMs: 1 }),
  ];
  for (const answer of answers) {
    let first = true;
    const { ask, sessionsOf, count, state } = setUp({
      script: ({ method }) => {
        if (method !== "tools/call" || !first) return undefined;
        first = false;
        return answer();
      },
    });
    await ask().catch(() => {});
    await ask();
    await settled();
    assertEquals([sessionsOf("tools/call"), count("DELETE"), state()], [["s1", "s1"], 0, "closed"]);
  }
});

Deno.test("Upstream.request() tells the upstream of a cancelled call before it ends the call's session", async () => {
  for (const poolEnabled of [true, false]) {
    let told = () => {};
    const heard = new Promise<void>((resolve) => (told = resolve));
    const { ask, fake, sessionsOf } = setUp({
      deps: { poolEnabled },
      script: async ({ method, sessionId }) => {
        if (method === "tools/call" && sessionId === "s1") await new Promise(() => {});
        if (method === "notifications/cancelled") await heard;
        return undefined;
      },
    });
    const gone = new AbortController();
    const long = ask({ signal: gone.signal });
    await settled();
    const other = ask();
    gone.abort(new SluiceError("REQUEST_CANCELLED"));
    assertEquals(await codeOf(long), "REQUEST_CANCELLED");
    assertEquals((await other).failed, false);
    await settled();
    assertEquals(sessionsOf("DELETE").includes("s1"), false, "the cancellation is still on its way");
    told();
    await settled();
    assertEquals(sessionsOf("DELETE").includes("s1"), true);
    const cancelled = fake.received.filter(({ method }) => method === "notifications/cancelled");
    const asked = fake.received.find(({ method }) => method === "tools/call")!;
    assertEquals(cancelled.map(({ sessionId }) => sessionId), ["s1"]);
    assertEquals((cancelled[0]!.params as { requestId: unknown }).requestId, asked.id);
  }
});

Deno.test("Upstream.request() lets a cancelled caller go at once, though its session is still being opened", async () => {
  for (const bound of [null, new BoundSessions()]) {
    const { ask, count } = setUp({
      script: ({ method }) => method === "initialize" ? new Promise(() => {}) : undefined,
    });
    const gone = new AbortController();
    const waiting = ask({ bound, signal: gone.signal });
    await settled();
    gone.abort(new SluiceError("REQUEST_CANCELLED"));
    assertEquals(await codeOf(waiting), "REQUEST_CANCELLED");
    assertEquals(count("notifications/cancelled"), 0);
  }
});

Deno.test("Upstream.request() calls nobody for a caller that has gone already", async () => {
  for (const bound of [null, new BoundSessions()]) {
    const { ask, fake } = setUp();
    const signal = AbortSignal.abort(new SluiceError("REQUEST_CANCELLED"));
    assertEquals(await codeOf(ask({ bound, signal })), "REQUEST_CANCELLED");
    await settled();
    assertEquals(fake.received, []);
  }
});

Deno.test("Upstream.request() repeats a call over any path only where it did not reach the upstream", async () => {
  const table: [code: ErrorCode, sent: number, method: string, tries: number][] = [
    ["UPSTREAM_CONNECT_FAILED", 0, "tools/call", 2],
    ["UPSTREAM_CLOSED", 0, "tools/call", 2],
    ["UPSTREAM_CLOSED", 1, "tools/call", 1],
    ["UPSTREAM_CLOSED", 1, "resources/read", 2],
    ["UPSTREAM_TIMEOUT", 1, "resources/read", 1],
  ];
  for (const [code, sent, method, tries] of table) {
    for (const path of ["pooled", "per call", "bound", "stateless"]) {
      const { upstream, count } = setUp({
        deps: { poolEnabled: path === "pooled" },
        profile: { statelessRevision: path === "stateless" ? "2025-11-25" : null },
        script: (request) => request.method === method ? failing(code, { sent }) : undefined,
      });
      const bound = path === "bound" ? new BoundSessions() : null;
      assertEquals(await codeOf(upstream.request(method, "{}", call({ bound }))), code);
      assertEquals(count(method), tries, `${path}: ${method} after ${code} (${sent})`);
    }
  }
});

Deno.test("Upstream.request() repeats no more calls than the budget allows", async () => {
  const { upstream, count } = setUp({
    profile: { statelessRevision: "2025-11-25" },
    script: () => failing("UPSTREAM_CLOSED", { sent: 0 }),
  });
  for (let i = 0; i < 100; i++) {
    await assertRejects(() => upstream.request("ping", "{}", call()), SluiceError);
  }
  // The reserve of ten, and a fifth of a hundred.
  assertEquals(count("ping") <= 130 && count("ping") >= 110, true, String(count("ping")));
});

Deno.test("Upstream.request() keeps nothing in the pool of an upstream that turns out to be stateless", async () => {
  const { ask, fake, pool, count } = setUp();
  fake.stateful = false;
  for (let i = 0; i < 3; i++) await ask();
  assertEquals([count("initialize"), count("DELETE")], [1, 0]);
  assertEquals([pool.snapshot().idle_sessions, pool.snapshot().pool_key_count], [0, 0]);
});

Deno.test("Upstreams.update() leaves a changed upstream no session that was opened before, or on an old call's account", async () => {
  const expired = new Set<string>();
  const waiting: (() => void)[] = [];
  const { fake, shared, sessionsOf, pool } = setUp({
    script: async ({ method, sessionId, id }) => {
      if (method !== "tools/call") return undefined;
      if (sessionId === "s1") await new Promise<void>((resolve) => waiting.push(resolve));
      return expired.has(sessionId!) ? { status: 404 } : result(id, "{}");
    },
  });
  const upstreams = new Upstreams({
    transports: httpTransports(fake, 10_000),
    shared,
    passthrough: NO_PASSTHROUGH,
    targetOf: ({ name, url, transport, authSecret }) =>
      Promise.resolve({
        transport,
        upstream: name,
        url: new URL(url),
        headers: [["authorization", authSecret!]],
      }),
    onUnusable: () => {},
    onShared: () => {},
  });
  const row = { ...gatewayRow("u"), authType: "bearer", authSecret: "old" };
  await upstreams.update([row]);
  const old = upstreams.get(row.id);
  const before = old.request("tools/call", "{}", call());
  await settled();
  await upstreams.update([{ ...row, authSecret: "new" }]);

  // The session has ended meanwhile. The call may open another one for itself.
  expired.add("s1");
  // The call receives the session as a used one, so it tries again.
  for (const go of waiting) go();
  await before.catch(() => {});
  await old.request("tools/call", "{}", call());
  await settled();
  assertEquals(pool.snapshot().idle_sessions, 0);

  await upstreams.get(row.id).request("tools/call", "{}", call());
  const latest = fake.received.findLast(({ method }) => method === "tools/call")!;
  assertEquals(headerOf(latest.http, "authorization"), "new");
  assertEquals([pool.snapshot().idle_sessions, sessionsOf("DELETE")], [1, ["s2", "s3"]]);
});
