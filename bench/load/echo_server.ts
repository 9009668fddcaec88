// The yardstick: what Deno.serve needs to answer with the body that it was sent. Arguments: the port, and how many threads share it.
import { isMainThread, Worker } from "node:worker_threads";

const [port, threads = "1"] = Deno.args;

Deno.serve(
  { hostname: "127.0.0.1", port: Number(port), reusePort: threads !== "1", onListen: () => {} },
  async (request) => new Response(await request.text(), { headers: { "content-type": "application/json" } }),
);

if (isMainThread) {
  for (let further = 1; further < Number(threads); further++) new Worker(new URL(import.meta.url));
}
