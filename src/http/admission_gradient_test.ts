import { assert } from "@std/assert";
import { GradientLimit } from "./admission_gradient.ts";

/** An upstream that serves `slots` requests at once, each in `serviceMs`; those above that wait there, in order. */
interface Upstream {
  slots: number;
  serviceMs: number;
}

/** Time, callers and an upstream behind a limit; `perSecond` calls come evenly, and those above the limit are refused. */
class Simulation {
  readonly gradient = new GradientLimit();
  readonly upstream: Upstream = { slots: 100, serviceMs: 20 };
  #nowMs = 0;
  #inFlight = 0;
  #nextArrival = 0;
  readonly #waiting: number[] = [];
  #served: { readonly startMs: number; readonly endMs: number }[] = [];

  /** @returns what was let in and answered in this time, per second, and its mean latency, ms */
  run(seconds: number, perSecond: number): { readonly throughput: number; readonly latencyMs: number } {
    const until = this.#nowMs + seconds * 1_000;
    let [done, sumMs] = [0, 0];
    this.#nextArrival = Math.max(this.#nextArrival, this.#nowMs);
    for (; this.#nowMs < until; this.#nowMs++) {
      for (const { startMs, endMs } of this.#served.filter((each) => each.endMs <= this.#nowMs)) {
        this.gradient.sample(startMs, endMs, this.#inFlight--);
        done++;
        sumMs += endMs - startMs;
      }
      this.#served = this.#served.filter((each) => each.endMs > this.#nowMs);
      for (; this.#nextArrival <= this.#nowMs; this.#nextArrival += 1_000 / perSecond) {
        if (this.#inFlight >= this.gradient.limit) continue;
        this.#inFlight++;
        this.#waiting.push(this.#nowMs);
      }
      while (this.#waiting.length > 0 && this.#served.length < this.upstream.slots) {
        this.#served.push({ startMs: this.#waiting.shift()!, endMs: this.#nowMs + this.upstream.serviceMs });
      }
    }
    return { throughput: done / seconds, latencyMs: sumMs / done };
  }
}

function between(value: number, low: number, high: number, what: string): void {
  assert(value >= low && value <= high, `${what}: ${value} is not between ${low} and ${high}`);
}

Deno.test("GradientLimit leaves its limit alone while little is under way", () => {
  const simulation = new Simulation();
  simulation.run(20, 500);
  between(simulation.gradient.limit, 512, 512, "limit");
});

Deno.test("GradientLimit comes down to what the upstream can do at four times its capacity, and loses no throughput", () => {
  const simulation = new Simulation();
  simulation.run(5, 2_000);
  simulation.run(10, 20_000);
  const { throughput, latencyMs } = simulation.run(10, 20_000);
  between(throughput, 4_800, 5_050, "throughput of 5000/s");
  between(latencyMs, 20, 45, "latency (20 ms at rest)");
  between(simulation.gradient.limit, 100, 220, "limit (100 slots)");
});

Deno.test("GradientLimit does not creep up in an overload that lasts", () => {
  const simulation = new Simulation();
  simulation.run(5, 2_000);
  simulation.run(20, 20_000);
  const early = simulation.gradient.limit;
  simulation.run(240, 20_000);
  between(simulation.gradient.limit, early * 0.7, early * 1.4, `limit (${early} four minutes before)`);
});

Deno.test("GradientLimit falls when the upstream loses capacity, and recovers with it", () => {
  const simulation = new Simulation();
  simulation.run(5, 2_000);
  simulation.run(15, 20_000);
  const full = simulation.gradient.limit;
  simulation.upstream.slots = 25;
  simulation.run(10, 20_000);
  const less = simulation.run(5, 20_000);
  between(simulation.gradient.limit, 16, full / 2, `limit at a quarter of the capacity (before: ${full})`);
  between(less.latencyMs, 20, 60, "latency at a quarter of the capacity");
  between(less.throughput, 1_150, 1_300, "throughput of 1250/s");
  simulation.upstream.slots = 100;
  simulation.run(15, 20_000);
  between(simulation.run(5, 20_000).throughput, 4_500, 5_050, "throughput of 5000/s afterwards");
});

Deno.test("GradientLimit sees that an upstream has become slower by itself, and sheds no more than before", () => {
  const simulation = new Simulation();
  simulation.upstream.slots = 10_000;
  simulation.run(5, 10_000);
  simulation.run(10, 30_000);
  const before = simulation.gradient.limit;
  simulation.upstream.serviceMs = 100;
  simulation.run(15, 30_000);
  between(simulation.gradient.limit, before * 0.8, 4_096, `limit (before: ${before})`);
});

Deno.test("GradientLimit keeps its bounds", () => {
  const grows = new Simulation();
  grows.upstream.slots = 100_000;
  grows.run(30, 210_000);
  between(grows.gradient.limit, 4_096, 4_096, "upper bound");
  const falls = new Simulation();
  falls.run(5, 2_000);
  falls.upstream.slots = 2;
  falls.run(60, 20_000);
  between(falls.gradient.limit, 16, 40, "lower bound");
});
