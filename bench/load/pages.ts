// What the cache of pages is for: thousands of users look at /admin, each at his own pace, with the cache and without it, by turns.
// Beside them a tool is called on /rpc. Requests leave at fixed rates, from another process.
//
//   deno run -A bench/load/pages.ts [--seconds 15] [--users 4000] [--rates 90,300] [--calls 300] [--path /admin]
//
// 4,000 users who look every 30 to 60 seconds are 90 pages/s. Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import type { Job, StreamResult } from "./open_loop.ts";
import { markdownTable } from "./table.ts";

const TURNS = 2;

interface Turn {
  readonly rate: number;
  readonly cache: string;
  readonly pages: StreamResult;
  readonly calls: StreamResult;
  /** Share of a core. */
  readonly cores: number;
}

interface Kind {
  readonly cache: string;
  readonly sluice: Sluice;
  readonly cookies: readonly string[];
}

interface Load {
  readonly path: string;
  readonly seconds: number;
  readonly rate: number;
  readonly calls: number;
}

async function measure(
  { cache, sluice, cookies }: Kind,
  { path, seconds, rate, calls }: Load,
): Promise<Turn> {
  const before = cpuMicros(sluice.pid);
  const [pages, onRpc] = await driven({
    seconds,
    streams: [
      {
        ...{ url: sluice.url + path, rate, cookies, expected: "</html>" },
        headers: { accept: "text/html", "accept-encoding": "br, gzip" },
      },
      {
        ...{ url: `${sluice.url}/rpc`, rate: calls, expected: "alive" },
        body: JSON.stringify(toolCall("fast-echo", { message: "alive" })),
        headers: { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" },
      },
    ],
  });
  const cores = (cpuMicros(sluice.pid) - before) / 1_000_000 / seconds;
  return { rate, cache, pages: pages!, calls: onRpc!, cores };
}

async function driven(job: Job): Promise<StreamResult[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("open_loop.ts", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(JSON.stringify(job)));
  await input.close();
  const { stdout } = await child.output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "users", "rates", "calls", "path"],
    default: { seconds: "15", users: "4000", rates: "90,300", calls: "300", path: "/admin" },
  });
  const [seconds, users, calls] = [options.seconds, options.users, options.calls].map(Number);
  const rates = options.rates.split(",").map(Number);
  const { path } = options;
  await using upstream = FastUpstream.start();
  const start = async (env: Record<string, string>) => {
    const sluice = await Sluice.start({ env: { LOG_LEVEL: "WARNING", ...env } });
    await sluice.registerUpstream("fast", upstream.url);
    return sluice;
  };
  await using without = await start({ RESPONSE_CACHE_TTL: "0" });
  await using within = await start({});
  const kindOf = async (cache: string, sluice: Sluice): Promise<Kind> => {
    const tokens = Array.from(
      { length: users },
      (_, i) => sluice.token({ username: `user-${i}@example.com` }),
    );
    return { cache, sluice, cookies: (await Promise.all(tokens)).map((token) => `sluice_session=${token}`) };
  };
  const kinds = [await kindOf("without", without), await kindOf("with", within)];
  // V8 compiles.
  for (const kind of kinds) await measure(kind, { path, seconds: 3, rate: rates[0]!, calls });
  const turns: Turn[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    for (const rate of [0, ...rates]) {
      for (const kind of kinds) turns.push(await measure(kind, { path, seconds, rate, calls }));
    }
  }

  console.log(
    `GET ${path}, ${users} users, ${calls} calls/s on /rpc beside it, two workers, ${seconds} s each\n`,
  );
  console.log(markdownTable<Turn>([
    ["pages/s", ({ rate }) => String(rate)],
    ["cache", ({ cache }) => cache],
    ["from memory", ({ pages: { hits, sent } }) => sent === 0 ? "–" : `${(100 * hits / sent).toFixed(0)} %`],
    ["p50 ms", ({ pages }) => shown(pages.p50Ms)],
    ["p99 ms", ({ pages }) => shown(pages.p99Ms)],
    ["p50 ms of calls", ({ calls }) => shown(calls.p50Ms)],
    ["p99 ms of calls", ({ calls }) => shown(calls.p99Ms)],
    ["wrong", ({ pages, calls }) => String(pages.wrong + calls.wrong)],
    ["cores", ({ cores }) => cores.toFixed(2)],
  ], turns.toSorted((a, b) => a.rate - b.rate || a.cache.localeCompare(b.cache))));
  return turns.every(({ pages, calls }) => pages.wrong + calls.wrong === 0) ? 0 : 1;
}

/** NaN travels as null. */
function shown(ms: number | null): string {
  return ms === null ? "–" : ms.toFixed(1);
}

Deno.exit(await interruptible(main));
