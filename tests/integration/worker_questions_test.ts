// A real worker that is asked what it cannot answer, and what it tells by itself.
import { quotaMemory } from "../../src/auth/quotas/quota_counters.ts";
import { Worker } from "node:worker_threads";
import { assertEquals, assertRejects } from "@std/assert";
import { keysOfSecret } from "../../src/auth/keys/own_keys.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { openDatabase } from "../../src/store/open_database.ts";
import { countersIn, countersMemory } from "../../src/telemetry/metrics.ts";
import { SharedNumbers } from "../../src/telemetry/shared_numbers.ts";
import { WorkerHandle } from "../../src/supervisor/worker_handle.ts";
import type { FromWorker, ToWorker } from "../../src/worker/protocol/messages.ts";
import { configOf } from "../support/redis_connections.ts";
import { freePort } from "../support/free_port.ts";
import { waitFor } from "../support/wait_for.ts";

function answersIn(memory: SharedArrayBuffer): number {
  return countersIn(new SharedNumbers(memory)).find(({ name }) => name === "sluice_http_answers_total")
    ?.values[0]?.[1][0] ?? 0;
}

Deno.test({
  name:
    "A worker whose answer throws says so, answers the next question, and does not keep its requests waiting",
  // Another worker's connections and timers end with its thread.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    const directory = await Deno.makeTempDir({ prefix: "sluice_worker_" });
    const port = freePort();
    const config = configOf({
      DATABASE_URL: `sqlite:///${directory}/test.db`,
      HOST: "127.0.0.1",
      PORT: String(port),
      WORKERS: "1",
      AUTH_REQUIRED: "false",
    });
    const database = await openDatabase(config.databaseUrl, { settings: config });
    await migrate(database);
    await database.close();
    const faults: string[] = [];
    const counters = countersMemory(1);
    const handle = new WorkerHandle({
      start: {
        type: "start",
        worker: 0,
        // It waits for sessions, and gets none that it can read.
        isSuccessor: true,
        workerCount: 1,
        replicaSeed: "seed",
        quotaMemory: quotaMemory(1_000),
        counters,
        config,
        secrets: { tokenKeys: keysOfSecret("HS256", "s".repeat(40)), authEncryptionSecret: "t".repeat(40) },
      },
      maxHeapMb: 0,
      events: {
        onState: () => {},
        // As a supervisor answers that has nothing to tell.
        onRequest: (worker, { request }) => worker.send({ type: "results", request, values: [] }),
        onCannotAccept: () => {},
        onListeningAgain: () => {},
        onLog: () => {},
        onWantsRecycling: () => {},
        onFault: (_, question) => faults.push(question),
      },
    });
    try {
      await handle.prepared;
      const error = await assertRejects(
        () => handle.ask({ type: "take_over", handover: null as never }),
        SluiceError,
      );
      assertEquals([error.code, faults], ["INTERNAL", ["take_over"]]);
      assertEquals((await handle.ask({ type: "report" })).worker, 0);
      handle.send({ type: "listen" });
      await handle.ready;
      const response = await fetch(`http://127.0.0.1:${port}/rpc`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      });
      assertEquals([response.status, await response.json()], [200, { jsonrpc: "2.0", id: 1, result: {} }]);
      // What it has counted is there without a question, and after its end.
      assertEquals(answersIn(counters), 1);
      handle.drain();
      await waitFor(() => handle.state === "dead", { what: "the worker to end" });
      assertEquals(answersIn(counters), 1);
    } finally {
      handle.terminate();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "A worker that cannot start has no use for peers, and says only why it cannot",
  // As above.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    const config = configOf({ DATABASE_URL: "sqlite:////no/such/folder/mcp.db" });
    const worker = new Worker(new URL("../../src/worker/main.ts", import.meta.url));
    const said: FromWorker[] = [];
    const errors: unknown[] = [];
    worker.on("message", (message: FromWorker) => said.push(message));
    worker.on("error", (error: unknown) => errors.push(error));
    const order = (message: ToWorker, transfer: MessagePort[] = []) =>
      worker.postMessage(message, transfer as never);
    order({
      type: "start",
      worker: 0,
      isSuccessor: false,
      workerCount: 2,
      replicaSeed: "seed",
      quotaMemory: quotaMemory(1_000),
      counters: countersMemory(1),
      config,
      secrets: { tokenKeys: keysOfSecret("HS256", "s".repeat(40)), authEncryptionSecret: "t".repeat(40) },
    });
    const { port1, port2 } = new MessageChannel();
    order({ type: "peer", worker: 1, port: port1 as never }, [port1]);
    order({ type: "peer_gone", worker: 1 });
    order({ type: "command", request: 1, command: { type: "retire" } });
    try {
      // Orders are obeyed one after the other: this one is the last.
      await waitFor(() => said.some(({ type }) => type === "done") || errors.length > 0, { what: "its end" });
      assertEquals([said.map(({ type }) => type), errors], [["failed", "done"], []]);
    } finally {
      port2.close();
      await worker.terminate();
    }
  },
});
