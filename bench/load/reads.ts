// What the response cache is for: GET /tools with many tools, read from the database, kept by the worker, and as a 304, by turns.
//
//   deno run -A bench/load/reads.ts [--seconds 3] [--tools 1000] [--clients 4]
//
// Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { startManyUpstreams } from "../../tests/support/many_upstreams.ts";
import { cpuMicros } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

const TURNS = 3;

interface Kind {
  readonly name: string;
  readonly sluice: Sluice;
  readonly headers: Readonly<Record<string, string>>;
  /** The HTTP status and X-Cache-Status of every right answer. */
  readonly expected: readonly [status: number, cache: string | null];
  readonly latenciesMs: number[];
  cpuMicros: number;
  wrong: number;
}

async function measure(kind: Kind, clients: number, seconds: number): Promise<void> {
  const { sluice, headers, expected, latenciesMs } = kind;
  const end = performance.now() + seconds * 1_000;
  const before = cpuMicros(sluice.pid);
  await Promise.all(Array.from({ length: clients }, async () => {
    while (performance.now() < end) {
      const from = performance.now();
      const response = await fetch(`${sluice.url}/tools`, { headers });
      await response.arrayBuffer();
      latenciesMs.push(performance.now() - from);
      const got = [response.status, response.headers.get("x-cache-status")];
      if (got.join() !== expected.join()) kind.wrong++;
    }
  }));
  kind.cpuMicros += cpuMicros(sluice.pid) - before;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "tools", "clients"],
    default: { seconds: "3", tools: "1000", clients: "4" },
  });
  const [seconds, tools, clients] = [options.seconds, options.tools, options.clients].map(Number);
  await using upstream = startManyUpstreams({ tools, pageSize: tools });
  const start = async (env: Record<string, string>) => {
    const sluice = await Sluice.start({ env: { WORKERS: "1", LOG_LEVEL: "WARNING", ...env } });
    await sluice.registerUpstream("up", upstream.url("up"));
    return sluice;
  };
  await using without = await start({ REGISTRY_CACHE_ENABLED: "false" });
  await using within = await start({});
  const kindOf = async (
    name: string,
    sluice: Sluice,
    expected: Kind["expected"],
    more: Readonly<Record<string, string>> = {},
  ): Promise<Kind> => {
    const headers = { authorization: `Bearer ${await sluice.token()}`, ...more };
    return { name, sluice, headers, expected, latenciesMs: [], cpuMicros: 0, wrong: 0 };
  };
  // The first read of all is what is kept.
  const { headers, body } = await within.api("GET", "/tools");
  const kinds = [
    await kindOf("from the database", without, [200, "BYPASS"]),
    await kindOf("kept", within, [200, "HIT"]),
    await kindOf("304", within, [304, "HIT"], { "if-none-match": headers.get("etag")! }),
  ];
  for (let turn = 0; turn < TURNS; turn++) {
    for (const kind of kinds) await measure(kind, clients, seconds);
  }

  const size = Math.round(JSON.stringify(body).length / 1_000);
  console.log(`GET /tools, ${body.length} tools, ${size} kB, one worker, ${clients} clients\n`);
  console.log(markdownTable<Kind>([
    ["answer", ({ name }) => name],
    ["answers", ({ latenciesMs }) => String(latenciesMs.length)],
    ["p50 ms", ({ latenciesMs }) => percentile(latenciesMs, 0.5).toFixed(2)],
    ["CPU ms/request", ({ cpuMicros, latenciesMs }) => (cpuMicros / 1_000 / latenciesMs.length).toFixed(3)],
    ["wrong", ({ wrong }) => String(wrong)],
  ], kinds));
  return kinds.every(({ wrong }) => wrong === 0) ? 0 : 1;
}

Deno.exit(await interruptible(main));
