import { upstreamDeps, upstreamProfile } from "../../tests/support/upstream_deps.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { Cancellation } from "../base/cancellation.ts";
import { FakeUpstream, type Received } from "../../tests/support/fake_upstream.ts";
import { settle, turned } from "../../tests/support/fakes.ts";
import { SluiceError } from "../base/errors.ts";
import { STATELESS_REVISION } from "../mcp/revisions.ts";
import type { Barrier } from "./bound/barrier.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";
import { Upstream, type UpstreamCall } from "./upstream.ts";

function call(bound: BoundSessions | null, more: Partial<UpstreamCall> = {}): UpstreamCall {
  return {
    bound,
    token: { issuer: "i", subject: "ann", reach: "", user: "u@x.example" },
    received: new Headers(),
    revision: "2025-11-25",
    timeoutMs: 1_000,
    timeoutSetting: "TOOL_TIMEOUT",
    ...more,
  };
}

function setUp(script?: ConstructorParameters<typeof FakeUpstream>[0]) {
  const fake = new FakeUpstream(script);
  const upstream = new Upstream(upstreamProfile(), fake.transport(), upstreamDeps());
  const count = (method: string) => fake.methods.filter((sent) => sent === method).length;
  const sessionsOf = (method: string) =>
    fake.received.filter((sent) => sent.method === method).map((sent) => sent.sessionId);
  return { fake, upstream, count, sessionsOf };
}

Deno.test("Upstream.request() keeps one upstream session for each downstream session", async () => {
  const { upstream, count, sessionsOf } = setUp();
  const [ann, bob] = [new BoundSessions(), new BoundSessions()];
  for (const bound of [ann, bob, ann, bob]) await upstream.request("tools/call", "{}", call(bound));
  assertEquals(sessionsOf("tools/call"), ["s1", "s2", "s1", "s2"]);
  assertEquals(count("initialize"), 2);
});

Deno.test("Upstream.request() opens a session once for calls that come together", async () => {
  const { upstream, count } = setUp();
  const bound = new BoundSessions();
  await Promise.all([1, 2, 3].map(() => upstream.request("tools/call", "{}", call(bound))));
  assertEquals([count("initialize"), count("tools/call"), bound.size], [1, 3, 1]);
});

Deno.test("Upstream.request() opens an expired session anew and tries exactly once more", async () => {
  const { upstream, count, sessionsOf } = setUp(({ method, sessionId }) =>
    method === "tools/call" && sessionId === "s1" ? { status: 404 } : undefined
  );
  const bound = new BoundSessions();
  assertEquals((await upstream.request("tools/call", "{}", call(bound))).text, '{"ok":true}');
  assertEquals(sessionsOf("tools/call"), ["s1", "s2"]);
  await upstream.request("tools/call", "{}", call(bound));
  assertEquals([count("initialize"), bound.size], [2, 1]);
});

Deno.test("Upstream.request() makes a call once whose stream broke off, while the upstream cannot be reached and after that", async () => {
  // The pause between two tries keeps no process alive.
  const alive = setInterval(() => {}, 1_000);
  for (const awayFor of [3, Infinity]) {
    let tries = 0;
    const { upstream, count } = setUp(({ method, http }) => {
      const headers = { "content-type": "text/event-stream" };
      if (method === "tools/call") return { headers, body: "id: e1\nretry: 1\ndata: \n\n" };
      if (http.method !== "GET") return undefined;
      const code = tries++ % 2 === 0 ? "UPSTREAM_CONNECT_FAILED" : "UPSTREAM_CLOSED";
      if (tries <= awayFor) throw new SluiceError(code, { upstream: "fake", reason: "restarting", sent: 0 });
      return { headers, body: 'data: {"id":1,"result":{"late":true}}\n\n' };
    });
    const answer = await upstream.request("tools/call", "{}", call(new BoundSessions()))
      .then(({ text }) => text, ({ code }) => code);
    assertEquals([answer, count("tools/call")], [awayFor === 3 ? '{"late":true}' : "UPSTREAM_CLOSED", 1]);
  }
  clearInterval(alive);
});

Deno.test("Upstream.request() gives up when the new session has expired, too", async () => {
  const { upstream, count } = setUp(({ method }) => method === "tools/call" ? { status: 404 } : undefined);
  const error = await assertRejects(
    () => upstream.request("tools/call", "{}", call(new BoundSessions())),
    SluiceError,
  );
  assertEquals([error.code, count("tools/call"), count("initialize")], ["UPSTREAM_SESSION_EXPIRED", 2, 2]);
});

Deno.test("Upstream.request() replaces an expired session once for calls that meet the end together", async () => {
  const { upstream, count } = setUp(({ method, sessionId }) =>
    method === "tools/call" && sessionId === "s1" ? { status: 404 } : undefined
  );
  const bound = new BoundSessions();
  await Promise.all([1, 2, 3].map(() => upstream.request("tools/call", "{}", call(bound))));
  assertEquals([count("initialize"), count("tools/call")], [2, 6]);
});

Deno.test("Upstream.request() repeats nothing that may have been executed", async () => {
  for (const answer of [{ status: 500 }, { status: 400, body: "bad" }, { body: "<html>" }]) {
    const { upstream, count } = setUp(({ method }) => method === "tools/call" ? answer : undefined);
    await assertRejects(() => upstream.request("tools/call", "{}", call(new BoundSessions())), SluiceError);
    assertEquals(count("tools/call"), 1);
  }
});

Deno.test("Upstream.request() without a downstream session opens a session for the call alone and ends it", async () => {
  const { upstream, sessionsOf } = setUp();
  await upstream.request("tools/call", "{}", call(null));
  await upstream.request("tools/call", "{}", call(null));
  await settle();
  assertEquals([sessionsOf("tools/call"), sessionsOf("DELETE")], [["s1", "s2"], ["s1", "s2"]]);
});

Deno.test("Upstream.request() without a downstream session ends the session also when the call fails", async () => {
  const { upstream, sessionsOf } = setUp(({ method }) =>
    method === "tools/call" ? { status: 500 } : undefined
  );
  await assertRejects(() => upstream.request("tools/call", "{}", call(null)), SluiceError);
  await settle();
  assertEquals(sessionsOf("DELETE"), ["s1"]);
});

Deno.test("Upstream.request() shakes hands with a stateless upstream once, for everybody", async () => {
  const { fake, upstream, count, sessionsOf } = setUp();
  fake.stateful = false;
  const bound = new BoundSessions();
  for (const who of [null, bound, new BoundSessions(), null]) {
    await upstream.request("tools/call", "{}", call(who));
  }
  await settle();
  assertEquals([count("initialize"), count("DELETE")], [1, 0]);
  assertEquals(sessionsOf("tools/call"), [null, null, null, null]);
});

Deno.test("Upstream.request() notices that a stateless upstream has begun to keep sessions", async () => {
  for (const first of ["bound", "free"]) {
    // A stateful server refuses requests without a session.
    const { fake, upstream, sessionsOf } = setUp(({ method, sessionId }: Received) =>
      fake.stateful && method === "tools/call" && sessionId === null
        ? { status: 400, body: "no session" }
        : undefined
    );
    fake.stateful = false;
    const bound = new BoundSessions();
    await upstream.request("tools/call", "{}", call(first === "bound" ? bound : null));
    fake.stateful = true;
    for (let i = 0; i < 2; i++) await upstream.request("tools/call", "{}", call(bound));
    assertEquals(sessionsOf("tools/call"), [null, null, "s1", "s1"], first);
  }
});

Deno.test("Upstream.request() does not try for ever with a stateless upstream that refuses everything", async () => {
  for (const bound of [null, new BoundSessions()]) {
    const { fake, upstream, count } = setUp(({ method }) =>
      method === "tools/call" ? { status: 400 } : undefined
    );
    fake.stateful = false;
    for (let i = 0; i < 2; i++) {
      await assertRejects(() => upstream.request("tools/call", "{}", call(bound)), SluiceError, "HTTP 400");
    }
    assertEquals(count("tools/call") <= 3, true, String(count("tools/call")));
  }
});

Deno.test("Upstream.request() uses no session that an upstream of the same id, before its change, has opened", async () => {
  const before = setUp();
  const after = setUp();
  const bound = new BoundSessions();
  await before.upstream.request("tools/call", "{}", call(bound));
  await after.upstream.request("tools/call", "{}", call(bound));
  assertEquals([before.count("tools/call"), after.count("tools/call")], [1, 1]);
});

/** A call that is under way until its session is opened. */
function slowOpening() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const parts = setUp(async ({ method }) => {
    if (method === "notifications/initialized") await opened;
    return undefined;
  });
  return { ...parts, open };
}

Deno.test("BoundSessions.review() closes the sessions to upstreams that the client may not use, also one that is being opened", async () => {
  for (const isOpen of [true, false]) {
    const { upstream, open, sessionsOf } = slowOpening();
    const bound = new BoundSessions();
    if (isOpen) open();
    const called = upstream.request("tools/call", "{}", call(bound)).catch(({ code }) => code);
    await settle();
    bound.review(() => null);
    assertEquals([bound.size, sessionsOf("DELETE")], [1, []]);
    bound.review(() => "the caller may not use it");
    open();
    await settle();
    assertEquals([bound.size, sessionsOf("DELETE")], [0, ["s1"]]);
    if (!isOpen) assertEquals(await called, "UPSTREAM_DISABLED");
  }
});

Deno.test("BoundSessions.review() closes the sessions to a changed upstream after their running calls", async () => {
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const { upstream, sessionsOf } = setUp(async ({ method }) => {
    if (method === "tools/call") await answered;
    return undefined;
  });
  const bound = new BoundSessions();
  const called = upstream.request("tools/call", "{}", call(bound));
  await settle();
  upstream.retire();
  assertEquals(bound.review(() => null), ["u"]);
  await settle();
  assertEquals([bound.size, sessionsOf("DELETE")], [0, []]);
  answer();
  assertEquals((await called).text, '{"ok":true}');
  await settle();
  assertEquals(sessionsOf("DELETE"), ["s1"]);
});

const OPENED = ["initialize", "notifications/initialized"];

Deno.test("A session that opens while its upstream is changed or drained serves the calls that wait for it, and ends", async () => {
  for (const barrier of [null, "it is being drained"] as const) {
    for (const who of ["session", "caller"]) {
      const { fake, upstream, open } = slowOpening();
      const bound = new BoundSessions();
      const made = who === "session" ? call(bound) : call(null, { revision: STATELESS_REVISION });
      const ask = async () => (await upstream.request("tools/call", "{}", made)).text;
      // A caller's session listens besides.
      const sent = () => fake.methods.filter((_, i) => fake.received[i]!.http.method !== "GET");
      const waiting = [ask(), ask()];
      await settle();
      upstream.retire();
      bound.review(() => barrier);
      open();
      assertEquals(await Promise.all(waiting), ['{"ok":true}', '{"ok":true}']);
      await turned();
      assertEquals(sent(), [...OPENED, "tools/call", "tools/call", "DELETE"]);
      // One of these calls may need a session again, for example because the first one was lost.
      assertEquals(await ask(), '{"ok":true}');
      await turned();
      assertEquals(sent().slice(5), [...OPENED, "tools/call", "DELETE"]);
    }
  }
});

Deno.test("A session that opens while its upstream is changed ends also where every call has given up", async () => {
  const { fake, upstream, open } = slowOpening();
  const bound = new BoundSessions();
  const signal = new Cancellation();
  const called = upstream.request("tools/call", "{}", call(bound, { signal })).catch(() => {});
  await settle();
  upstream.retire();
  bound.review(() => null);
  signal.cancel(new SluiceError("REQUEST_CANCELLED"));
  await called;
  open();
  await turned();
  assertEquals(fake.methods, [...OPENED, "DELETE"]);
});

Deno.test("A call whose client is cut off from the upstream while its session opens fails with the reason", async () => {
  const reasons: readonly (readonly [Barrier, string])[] = [
    ["no endpoint", "NOT_FOUND: Server not found"],
    ...(["it was deleted", "it is switched off", "the caller may not use it"] as const).map((barrier) =>
      [barrier, `UPSTREAM_DISABLED: Upstream "fake" cannot be used: ${barrier}`] as const
    ),
  ];
  for (const [barrier, reason] of reasons) {
    const { upstream, open, sessionsOf } = slowOpening();
    const bound = new BoundSessions();
    const called = upstream.request("tools/call", "{}", call(bound)).then(
      ({ text }) => text,
      ({ code, message }) => `${code}: ${message}`,
    );
    await settle();
    bound.review(() => barrier);
    open();
    assertEquals(await called, reason);
    await settle();
    assertEquals([sessionsOf("tools/call"), sessionsOf("DELETE")], [[], ["s1"]]);
  }
});

Deno.test("BoundSessions.review() names the upstreams that the client may use again, once", () => {
  const bound = new BoundSessions();
  const target = { upstreamId: "u", isRetired: () => false };
  void bound.get("u", target, () => new Promise(() => {}));
  assertEquals(bound.review(() => "the caller may not use it"), []);
  assertEquals([bound.review(() => null), bound.review(() => null)], [["u"], []]);
});

Deno.test("Upstream.close() opens no session any more, and ends one that is being opened", async () => {
  const disabled = new SluiceError("UPSTREAM_DISABLED", { upstream: "fake", reason: "it was deleted" });
  const { upstream, open, count, sessionsOf } = slowOpening();
  const called = upstream.request("tools/call", "{}", call(null)).catch((error) => error);
  await settle();
  upstream.close(disabled);
  open();
  assertEquals(await called, disabled);
  await settle();
  assertEquals([count("tools/call"), sessionsOf("DELETE")], [0, ["s1"]]);
  for (const bound of [null, new BoundSessions()]) {
    await assertRejects(
      () => upstream.request("tools/call", "{}", call(bound)),
      SluiceError,
      "it was deleted",
    );
  }
  assertEquals(count("initialize"), 1);
});

Deno.test("BoundSessions.get() forgets an opening that failed", async () => {
  let refuse = true;
  const { upstream, count } = setUp(({ method }) =>
    method === "initialize" && refuse ? { status: 503 } : undefined
  );
  const bound = new BoundSessions();
  await assertRejects(() => upstream.request("tools/call", "{}", call(bound)), SluiceError);
  assertEquals(bound.size, 0);
  refuse = false;
  await upstream.request("tools/call", "{}", call(bound));
  assertEquals(count("initialize"), 2);
});

Deno.test("BoundSessions.end() ends every session, also one that is being opened, and opens no other", async () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const { upstream, count, sessionsOf } = setUp(async ({ method }) => {
    if (method === "notifications/initialized") await opened;
    return undefined;
  });
  const bound = new BoundSessions();
  const call1 = upstream.request("tools/call", "{}", call(bound)).catch(() => {});
  await settle();
  const ended = bound.end();
  open();
  await Promise.all([ended, call1]);
  await settle();
  assertEquals([sessionsOf("DELETE"), bound.size], [["s1"], 0]);
  await assertRejects(
    () => upstream.request("tools/call", "{}", call(bound)),
    SluiceError,
    "initialize again",
  );
  assertEquals(count("initialize"), 1);
});

Deno.test("Upstream.request() hears on a call's stream that a list has changed, of an upstream without sessions too", async () => {
  for (const statelessRevision of ["2025-11-25", null]) {
    const fake = new FakeUpstream(({ method, id }) => {
      if (method !== "tools/call") return undefined;
      const messages = [
        { jsonrpc: "2.0", method: "notifications/tools/list_changed" },
        { jsonrpc: "2.0", id, result: { ok: true } },
      ];
      const body = messages.map((message) => `data: ${JSON.stringify(message)}\n\n`).join("");
      return { headers: { "content-type": "text/event-stream" }, body };
    });
    fake.stateful = false;
    const heard: string[][] = [];
    const deps = upstreamDeps({ onListChanged: (...said) => void heard.push(said) });
    const upstream = new Upstream(upstreamProfile({ statelessRevision }), fake.transport(), deps);
    for (const bound of [null, new BoundSessions()]) {
      heard.length = 0;
      assertEquals((await upstream.request("tools/call", "{}", call(bound))).text, '{"ok":true}');
      assertEquals(heard, [["u", "notifications/tools/list_changed"]]);
    }
  }
});
