// What a warm call leaves behind in the memory of its worker. V8 frees the objects of a call cheaply if all of them die young. One
// long-lived object that refers to them keeps them until the next full collection: calls then cost a sixth more CPU, and their p99 is
// several times as long.
import { assert } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import { inSession, openSession, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";

/** Enough for a dozen collections of a young generation that has grown to its full size. */
const CALLS = 12_000;

const CLIENTS = 16;

/** 1 % of what a call allocates outlives it, most of it in Deno: the reads of an upstream connection. */
const MAX_SHARE = 0.04;

for (const path of ["/rpc", "/mcp"]) {
  Deno.test(`A warm call on ${path} leaves next to nothing in the old generation of its worker`, async () => {
    await using upstream = FastUpstream.start();
    await using sluice = await Sluice.start({ env: { WORKERS: "1", DENO_V8_FLAGS: "--trace-gc" } });
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
    const { share, collections } = survival(sluice.stdout.lines);
    assert(collections > 5, `${collections} collections`);
    assert(share < MAX_SHARE, `${(100 * share).toFixed(1)} % of what calls allocate outlives them`);
  });
}

/**
 * Of the bytes that were allocated between collections of the young generation, the share that these did not free. What comes before the
 * first full collection is the start of the program.
 */
function survival(trace: readonly string[]): { share: number; collections: number } {
  // The heap's size after the last collection, by isolate; MB.
  const sizes = new Map<string, number>();
  let [allocated, kept, collections] = [0, 0, 0];
  for (const line of trace) {
    const found = COLLECTION.exec(line);
    if (found === null) continue;
    const [isolate, kind, before, after] = [found[1]!, found[2]!, Number(found[3]), Number(found[4])];
    const last = sizes.get(isolate);
    if (kind === "Mark-Compact" || last !== undefined) sizes.set(isolate, after);
    if (kind === "Mark-Compact" || last === undefined) continue;
    collections++;
    allocated += before - last;
    kept += Math.max(0, after - last);
  }
  return { share: kept / allocated, collections };
}

/** A line of `--trace-gc`: the isolate, the kind of collection, the heap's size before and after it. */
const COLLECTION = /^\[\d+:(\w+)\].* (Scavenge|Mark-Compact) (?:\(.*?\) )?([\d.]+) \(.*?\) -> ([\d.]+) /;
