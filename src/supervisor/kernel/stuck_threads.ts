// Threads that do not come back to their event loop and that `terminate()` may not end: it interrupts no native call, and before
// Deno 2.9 no JavaScript either (see worker/interruptible.ts). As long as they run they get only the time that nobody else wants.
import { type Libc, openLibc } from "./libc.ts";

const SCHED_IDLE = 5;
const [PRIO_PROCESS, LEAST_PRIORITY] = [0, 19];

/** In /proc/PID/task/TID/stat, counted after the name in brackets: in which tick since the system's start the thread began. */
const START_TICK = 19;

export class StuckThreads {
  readonly #libc: Libc | null = openLibc();
  /** When each began, by its kernel id, which may be given to another thread when it has ended. */
  readonly #startTicks = new Map<number, string>();

  /**
   * To be called while the thread is certainly there.
   * @param threadId the kernel's
   * @returns whether it is out of the others' way now
   */
  add(threadId: number): boolean {
    const startTick = startTickOf(threadId);
    if (startTick === null) return false;
    this.#startTicks.set(threadId, startTick);
    const libc = this.#libc;
    return libc !== null &&
      (libc.sched_setscheduler(threadId, SCHED_IDLE, new Int32Array([0])) === 0 ||
        libc.setpriority(PRIO_PROCESS, threadId, LEAST_PRIORITY) === 0);
  }

  /** How many still run. */
  get count(): number {
    for (const [threadId, startTick] of this.#startTicks) {
      if (startTickOf(threadId) !== startTick) this.#startTicks.delete(threadId);
    }
    return this.#startTicks.size;
  }
}

/** null: there is no such thread of ours. */
function startTickOf(threadId: number): string | null {
  try {
    const stat = Deno.readTextFileSync(`/proc/self/task/${threadId}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START_TICK] ?? null;
  } catch {
    return null;
  }
}
