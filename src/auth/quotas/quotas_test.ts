import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import type { QuotaRow } from "../../store/quotas/quota_rows.ts";
import { ANONYMOUS } from "../authenticate.ts";
import { quotaMemory } from "./quota_counters.ts";
import type { QuotaDefaults } from "./quota_rules.ts";
import { Quotas, type SharedQuotaCounters } from "./quotas.ts";

const NO_DEFAULTS: QuotaDefaults = { user: null, team: null, token: null, tool: null };
const ANSWER = { text: "x".repeat(10) };

function quotaRow(given: Partial<QuotaRow>): QuotaRow {
  return {
    ...{ id: "q", kind: "user", target: "*", calls: null, seconds: null, bytes: null, windowS: 60 },
    ...{ createdBy: "admin", createdAt: "", updatedAt: "" },
    ...given,
  };
}

function setUp(
  rows: readonly Partial<QuotaRow>[],
  { defaults = {}, shared = null, memory = quotaMemory(1_000), clock = new FakeClock() }: {
    readonly defaults?: Partial<QuotaDefaults>;
    readonly shared?: SharedQuotaCounters | null;
    readonly memory?: SharedArrayBuffer;
    readonly clock?: FakeClock;
  } = {},
) {
  const refused: string[][] = [];
  const words: string[] = [];
  let alone = 0;
  const quotas = new Quotas({
    defaults: { ...NO_DEFAULTS, ...defaults },
    ...{ memory, shared, clock },
    log: { warning: (event) => words.push(event), info: (event) => words.push(event) },
    countRefused: (...labels) => refused.push(labels),
    countDropped: () => {},
    countAlone: () => alone++,
  });
  quotas.use(rows.map(quotaRow));
  const call = (who = principal(), toolId: string | null = "t1", ms = 0) =>
    quotas.run(who, toolId, "12345", async () => {
      await clock.tick(ms);
      return ANSWER;
    });
  const refusal = async (who = principal(), toolId: string | null = "t1") =>
    (await assertRejects(() => call(who, toolId), SluiceError)).message;
  return { quotas, clock, call, refusal, refused, words, alone: () => alone, memory };
}

Deno.test("Quotas refuse what is above a limit of calls, and begin anew with the window", async () => {
  const { call, refusal, clock, refused, quotas } = setUp([{ calls: 2 }]);
  assertEquals(quotas.isActive, true);
  assertEquals(await call(), ANSWER);
  assertEquals(quotas.stateOf(principal()), {
    policy: "user",
    limit: 2,
    remaining: 1,
    resetS: 40,
    windowS: 60,
  });
  await call();
  assertEquals(
    await refusal(),
    "The quota of the user ann@example.com is used up: 2 calls in 60 s; retry in 40 s",
  );
  assertEquals([refused, quotas.stateOf(principal())!.remaining], [[["user", "calls"]], 0]);
  await call(principal({ subject: "bob", email: "bob@x" }));
  await clock.tick(40_000);
  await call();
  assertEquals(quotas.stateOf(principal())!.remaining, 1);
});

Deno.test("Quotas count time and bytes when a call ends, and admit calls while anything is left", async () => {
  const time = setUp([{ seconds: 3 }]);
  await time.call(principal(), null, 2_000);
  await time.call(principal(), null, 1_500);
  assertEquals((await time.refusal()).includes("3 seconds in 60 s"), true);
  const bytes = setUp([{ bytes: 30, calls: 9 }]);
  await bytes.call();
  await bytes.call();
  assertEquals((await bytes.refusal()).includes("30 bytes in 60 s"), true);
  // Without bytes there are no calls left either.
  assertEquals(bytes.quotas.stateOf(principal())!.remaining, 0);
});

Deno.test("Quotas count a call that fails, with its time", async () => {
  const { quotas, clock, refusal } = setUp([{ seconds: 1 }]);
  await assertRejects(() =>
    quotas.run(principal(), null, "", async () => {
      await clock.tick(1_000);
      throw new Error("refused by the upstream");
    })
  );
  await refusal();
});

Deno.test("Quotas apply the most specific one of each kind, and those of all kinds together", async () => {
  const { call, refusal, quotas } = setUp([
    { calls: 1 },
    { target: "ann@example.com", calls: 9 },
    { kind: "team", target: "red", calls: 3 },
    { kind: "token", target: "j1", calls: 2 },
    { kind: "tool", target: "t2", calls: 0 },
  ], { defaults: { tool: { calls: 1, seconds: null, bytes: null, windowS: 60 } } });
  const ann = principal({ jti: "j1", teams: ["red", "blue"] });
  const other = principal({ jti: "j2", teams: ["red"] });
  await call(ann, "t1");
  assertEquals((await refusal(ann, "t1")).startsWith("The quota of the tool t1"), true);
  assertEquals((await refusal(ann, "t2")).startsWith("The quota of the tool t2 is used up: 0 calls"), true);
  await call(ann, "t3");
  assertEquals((await refusal(ann, "t4")).startsWith("The quota of the token is used up: 2 calls"), true);
  await call(other, "t4");
  assertEquals((await refusal(other, null)).startsWith("The quota of the team red"), true);
  // A refused call counts nowhere.
  assertEquals(quotas.stateOf(principal({ teams: [] }))!.remaining, 6);
  const bob = principal({ subject: "bob", email: "Bob@x", jti: null, teams: null });
  await call(bob, null);
  assertEquals((await refusal(bob, null)).startsWith("The quota of the user bob@x"), true);
});

Deno.test("Quotas treat callers without a token as one user", async () => {
  const { call, refusal } = setUp([{ calls: 1 }, { kind: "token", calls: 0 }]);
  await call(ANONYMOUS);
  assertEquals((await refusal(ANONYMOUS)).startsWith("The quota of the user anonymous"), true);
});

Deno.test("Quotas without rows and defaults are not active, and a new catalog changes limits but no counts", async () => {
  const { quotas, call, refusal } = setUp([]);
  assertEquals([quotas.isActive, quotas.stateOf(principal()), quotas.size], [false, null, 0]);
  quotas.use([quotaRow({ calls: 1 })]);
  await call();
  await refusal();
  quotas.use([quotaRow({ calls: 2 })]);
  await call();
  await refusal();
  assertEquals(quotas.size, 1);
});

Deno.test("Quotas of the workers of a process are one", async () => {
  const one = setUp([{ calls: 3 }]);
  const other = setUp([{ calls: 3 }], { memory: one.memory, clock: one.clock });
  await one.call();
  await other.call();
  await one.call();
  await other.refusal();
});

Deno.test("Quotas in Redis refuse what other replicas have used, and go on alone while Redis is away", async () => {
  let isAway = false;
  let elsewhere = 8;
  const charges: number[][] = [];
  const shared: SharedQuotaCounters = {
    take: ([{ limits }]) => {
      if (isAway) return Promise.reject(new Error("no connection"));
      const taken = elsewhere < limits.calls!;
      if (taken) elsewhere++;
      return Promise.resolve({ taken, used: [{ calls: elsewhere, micros: 0, bytes: 0 }] });
    },
    charge: (_counters, micros, bytes) => (charges.push([micros, bytes]), Promise.resolve()),
  };
  const { call, refusal, quotas, words, alone, clock } = setUp([{ calls: 10 }], { shared });
  await call(principal(), null, 5);
  assertEquals([quotas.stateOf(principal())!.remaining, charges], [1, [[5_000, 15]]]);
  await call();
  assertEquals((await refusal()).includes("10 calls"), true);
  await clock.tick(60_000);
  isAway = true;
  for (let i = 0; i < 10; i++) await call();
  await refusal();
  assertEquals([alone(), words], [10, ["quotas are not counted in Redis: each replica counts alone"]]);
  isAway = false;
  elsewhere = 0;
  await clock.tick(60_000);
  await call();
  assertEquals(words.at(-1), "quotas are counted in Redis again");
});
