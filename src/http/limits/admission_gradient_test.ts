import { assert } from "@std/assert";
import { Prng } from "../../../tests/support/prng.ts";
import { GradientLimit } from "./admission_gradient.ts";

/** An upstream that serves `slots` requests at once; those above that wait there, in order. */
interface Upstream {
  slots: number;
  /** In the mean. */
  serviceMs: number;
  /** Whether each takes its own time, exponentially distributed from half of `serviceMs` on, or all the same. */
  isVaried: boolean;
}

interface Served {
  readonly startMs: number;
  readonly endMs: number;
}

interface Figures {
  /** What was let in and answered, per second. */
  readonly throughput: number;
  readonly latencyMs: number;
  readonly p99Ms: number;
}

/** Time, callers and an upstream behind a limit; `perSecond` calls come at random, and those above the limit are refused. */
class Simulation {
  readonly gradient = new GradientLimit();
  readonly upstream: Upstream = { slots: 100, serviceMs: 20, isVaried: false };
  readonly #chance = new Prng(7);
  #nowMs = 0;
  #inFlight = 0;
  #nextArrival = 0;
  #waiting: number[] = [];
  /** The requests that are being served, by the ms at which they are answered. */
  readonly #served = new Map<number, Served[]>();
  #serving = 0;

  run(seconds: number, perSecond: number): Figures {
    const until = this.#nowMs + seconds * 1_000;
    const latencies: number[] = [];
    this.#nextArrival = Math.max(this.#nextArrival, this.#nowMs);
    for (; this.#nowMs < until; this.#nowMs++) {
      this.#answer(latencies);
      this.#arrive(1_000 / perSecond);
      const free = Math.max(0, this.upstream.slots - this.#serving);
      for (const startMs of this.#waiting.splice(0, free)) this.#serve(startMs);
    }
    const sorted = Float64Array.from(latencies).sort();
    return {
      throughput: sorted.length / seconds,
      latencyMs: sorted.reduce((sum, each) => sum + each, 0) / sorted.length,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)]!,
    };
  }

  #answer(latencies: number[]): void {
    const answered = this.#served.get(this.#nowMs) ?? [];
    this.#served.delete(this.#nowMs);
    this.#serving -= answered.length;
    for (const { startMs, endMs } of answered) {
      this.gradient.sample(startMs, endMs, this.#inFlight--);
      latencies.push(endMs - startMs);
    }
  }

  #arrive(meanMs: number): void {
    for (; this.#nextArrival <= this.#nowMs; this.#nextArrival += this.#draw(meanMs)) {
      if (this.#inFlight >= this.gradient.limit) {
        // All others of this moment are refused as well. The time to the next arrival has the same distribution from any moment on.
        this.#nextArrival = this.#nowMs + this.#draw(meanMs);
        return;
      }
      this.#inFlight++;
      this.#waiting.push(this.#nowMs);
    }
  }

  #serve(startMs: number): void {
    const endMs = this.#nowMs + this.#serviceMs();
    const answeredAt = Math.ceil(endMs);
    const others = this.#served.get(answeredAt);
    if (others === undefined) this.#served.set(answeredAt, [{ startMs, endMs }]);
    else others.push({ startMs, endMs });
    this.#serving++;
  }

  #serviceMs(): number {
    const { serviceMs, isVaried } = this.upstream;
    return isVaried ? serviceMs / 2 + this.#draw(serviceMs / 2) : serviceMs;
  }

  /** Exponentially distributed. */
  #draw(mean: number): number {
    return -Math.log(1 - this.#chance.next()) * mean;
  }
}

function between(value: number, low: number, high: number, what: string): void {
  assert(value >= low && value <= high, `${what}: ${value} is not between ${low} and ${high}`);
}

/** A simulation whose upstream is like this. */
function simulate(upstream: Partial<Upstream>): Simulation {
  const simulation = new Simulation();
  Object.assign(simulation.upstream, upstream);
  return simulation;
}

Deno.test("GradientLimit leaves its limit alone while little is under way", () => {
  const simulation = new Simulation();
  simulation.run(20, 250);
  between(simulation.gradient.limit, 20, 20, "limit");
});

for (
  const { slots, serviceMs, isVaried } of [
    { slots: 60, serviceMs: 200, isVaried: false },
    { slots: 60, serviceMs: 200, isVaried: true },
    { slots: 30, serviceMs: 200, isVaried: true },
    { slots: 60, serviceMs: 20, isVaried: false },
    { slots: 60, serviceMs: 20, isVaried: true },
    { slots: 600, serviceMs: 100, isVaried: true },
  ]
) {
  const upstream = { slots, serviceMs, isVaried };
  Deno.test(`GradientLimit keeps the p99 within twice that at capacity, and the throughput, at four times the load: ${JSON.stringify(upstream)}`, () => {
    const capacity = slots / (serviceMs / 1_000);
    const simulation = simulate(upstream);
    simulation.run(15, capacity / 2);
    const atCapacity = simulation.run(15, capacity);
    // The very first moments of the flood count, too; and so they do where nothing came before it.
    const warm = simulation.run(60, capacity * 4);
    const cold = simulate(upstream);
    const coldStart = cold.run(24, capacity * 4);
    for (const [figures, what] of [[warm, "after a full load"], [coldStart, "from the start"]] as const) {
      between(figures.p99Ms, serviceMs, atCapacity.p99Ms * 2, `p99 ${what}`);
    }
    between(warm.throughput, capacity * 0.95, capacity * 1.02, "throughput");
    between(cold.run(24, capacity * 4).throughput, capacity * 0.95, capacity * 1.02, "throughput, later");
  });
}

Deno.test("GradientLimit does not creep up in an overload that lasts", () => {
  const simulation = new Simulation();
  simulation.run(20, 20_000);
  const early = simulation.gradient.limit;
  simulation.run(240, 20_000);
  between(simulation.gradient.limit, early * 0.7, early * 1.4, `limit (${early} four minutes before)`);
});

Deno.test("GradientLimit falls when the upstream loses capacity, and recovers with it", () => {
  const simulation = new Simulation();
  simulation.run(20, 20_000);
  const full = simulation.gradient.limit;
  simulation.upstream.slots = 25;
  simulation.run(10, 20_000);
  const less = simulation.run(5, 20_000);
  between(simulation.gradient.limit, 25, full / 2, `limit at a quarter of the capacity (before: ${full})`);
  between(less.latencyMs, 20, 40, "latency at a quarter of the capacity");
  between(less.throughput, 1_190, 1_300, "throughput of 1250/s");
  simulation.upstream.slots = 100;
  simulation.run(15, 20_000);
  between(simulation.run(5, 20_000).throughput, 4_750, 5_050, "throughput of 5000/s afterwards");
});

Deno.test("GradientLimit sees that an upstream has become slower by itself, and sheds no more than before", () => {
  for (const isVaried of [false, true]) {
    const simulation = simulate({ slots: 10_000, isVaried });
    simulation.run(5, 30_000);
    between(simulation.run(10, 30_000).throughput, 29_000, 31_000, "throughput");
    simulation.upstream.serviceMs = 100;
    simulation.run(15, 30_000);
    between(simulation.run(10, 30_000).throughput, 28_500, 31_000, `throughput at five times the latency`);
  }
});

Deno.test("GradientLimit comes back to what is used when a load has gone", () => {
  const simulation = simulate({ slots: 1_000, serviceMs: 50 });
  simulation.run(10, 15_000);
  between(simulation.gradient.limit, 750, 2_000, "limit under load");
  simulation.run(20, 1_000);
  between(simulation.gradient.limit, 50, 200, "limit at 50 under way");
});

Deno.test("GradientLimit keeps its bounds", () => {
  const grows = simulate({ slots: 100_000, serviceMs: 200 });
  grows.run(30, 21_000);
  between(grows.gradient.limit, 4_096, 4_096, "upper bound");
  const falls = new Simulation();
  falls.run(5, 2_000);
  falls.upstream.slots = 1;
  falls.run(60, 20_000);
  between(falls.gradient.limit, 4, 8, "lower bound");
});
