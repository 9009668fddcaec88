// A worker that reports what it could do, whenever the supervisor sends it something.
import { parentPort } from "node:worker_threads";
import "../../src/worker/main.ts";
import { reportProbe } from "./permission_probe.ts";

let worker = -1;
parentPort!.on("message", (message: { type: string; worker: number }) => {
  if (message.type === "start") worker = message.worker;
  reportProbe(`worker ${worker}`);
});
