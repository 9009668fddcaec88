// How slow the machine is at present. Bounds in time are multiplied by that.
//
// A test asserts a bound in time only where no order of events can tell right from wrong. The name of such a test ends in "(timed)".
import { assert } from "@std/assert";

/** Two processes side by side, each of which starts and computes for a moment: what a gateway and its client do at least. */
const PROCESSES = 2;
const COMPUTING = "let x = 0; for (let i = 0; i < 2e7; i++) x = (x * 31 + i) | 0;";
/** So long they take on two idle cores, ms. */
const REFERENCE_MS = 150;

const MEASURED_FOR_MS = 3_000;

let measured: { readonly at: number; readonly slowness: Promise<number> } | undefined;

/** How many times as long as on two idle cores something takes now, or took in the last minute: 1 at least. */
export function slowness(): Promise<number> {
  const now = performance.now();
  if (measured === undefined || now - measured.at > MEASURED_FOR_MS) {
    measured = { at: now, slowness: measure() };
  }
  return measured.slowness;
}

/** The bound for what may take `ms` on two idle cores. */
export async function paced(ms: number): Promise<number> {
  return ms * await slowness();
}

/** Fails where something took longer than it may. @param boundMs what it may take on two idle cores */
export async function assertWithin(tookMs: number, boundMs: number, what: string): Promise<void> {
  // The usual case costs nothing.
  if (tookMs < boundMs) return;
  const bound = await paced(boundMs);
  assert(tookMs < bound, `${what} took ${Math.round(tookMs)} ms, not less than ${Math.round(bound)}`);
}

/**
 * Fails where a timer of `ms` fires before it has settled. For what waits in this process alone: however slow the machine is, the timer
 * that was set first and for less fires first.
 */
export async function beforeTimer<T>(ms: number, run: () => Promise<T>): Promise<T> {
  let isLate = false;
  const timer = setTimeout(() => isLate = true, ms);
  try {
    const value = await run();
    assert(!isLate, `A timer of ${ms} ms fired before`);
    return value;
  } finally {
    clearTimeout(timer);
  }
}

/** More than one test file beside this one: what other people's programs allow themselves may not be enough. */
const SLOW = 1.5;
const ATTEMPTS = 3;

/**
 * For programs of others with limits of their own in time, which cannot be scaled. Where it fails on a machine that is slow just now, it
 * gets another chance.
 */
export async function givenTime<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt === ATTEMPTS || await slowness() < SLOW) throw error;
    }
  }
}

async function measure(): Promise<number> {
  const from = performance.now();
  await Promise.all(Array.from({ length: PROCESSES }, compute));
  const now = (performance.now() - from) / REFERENCE_MS;
  // The load may have gone meanwhile. On two cores with four processes that always have something to do, each has half a core.
  const lately = Deno.loadavg()[0] / navigator.hardwareConcurrency;
  return Math.max(1, now, lately);
}

async function compute(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", COMPUTING],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  assert(success, "deno eval failed");
}
