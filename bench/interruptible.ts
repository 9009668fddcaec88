// A measurement that SIGINT or SIGTERM ends: with all programs that it has started, and their files.
import { stopSignal } from "../src/cli/command_line/stop_signal.ts";
import { treeOf } from "./compare/process_tree.ts";

/** How long `main` may take to remove its files after its programs have ended. */
const UNWINDING_MS = 20_000;

/** What a shell answers for a process that a signal has ended. */
const EXIT_CODES: Readonly<Partial<Record<Deno.Signal, number>>> = { SIGINT: 130, SIGTERM: 143 };

/**
 * Runs a measurement to its end. After a signal its programs are ended, those too that it still starts, until `main` has settled.
 * @param main gets a signal that is aborted then: a measurement that goes on after failures looks at it
 * @param patienceMs a program that has not ended by then is killed
 * @returns the exit code: that of `main`, or 128 + the signal
 */
export async function interruptible(
  main: (signal: AbortSignal) => Promise<number>,
  patienceMs = 5_000,
): Promise<number> {
  const interruption = new AbortController();
  const stopped = stopSignal();
  const result = main(interruption.signal);
  let isSettled = false;
  const settled = result.then(() => {}, () => {}).finally(() => isSettled = true);
  const signal = await Promise.race([settled, stopped]);
  if (signal === undefined) return await result;
  interruption.abort();
  const killAt = Date.now() + patienceMs;
  const endAt = Date.now() + UNWINDING_MS;
  // A program whose parent has ended is no longer below this process.
  const started = new Set<number>();
  while (true) {
    for (const pid of programs()) started.add(pid);
    const running = [...started].filter(isRunning);
    if (running.length === 0 && (isSettled || Date.now() > endAt)) break;
    for (const pid of running) end(pid, Date.now() < killAt ? "SIGTERM" : "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return EXIT_CODES[signal] ?? 1;
}

/** All that this process has started, and what those have started. */
function programs(): number[] {
  return treeOf([Deno.pid]).filter((pid) => pid !== Deno.pid);
}

function isRunning(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    // Z: it has ended, and its parent has not asked for its exit code.
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false;
  }
}

function end(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
