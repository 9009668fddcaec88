// Lets the supervisor end this thread whatever it runs, `while (true) {}` included. Deno's `terminate()` only wakes an event loop,
// except for a node worker that holds a Web Lock: a lock must not go on to others while its holder still runs, so the JavaScript
// is interrupted first (since 2.9). That may hit the runtime in the middle of loading one of its own modules, which it does not
// survive; therefore only while the worker serves, and not for the usual end.
import * as threads from "node:worker_threads";

/** @returns back to the usual. Does nothing where the runtime has no locks for workers */
export function becomeInterruptible(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { locks } = threads as Partial<Pick<typeof threads, "locks">>;
  void locks?.request(`worker ${threads.threadId}`, () => promise);
  return resolve;
}
