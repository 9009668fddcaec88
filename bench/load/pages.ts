// What the cache of pages is for: thousands of users look at /admin again and again, with the cache and without it, by turns. Beside
// them a few clients call a tool on /rpc.
//
//   deno run -A bench/load/pages.ts [--seconds 8] [--users 4000] [--clients 16] [--path /admin]
//
// Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

const TURNS = 2;
const RPC_CLIENTS = 4;

interface Kind {
  readonly name: string;
  readonly sluice: Sluice;
  /** One for each user. */
  readonly tokens: readonly string[];
  readonly pagesMs: number[];
  readonly callsMs: number[];
  hits: number;
  bytes: number;
  cpuMicros: number;
  seconds: number;
  wrong: number;
  nextUser: number;
}

async function measure(kind: Kind, { path, clients, seconds }: {
  readonly path: string;
  readonly clients: number;
  readonly seconds: number;
}): Promise<void> {
  const { sluice, tokens, pagesMs, callsMs } = kind;
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  const before = cpuMicros(sluice.pid);
  const look = async () => {
    while (performance.now() < end) {
      const cookie = `sluice_session=${tokens[kind.nextUser++ % tokens.length]}`;
      const from = performance.now();
      const response = await fetch(sluice.url + path, { headers: { cookie, accept: "text/html" } });
      const { byteLength } = await response.arrayBuffer();
      pagesMs.push(performance.now() - from);
      kind.bytes += byteLength;
      const cache = response.headers.get("x-cache-status");
      if (cache === "HIT" || cache === "STALE") kind.hits++;
      if (response.status !== 200) kind.wrong++;
    }
  };
  const body = JSON.stringify(toolCall("fast-echo", { message: "alive" }));
  const headers = { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" };
  const call = async () => {
    while (performance.now() < end) {
      const from = performance.now();
      const response = await fetch(`${sluice.url}/rpc`, { method: "POST", headers, body });
      const text = await response.text();
      callsMs.push(performance.now() - from);
      if (response.status !== 200 || !text.includes("alive")) kind.wrong++;
    }
  };
  await Promise.all([
    ...Array.from({ length: clients }, look),
    ...Array.from({ length: RPC_CLIENTS }, call),
  ]);
  kind.cpuMicros += cpuMicros(sluice.pid) - before;
  kind.seconds += (performance.now() - begun) / 1_000;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "users", "clients", "path"],
    default: { seconds: "8", users: "4000", clients: "16", path: "/admin" },
  });
  const [seconds, users, clients] = [options.seconds, options.users, options.clients].map(Number);
  await using upstream = FastUpstream.start();
  const start = async (env: Record<string, string>) => {
    const sluice = await Sluice.start({ env: { LOG_LEVEL: "WARNING", ...env } });
    await sluice.registerUpstream("fast", upstream.url);
    return sluice;
  };
  await using without = await start({ RESPONSE_CACHE_TTL: "0" });
  await using within = await start({});
  const kindOf = async (name: string, sluice: Sluice): Promise<Kind> => ({
    ...{ name, sluice, pagesMs: [], callsMs: [], hits: 0, bytes: 0, cpuMicros: 0, seconds: 0 },
    ...{ wrong: 0, nextUser: 0 },
    tokens: await Promise.all(
      Array.from({ length: users }, (_, i) => sluice.token({ claims: { jti: `user-${i}` } })),
    ),
  });
  const kinds = [await kindOf("without", without), await kindOf("with", within)];
  // Every token is verified once, and V8 compiles.
  for (const kind of kinds) await measure(kind, { path: options.path, clients, seconds });
  for (const kind of kinds) {
    kind.pagesMs.length = kind.callsMs.length = 0;
    Object.assign(kind, { hits: 0, bytes: 0, cpuMicros: 0, seconds: 0 });
  }
  for (let turn = 0; turn < TURNS; turn++) {
    for (const kind of kinds) await measure(kind, { path: options.path, clients, seconds });
  }

  console.log(
    `GET ${options.path}, ${users} users, ${clients} at once, ${RPC_CLIENTS} clients on /rpc, two workers\n`,
  );
  console.log(markdownTable<Kind>([
    ["cache", ({ name }) => name],
    ["pages/s", ({ pagesMs, seconds }) => (pagesMs.length / seconds).toFixed(0)],
    ["from memory", ({ hits, pagesMs }) => `${(100 * hits / pagesMs.length).toFixed(0)} %`],
    ["p50 ms", ({ pagesMs }) => percentile(pagesMs, 0.5).toFixed(1)],
    ["p99 ms", ({ pagesMs }) => percentile(pagesMs, 0.99).toFixed(1)],
    ["calls/s on /rpc", ({ callsMs, seconds }) => (callsMs.length / seconds).toFixed(0)],
    ["p50 ms of calls", ({ callsMs }) => percentile(callsMs, 0.5).toFixed(1)],
    ["p99 ms of calls", ({ callsMs }) => percentile(callsMs, 0.99).toFixed(1)],
    ["wrong", ({ wrong }) => String(wrong)],
  ], kinds));
  return kinds.every(({ wrong }) => wrong === 0) ? 0 : 1;
}

Deno.exit(await main());
