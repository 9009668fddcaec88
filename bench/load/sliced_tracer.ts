// The tracer of a gateway under measurement: an import map puts it in the place of the gateway's own (traces.ts does). All it adds is a
// choice, every 120 ms anew: the calls are traced, or they are not, or they are not and each does some work of a known time. So the three
// are compared in one process, within a second, on the same compiled code.
import { cpuUsage } from "node:process";
import { Tracer as GatewayTracer } from "../../src/telemetry/traces/tracer.ts?real";
import type { Trace } from "../../src/telemetry/traces/span.ts";

/** What the calls of a slice do. */
export const MODES = ["off", "on", "work"] as const;

const SLICE_MS = 120;

/** About five microseconds. */
const WORK_ROUNDS = 4_000;

/** No span begins. The gateway takes that for a call that is not traced. */
const UNTRACED = { begin: () => undefined } as unknown as Trace;

export class Tracer extends GatewayTracer {
  #mode = 0;
  /** The modes that the block has not had. */
  #left: number[] = [];
  #until = 0;
  #calls = 0;
  #cpu = 0;
  #workMs = 0;
  #sum = 1;

  override beginFor(...args: Parameters<GatewayTracer["beginFor"]>): Trace {
    const now = performance.now();
    if (now >= this.#until) this.#next(now);
    this.#calls++;
    if (this.#mode === 1) return super.beginFor(...args);
    if (this.#mode === 2) this.#work();
    return UNTRACED;
  }

  /** Says what the slice has taken, and begins another one. */
  #next(now: number): void {
    const cpu = cpuMicros();
    if (this.#calls > 0) {
      console.log(["SLICE", this.#mode, this.#calls, cpu - this.#cpu, this.#workMs * 1_000].join(" "));
    }
    if (this.#left.length === 0) this.#left = [...MODES.keys()];
    [this.#mode] = this.#left.splice(Math.floor(Math.random() * this.#left.length), 1) as [number];
    this.#until = now + SLICE_MS;
    this.#calls = this.#workMs = 0;
    this.#cpu = cpuMicros();
  }

  #work(): void {
    const begun = performance.now();
    let value = this.#sum;
    for (let round = 0; round < WORK_ROUNDS; round++) value = Math.imul(value, 1_103_515_245) + 12_345 | 0;
    this.#sum = value;
    this.#workMs += performance.now() - begun;
  }
}

/** Of the process, in user and in system mode. /proc, which other measurements read, counts in steps of 10 ms. */
function cpuMicros(): number {
  const { user, system } = cpuUsage();
  return user + system;
}
