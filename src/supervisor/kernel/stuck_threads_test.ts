import { assert, assertEquals } from "@std/assert";
import { Worker } from "node:worker_threads";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { StuckThreads } from "./stuck_threads.ts";

/** Tells its thread id and waits. */
const IDLE = `import { parentPort } from "node:worker_threads";
parentPort.on("message", () => {});
parentPort.postMessage(Number(Deno.readLinkSync("/proc/thread-self").split("/").at(-1)));`;

Deno.test("StuckThreads gives a thread idle time only, and counts it until it has ended", async () => {
  const threads = new StuckThreads();
  const worker = new Worker(new URL(`data:application/javascript,${encodeURIComponent(IDLE)}`));
  const threadId = await new Promise<number>((resolve) => worker.on("message", resolve));
  assertEquals(threads.add(threadId), true);
  const stat = Deno.readTextFileSync(`/proc/self/task/${threadId}/stat`);
  const SCHED_IDLE = "5";
  assertEquals(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[38], SCHED_IDLE);
  assertEquals(threads.count, 1);
  await worker.terminate();
  assert(await waitFor(() => threads.count === 0, { what: "the thread to end" }));
});

Deno.test("StuckThreads counts no thread that is not there", () => {
  const threads = new StuckThreads();
  assertEquals([threads.add(2 ** 30), threads.count], [false, 0]);
});
