import { assertEquals, assertRejects } from "@std/assert";
import { callerAtRest } from "../../../tests/support/fakes.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { BoundSessions } from "./bound_sessions.ts";
import { CallerSessions, type CallerSessionsOptions } from "./caller_sessions.ts";

const CALLER = callerAtRest();

function setUp(options: Partial<CallerSessionsOptions> = {}) {
  const clock = new FakeClock();
  const sessions = new CallerSessions({ clock, idleMs: 10_000, perCaller: 2, perWorker: 3, ...options });
  const run = (tenant: string, call: (bound: BoundSessions) => Promise<unknown> = () => settled()) =>
    sessions.run({ upstreamId: "u", tenant, capabilities: undefined }, CALLER, (bound) => {
      seen.set(tenant, bound);
      return call(bound);
    });
  const seen = new Map<string, BoundSessions>();
  /** Whether the sessions that the tenant was last given have ended. */
  const isEnded = (tenant: string) => seen.get(tenant)!.isBarredFrom("u");
  return { clock, sessions, run, isEnded, seen };
}

Deno.test("CallerSessions gives a tenant the same sessions again until they are idle, and never while it calls", async () => {
  const { clock, sessions, run, isEnded, seen } = setUp();
  await run("a");
  const first = seen.get("a");
  const release = Promise.withResolvers<void>();
  const long = run("a", () => release.promise);
  assertEquals(seen.get("a"), first);
  await clock.tick(30_000);
  assertEquals([isEnded("a"), sessions.size], [false, 1]);
  release.resolve();
  await long;
  await clock.tick(9_000);
  assertEquals(isEnded("a"), false);
  await clock.tick(3_000);
  assertEquals([isEnded("a"), sessions.size, clock.timers], [true, 0, 0]);
});

Deno.test("CallerSessions ends the idle sessions of a caller above its limit, and refuses where none is idle", async () => {
  const { sessions, run, isEnded } = setUp();
  await run("a");
  const release = Promise.withResolvers<void>();
  const busy = run("b", () => release.promise);
  await run("c");
  assertEquals([isEnded("a"), isEnded("b"), sessions.size], [true, false, 2]);
  const other = run("c", () => release.promise);
  const error = await assertRejects(() => run("d"), SluiceError);
  assertEquals(error.code, "TOO_MANY_SESSIONS");
  release.resolve();
  await Promise.all([busy, other]);
  await sessions.close();
});

Deno.test("CallerSessions keeps no more than a worker may have", async () => {
  const { sessions, run, isEnded } = setUp({ perCaller: 100 });
  for (const tenant of ["a", "b", "c", "d"]) await run(tenant);
  assertEquals([isEnded("a"), isEnded("b"), sessions.size], [true, false, 3]);
  const calls = ["e", "f", "g"].map((tenant) => run(tenant, () => new Promise(() => {})));
  assertEquals((await assertRejects(() => run("h"), SluiceError)).code, "OVERLOADED");
  assertEquals(calls.length, sessions.size);
  await sessions.close();
});

Deno.test("CallerSessions.review() ends at once what leads to an upstream that is gone, and close() everything", async () => {
  const { sessions, run, isEnded } = setUp();
  await run("a");
  sessions.review("other", true);
  sessions.review("u", false);
  assertEquals(isEnded("a"), false);
  sessions.review("u", true);
  assertEquals([isEnded("a"), sessions.size], [true, 0]);
  await run("b");
  await sessions.close();
  assertEquals(isEnded("b"), true);
  assertEquals((await assertRejects(() => run("c"), SluiceError)).code, "SHUTTING_DOWN");
});
