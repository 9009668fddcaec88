import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { Clock } from "../../base/clock.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { type LoadOptions, type LoadUser, runLoad } from "./load_run.ts";
import { Measurement, type Outcome } from "./measurement.ts";
import type { Pace } from "./load_plan.ts";
import type { Answered } from "./load_user.ts";

const CALL = { method: "tools/call", headers: [], body: String };
const LIST = { method: "tools/list", headers: [], body: String };

function rate(from: number, to = from): Pace {
  return { kind: "rate", rate: { from, to, arrivals: "constant" } };
}

/** A server on a fake clock, its users, and the load on it. */
class Bench {
  readonly clock = new FakeClock();
  readonly start = this.clock.now();
  readonly stop = new AbortController();
  readonly measurement: Measurement;
  /** When each request came, and how many were under way then. */
  readonly came: { readonly at: number; readonly method: string; readonly user: number }[] = [];
  opened = 0;
  #options: LoadOptions;

  /** @param answerAt when the server answers a request of now, ms since the start */
  constructor(
    users: number,
    options: Partial<LoadOptions> & Pick<LoadOptions, "pace" | "durationMs">,
    readonly answerAt: (now: number) => number,
    readonly outcome: () => Outcome = () => ({ kind: "right" }),
  ) {
    this.measurement = new Measurement(options.durationMs);
    this.#options = {
      users: Array.from({ length: users }, (_, index) => this.#user(index)),
      forms: [{ form: CALL, weight: 1 }],
      intervalMs: 1_000,
      churn: 0,
      reopens: true,
      measurement: this.measurement,
      clock: this.clock,
      signal: this.stop.signal,
      ...options,
    };
  }

  get now(): number {
    return this.clock.now() - this.start;
  }

  /** The load, not the server, has this clock. */
  use(clock: Clock): void {
    this.#options = { ...this.#options, clock };
  }

  /** Runs it to the end of `ms`. @returns how it ended; undefined: it goes on */
  async run(ms: number) {
    let end: Awaited<ReturnType<typeof runLoad>> | undefined;
    void runLoad(this.#options).then((ended) => end = ended);
    await this.clock.tick(ms);
    return end;
  }

  #user(index: number): LoadUser {
    const answer = (method: string, outcome: Outcome): Promise<Answered> => {
      this.came.push({ at: this.now, method, user: index });
      return new Promise((resolve) => {
        this.clock.setTimeout(
          () => resolve({ outcome, at: this.clock.now() }),
          this.answerAt(this.now) - this.now,
        );
      });
    };
    return {
      previous: undefined,
      next: undefined,
      sent: 0,
      request(form) {
        this.sent++;
        return answer(form.method, bench.outcome());
      },
      openSession() {
        this.sent = 0;
        bench.opened++;
        return answer("initialize", { kind: "right" });
      },
    } as LoadUser;
  }
}

let bench: Bench;

/** Answers at once, but stands still for the first 200 ms of each second. */
const stalling = (now: number) => now % 1_000 < 200 ? now - now % 1_000 + 200 : now + 1;

Deno.test("an open loop measures from the arrival: a stall of 200 ms a second stands in the p99 that a closed loop hides", async () => {
  bench = new Bench(10, { pace: rate(100), durationMs: 10_000 }, stalling);
  assert(await bench.run(10_400));
  const open = bench.measurement;
  assertEquals([open.requests, open.errors, open.unsentCount], [1_000, 0, 0]);
  // A fifth of all arrivals meets the stall, evenly from 0 to 200 ms of it.
  assertAlmostEquals(open.latencies.percentile(99)!, 190, 5);
  assertAlmostEquals(open.latencies.percentile(90)!, 100, 5);
  assertAlmostEquals(open.latencies.percentile(50)!, 1, 0.1);

  bench = new Bench(1, { pace: { kind: "think", meanMs: 0 }, durationMs: 10_000 }, stalling);
  assert(await bench.run(10_400));
  assertAlmostEquals(bench.measurement.latencies.percentile(99)!, 1, 0.1);
});

Deno.test("arrivals that find no free user wait, and count from their arrival, also if they are never sent", async () => {
  // One user, 100 ms for each answer, 20 arrivals a second: twice what it can send.
  bench = new Bench(1, { pace: rate(20), durationMs: 1_000 }, (now) => now + 100);
  assert(await bench.run(2_000));
  const { measurement } = bench;
  assertEquals([measurement.requests, measurement.unsentCount], [10, 10]);
  assertEquals(bench.came.map(({ at }) => at), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  // The last one sent, of 450 ms, is answered at 1,000; those of 500 to 950 ms have waited until then.
  assertAlmostEquals(measurement.latencies.summary.max!, 550, 1);
  assertEquals(measurement.latencies.count, 20);
  assertAlmostEquals(measurement.rate(1_000), 10, 0.01);
});

Deno.test("all users take part, the one that has waited longest first; nothing arrives at the end or later", async () => {
  bench = new Bench(4, { pace: rate(100), durationMs: 100 }, (now) => now + 5);
  const end = await bench.run(200);
  assertEquals(bench.came.map(({ user }) => user), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]);
  assertEquals([end!.elapsedMs, end!.lagMs], [100, 0]);
});

Deno.test("a closed loop with pauses sends as often as users and pauses allow, from the first second on", async () => {
  let turn = 0;
  // Evenly over all values, so that the mean of the pauses is right.
  const random = () => (turn++ * 0.6180339887) % 1;
  bench = new Bench(
    500,
    { pace: { kind: "think", meanMs: 4_990 }, durationMs: 10_000, random },
    (now) => now + 10,
  );
  assert(await bench.run(10_100));
  // 500 users, a request in 5 s each.
  const { measurement } = bench;
  assertAlmostEquals(measurement.requests, 1_000, 60);
  assertAlmostEquals(measurement.points.slice(0, 3).reduce((sum, { rate }) => sum + rate, 0), 300, 40);
  assertAlmostEquals(measurement.latencies.percentile(99)!, 10, 0.1);
});

Deno.test("an interrupt ends the load at once, with what was answered", async () => {
  bench = new Bench(
    2,
    { pace: rate(10), durationMs: 60_000 },
    (now) => now < 1_000 ? now + 1 : now + 1_000_000,
  );
  const running = bench.run(2_500);
  bench.clock.setTimeout(() => bench.stop.abort(), 2_000);
  const end = await running;
  assertEquals(end?.elapsedMs, 2_000);
  assertEquals([bench.measurement.requests, bench.measurement.errors], [10, 0]);
  assertEquals(bench.measurement.points.length, 2);
});

Deno.test("failures have no latency, timeouts have; the mix follows its weights", async () => {
  let turn = 0;
  const outcomes: Outcome[] = [{ kind: "wrong", what: "refused" }, { kind: "waiting", what: "late" }, {
    kind: "right",
  }];
  let chosen = 0;
  bench = new Bench(
    5,
    {
      pace: rate(100),
      durationMs: 3_000,
      forms: [{ form: CALL, weight: 3 }, { form: LIST, weight: 1 }],
      random: () => (chosen++ % 4) / 4,
    },
    (now) => now + 20,
    () => outcomes[turn++ % 3]!,
  );
  assert(await bench.run(3_100));
  const { measurement } = bench;
  assertEquals([measurement.requests, measurement.errors, measurement.latencies.count], [300, 200, 200]);
  assertEquals(measurement.failures, [{ what: "refused", count: 100 }, { what: "late", count: 100 }]);
  const { "tools/call": call, "tools/list": list } = measurement.methods;
  assertEquals([call!.requests, list!.requests], [225, 75]);
  assertEquals(measurement.points.map(({ at, due }) => [at, due]), [[1, 100], [2, 100], [3, 100]]);
});

Deno.test("a worn out session is replaced, which counts as no request of the load", async () => {
  bench = new Bench(1, { pace: rate(10), durationMs: 3_000, churn: 10 }, (now) => now + 2);
  assert(await bench.run(3_100));
  const { measurement } = bench;
  assertEquals([measurement.requests, bench.opened], [30, 3]);
  assertEquals([measurement.methods.initialize!.requests, measurement.latencies.count], [3, 30]);
  await settled();
  assertEquals(bench.clock.timers, 0);
});

for (const pace of [rate(10), { kind: "think", meanMs: 100 } as const]) {
  Deno.test(`a timer that is late counts as latency beyond its resolution: ${pace.kind}`, async () => {
    const latest = async (lateMs: number) => {
      // With this number, a pause of exponential distribution is the mean.
      bench = new Bench(1, { pace, durationMs: 2_000, random: () => 1 - Math.exp(-1) }, (now) => now + 1);
      const { clock } = bench;
      bench.use({
        now: () => clock.now(),
        setTimeout: (run, ms) => clock.setTimeout(run, ms + lateMs),
        clearTimeout: (id) => clock.clearTimeout(id),
      });
      const end = await bench.run(2_200);
      return [bench.measurement.latencies.summary.max, end!.lagMs];
    };
    assertEquals(await latest(1), [1, 1]);
    assertEquals(await latest(50), [49, 50]);
  });
}
