// Recycling under load: how many requests fail while workers are replaced, over kept connections and over one for each request.
//
//   deno run -A bench/load/recycle.ts [--recycles 50] [--fresh] [--clients 16]
//
// Exit code 1 where a request over kept connections failed.

import { parseArgs } from "@std/cli/parse-args";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { startLoad } from "../../tests/support/steady_load.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { interruptible } from "../interruptible.ts";

const options = parseArgs(Deno.args, {
  string: ["recycles", "clients"],
  boolean: ["fresh"],
  default: { recycles: "50", clients: "16" },
});
const wanted = Number(options.recycles);

async function main(): Promise<number> {
  await using upstream = FastUpstream.start();
  await using sluice = await Sluice.start({ env: { MAX_REQUESTS: "300", WORKERS: "2" } });
  await sluice.registerUpstream("fast", upstream.url);
  const call = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "echo", arguments: { message: "alive" } },
  };
  const migrates = await Deno.readTextFile("/proc/sys/net/ipv4/tcp_migrate_req").catch(() => "?");
  const startedAt = Date.now();
  const load = startLoad({
    url: `${sluice.url}/rpc`,
    headers: { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" },
    body: JSON.stringify(call),
    clients: Number(options.clients),
    isRight: (status, text) => status === 200 && text.includes("alive"),
    freshConnections: options.fresh,
  });
  const recycled = () => sluice.log().filter(({ event }) => event === "worker recycled").length;
  await waitFor(() => recycled() >= wanted, {
    what: `${wanted} recycles`,
    deadlineMs: wanted * 20_000,
    everyMs: 500,
  });
  const { ok, failures, longestGapMs } = await load.stop();
  const seconds = (Date.now() - startedAt) / 1000;
  console.log(
    `${recycled()} recycles in ${seconds.toFixed(0)} s, ${
      options.fresh ? "a connection for each request" : "kept connections"
    }, ` +
      `tcp_migrate_req=${migrates.trim()}: ${ok} requests (${
        (ok / seconds).toFixed(0)
      }/s), ${failures.length} failed, ` +
      `longest pause ${longestGapMs} ms`,
  );
  for (const failure of new Set(failures)) console.log(`  ${failure}`);
  return failures.length > 0 && !options.fresh ? 1 : 0;
}

Deno.exit(await interruptible(main));
