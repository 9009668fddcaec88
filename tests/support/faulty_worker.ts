// A worker with faults on demand: the real one, and an eye on a file that says what shall go wrong in which worker.
import { parentPort } from "node:worker_threads";
import { betweenRequests } from "./counted_serve.ts";
import "../../src/worker/main.ts";

let worker = -1;
parentPort!.on("message", (message: { type: string; worker: number }) => {
  if (message.type === "start") worker = message.worker;
});

const hoard: unknown[] = [];

const FAULTS: Readonly<Record<string, () => void>> = {
  block: () => {
    for (;;) Math.random();
  },
  // The open of a pipe that nobody writes to does not return: no interrupt of the JavaScript ends it.
  wait: () => {
    Deno.readFileSync("pipe");
  },
  throw: () => {
    throw new Error("a fault on demand");
  },
  // In steps, as a leak does: the event loop goes on.
  hoard: () => {
    setInterval(() => {
      for (let i = 0; i < 100_000; i++) hoard.push({ i, text: `x${i}` });
    }, 20);
  },
};

/** Behind the kind of a fault: it waits until all answers are sent, and no further request is begun. */
const BETWEEN_CALLS = " between calls";

setInterval(() => {
  const path = `fault-${worker}`;
  try {
    const text = Deno.readTextFileSync(path);
    // It is being written.
    if (text === "") return;
    Deno.removeSync(path);
    const [kind, isBetweenCalls] = text.split(BETWEEN_CALLS, 2);
    const strike = FAULTS[kind!]!;
    if (isBetweenCalls === undefined) strike();
    else betweenRequests(strike);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}, 20);
