// What a warm call leaves behind in the memory of its worker. V8 frees the objects of a call cheaply if all of them die young. One
// long-lived object that refers to them keeps them until the next full collection: calls then cost a sixth more CPU, and their p99 is
// several times as long.
import { assert, assertEquals } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { inSession, openSession, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";

/** Enough for a dozen collections of a young generation that has grown to its full size. */
const CALLS = 12_000;

const CLIENTS = 16;

/** 1 % of what a call allocates outlives it, most of it in Deno: the reads of an upstream connection. */
const MAX_SHARE = 0.03;

// With two workers, every second connection meets the worker that does not have the session.
for (const [path, workers] of [["/rpc", 1], ["/mcp", 1], ["/mcp", 2]] as const) {
  const where = workers === 1 ? "its worker" : "two workers";
  Deno.test(`A warm call on ${path} leaves next to nothing in the old generation of ${where}`, async () => {
    const share = await shareKept(path, workers);
    assert(share < MAX_SHARE, `${(100 * share).toFixed(1)} % of what calls allocate outlives them`);
  });
}

/** What outlives its call, of what calls allocate: the largest share of all workers. */
async function shareKept(path: "/rpc" | "/mcp", workers: number): Promise<number> {
  await using upstream = FastUpstream.start();
  await using sluice = await Sluice.start({
    env: { WORKERS: String(workers), DENO_V8_FLAGS: "--trace-gc" },
  });
  await sluice.registerUpstream("fast", upstream.url);
  const token = await sluice.token();
  const session = path === "/mcp" ? inSession(await openSession(sluice, { token })) : {};
  const request = {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...session,
    },
    body: JSON.stringify(toolCall("fast-echo", { message: "x" })),
  };
  await Promise.all(Array.from({ length: CLIENTS }, async () => {
    for (let i = 0; i < CALLS / CLIENTS; i++) {
      const response = await fetch(sluice.url + path, request);
      assert((await response.text()).includes('"result"'));
    }
  }));
  // V8 buffers its lines until the process ends.
  await sluice.stop();
  // The main thread allocates less than each worker, and keeps the modules that it loads.
  const heaps = collectionsIn(sluice.stdout.lines)
    .map((collections) => ({
      allocated: sum(collections.map(({ allocated }) => allocated)),
      kept: sum(collections.map(({ kept }) => kept)),
    }))
    .toSorted((one, other) => other.allocated - one.allocated)
    .slice(0, workers);
  assert(heaps.every(({ allocated }) => allocated > 20), "a worker collected next to nothing");
  return Math.max(...heaps.map(({ kept, allocated }) => kept / allocated));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

interface Collection {
  /** MB since the collection before. */
  readonly allocated: number;
  /** MB of those that it did not free. */
  readonly kept: number;
}

/**
 * Collections of the young generation in each heap of the process: one of the supervisor, one of each worker. What is loaded for the first
 * calls stays, so that the first half of them does not count.
 */
function collectionsIn(trace: readonly string[]): Collection[][] {
  const heaps = new Map<string, { size: number; collections: Collection[] }>();
  for (const line of trace) {
    const found = COLLECTION.exec(line);
    if (found === null) continue;
    const [isolate, kind, before, after] = [found[1]!, found[2]!, Number(found[3]), Number(found[4])];
    const heap = heaps.get(isolate) ?? { size: before, collections: [] };
    heaps.set(isolate, heap);
    if (kind === "Scavenge") {
      heap.collections.push({ allocated: before - heap.size, kept: Math.max(0, after - heap.size) });
    }
    heap.size = after;
  }
  return [...heaps.values()].map(({ collections }) => collections.slice(collections.length / 2));
}

/** A line of `--trace-gc`: the isolate, the kind of collection, the heap's size before and after it. */
const COLLECTION = /^\[\d+:(\w+)\].* (Scavenge|Mark-Compact) (?:\(.*?\) )?([\d.]+) \(.*?\) -> ([\d.]+) /;

Deno.test("The main thread and each worker collect the garbage that their start has left", async () => {
  const env = { WORKERS: "2", LOG_LEVEL: "ERROR", DENO_V8_FLAGS: "--trace-gc" };
  const sluice = await Sluice.start({ env });
  // V8 buffers its lines until the process ends.
  await sluice[Symbol.asyncDispose]();
  const collected = sluice.stdout.lines.filter((line) => line.includes("low memory notification"))
    .flatMap((line) => COLLECTION.exec(line)?.[1] ?? []);
  assertEquals(new Set(collected).size, 3);
});
