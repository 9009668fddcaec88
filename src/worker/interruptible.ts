// Lets the supervisor end this thread while it runs JavaScript that never returns, such as `while (true) {}`. Deno's `terminate()`
// wakes the worker's event loop and does not interrupt JavaScript, with one exception: if a node worker holds a Web Lock, Deno
// interrupts it, so that the lock does not pass on while its holder runs. The interrupt can hit the runtime while it loads a module
// of its own, which crashes it. The worker therefore holds a lock only while it serves, and gives it back before the usual end.
import * as threads from "node:worker_threads";

/** @returns releases the lock. Does nothing if the runtime has no locks for node workers */
export function becomeInterruptible(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { locks } = threads as Partial<Pick<typeof threads, "locks">>;
  void locks?.request(`worker ${threads.threadId}`, () => promise);
  return resolve;
}
