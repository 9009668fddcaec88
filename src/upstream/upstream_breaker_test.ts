// When calls open an upstream's circuit, and when it closes again.
import { assertEquals } from "@std/assert";
import { settled } from "../../tests/support/fake_clock.ts";
import { headerOf, type Received, result } from "../../tests/support/fake_upstream.ts";
import { codeOf } from "../../tests/support/pool_fixture.ts";
import { failing, type Given, RESET_MS, setUp, THRESHOLD } from "../../tests/support/pooled_upstream.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";

/** The ways to open a session, which share one circuit. */
const PATHS: readonly [name: string, given: Given, bound: () => BoundSessions | null][] = [
  ["pooled", {}, () => null],
  ["per call", { deps: { poolEnabled: false } }, () => null],
  ["bound", {}, () => new BoundSessions()],
];

Deno.test("Upstream.request() opens the circuit at the threshold, fails fast, and closes it by one probe", async () => {
  for (const [path, given, bound] of PATHS) {
    let up = false;
    const gate: { open: Promise<void> } = { open: Promise.resolve() };
    const { ask, count, state, clock } = setUp({
      ...given,
      script: async ({ method }) => {
        if (method !== "initialize") return undefined;
        await gate.open;
        return up ? undefined : { status: 503 };
      },
    });
    for (let i = 0; i < THRESHOLD; i++) {
      assertEquals(await codeOf(ask({ bound: bound() })), "UPSTREAM_HTTP_ERROR", path);
    }
    assertEquals([state(), count("initialize")], ["open", THRESHOLD], path);
    for (let i = 0; i < 5; i++) {
      assertEquals(await codeOf(ask({ bound: bound() })), "UPSTREAM_CIRCUIT_OPEN", path);
    }
    assertEquals(count("initialize"), THRESHOLD, path);

    // A failed probe opens the circuit again.
    await clock.tick(RESET_MS);
    const failed = await Promise.all([1, 2, 3].map(() => codeOf(ask({ bound: bound() }))));
    assertEquals(count("initialize"), THRESHOLD + 1, path);
    assertEquals([...failed].sort(), [
      "UPSTREAM_CIRCUIT_OPEN",
      "UPSTREAM_CIRCUIT_OPEN",
      "UPSTREAM_HTTP_ERROR",
    ]);
    assertEquals(state(), "open", path);

    // A successful probe closes the circuit. Other callers wait for it.
    up = true;
    await clock.tick(RESET_MS);
    let arrive = () => {};
    gate.open = new Promise((resolve) => (arrive = resolve));
    const probe = ask({ bound: bound() });
    await settled();
    assertEquals(await codeOf(ask({ bound: bound(), token: null })), "UPSTREAM_CIRCUIT_OPEN", path);
    assertEquals(count("initialize"), THRESHOLD + 2, path);
    arrive();
    assertEquals((await probe).failed, false);
    assertEquals(state(), "closed", path);
    await Promise.all([1, 2, 3].map(() => ask({ bound: bound() })));
  }
});

Deno.test("Upstream.request() opens no circuit for refused credentials, our own limits, or calls that fail", async () => {
  const harmless: [string, (request: Received) => unknown][] = [
    ["401", ({ method }) => method === "initialize" && { status: 401 }],
    ["403", ({ method }) => method === "initialize" && { status: 403 }],
    ["our connections", ({ method }) => method === "initialize" && failing("HTTP_POOL_TIMEOUT")],
    ["a failing tool", ({ method }) => method === "tools/call" && { status: 500 }],
    ["a slow tool", ({ method }) => method === "tools/call" && failing("UPSTREAM_TIMEOUT")],
  ];
  for (const [what, script] of harmless) {
    for (const [path, given, bound] of PATHS) {
      const { ask, state } = setUp({
        ...given,
        script: (request) => (script(request) || undefined) as never,
      });
      for (let i = 0; i < THRESHOLD * 3; i++) {
        const code = await codeOf(ask({ bound: bound() }));
        assertEquals(code === "UPSTREAM_CIRCUIT_OPEN", false, `${what}, ${path}`);
      }
      assertEquals(state(), "closed", `${what}, ${path}`);
    }
  }
});

Deno.test("Upstream.request() does not let one caller's refused probe stand in the way of the next", async () => {
  let down = true;
  const { ask, state, clock } = setUp({
    script: ({ method, http }) => {
      if (method !== "initialize") return undefined;
      if (down) return { status: 503 };
      return headerOf(http, "authorization") === "Bearer bad" ? { status: 401 } : undefined;
    },
  });
  for (let i = 0; i < THRESHOLD; i++) await codeOf(ask());
  down = false;
  await clock.tick(RESET_MS);
  const bad = { headers: { "x-upstream-authorization": "Bearer bad" } };
  assertEquals(await codeOf(ask(bad)), "UPSTREAM_AUTH_FAILED");
  assertEquals(state(), "half_open");
  assertEquals((await ask()).failed, false);
  assertEquals(state(), "closed");
});

/** An upstream without sessions that can be unreachable. */
function stateless() {
  const there = { is: false };
  const set = setUp({
    profile: { statelessRevision: "2025-11-25" },
    script: ({ method, id }) => {
      if (!there.is) return failing("UPSTREAM_CONNECT_FAILED", { reason: "refused" });
      return method === "tools/call"
        ? new Promise((resolve) => finish.push(() => resolve(result(id, "{}"))))
        : undefined;
    },
  });
  const finish: (() => void)[] = [];
  return { ...set, there, finish };
}

Deno.test("Upstream.request() stateless opens the circuit when nobody answers, and closes it by one ping", async () => {
  const { ask, state, count, clock, there, fake, finish } = stateless();
  // The calls run in parallel, and each reports its own result.
  const codes = await Promise.all([1, 2, 3, 4, 5].map(() => codeOf(ask())));
  assertEquals(new Set(codes), new Set(["UPSTREAM_CONNECT_FAILED"]));
  assertEquals(state(), "open");
  const tried = fake.received.length;
  assertEquals(await codeOf(ask()), "UPSTREAM_CIRCUIT_OPEN");
  assertEquals(fake.received.length, tried);

  await clock.tick(RESET_MS);
  const failed = await Promise.all([1, 2, 3].map(() => codeOf(ask())));
  assertEquals(failed.filter((code) => code === "UPSTREAM_CIRCUIT_OPEN").length >= 2, true, String(failed));
  assertEquals([state(), count("ping")], ["open", 1]);

  there.is = true;
  await clock.tick(RESET_MS);
  const slow = ask();
  await settled();
  // The slow call is running, and no caller waits for its end.
  assertEquals([state(), count("ping")], ["closed", 2]);
  const next = ask();
  await settled();
  assertEquals(finish.length, 2);
  for (const go of finish) go();
  await Promise.all([slow, next]);
  assertEquals(count("ping"), 2);
});

Deno.test("Upstream.request() stateless gives the answer of a call that began before the circuit opened", async () => {
  for (const answer of ["result", "failure"]) {
    const { ask, state, clock, there, finish, breakers } = stateless();
    there.is = true;
    // A call has failed before, so a circuit exists.
    breakers.of({ url: "http://fake.example/mcp", upstreamId: "u" });
    const early = ask();
    await settled();
    there.is = false;
    for (let i = 0; i < THRESHOLD; i++) await codeOf(ask());
    assertEquals(state(), "open");
    if (answer === "failure") await clock.tick(RESET_MS);
    for (const go of finish) go();
    assertEquals((await early).failed, false);
    assertEquals(state(), answer === "failure" ? "half_open" : "open");
  }
});

Deno.test("Upstream.request() stateless forgets failures once somebody answers", async () => {
  const { ask, state, there, finish } = stateless();
  for (let round = 0; round < THRESHOLD; round++) {
    there.is = false;
    // Tried twice: one less than the threshold.
    assertEquals(await codeOf(ask()), "UPSTREAM_CONNECT_FAILED");
    there.is = true;
    const good = ask();
    await settled();
    finish.pop()!();
    await good;
    assertEquals(state(), "closed");
  }
});

Deno.test("Upstream.request() stateless holds no failure against the circuit that began before its state did", async () => {
  const late: (() => void)[] = [];
  let slow = true;
  const { ask, state, clock, breakers } = setUp({
    profile: { statelessRevision: "2025-11-25" },
    script: async ({ method, id }) => {
      if (method === "ping") return result(id, "{}");
      if (slow) await new Promise<void>((resolve) => late.push(resolve));
      return failing("UPSTREAM_CONNECT_FAILED", { reason: "no route" });
    },
  });
  const burst = Array.from({ length: THRESHOLD * 2 }, () => codeOf(ask()));
  await settled();
  slow = false;
  for (let i = 0; i < THRESHOLD; i++) await codeOf(ask());
  const [[, breaker]] = [...breakers.entries()];
  const until = breaker!.openUntilMs;
  await clock.tick(RESET_MS / 2);
  for (const fail of late) fail();
  assertEquals(new Set(await Promise.all(burst)), new Set(["UPSTREAM_CONNECT_FAILED"]));
  assertEquals([state(), breaker!.openUntilMs, breakers.trips], ["open", until, 1]);
});
