// 10,000 tools of 200 upstreams and 1,000 virtual servers: how long does each page under /admin take, made anew each time?
//
//   deno run -A bench/load/large_registry.ts [--upstreams 200] [--tools 50] [--servers 1000] [--rounds 5]
//
// `--tools` are those of each upstream. Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { startManyUpstreams } from "../../tests/support/many_upstreams.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

/** Registrations at once. */
const AT_ONCE = 8;
const MEMBERS = 10;

interface Page {
  readonly name: string;
  readonly path: string;
  readonly timesMs: number[];
  bytes: number;
  wrong: number;
}

async function look(sluice: Sluice, page: Page, headers: Readonly<Record<string, string>>): Promise<void> {
  const from = performance.now();
  const response = await fetch(`${sluice.url}/admin/${page.path}`, { headers });
  page.bytes = (await response.arrayBuffer()).byteLength;
  page.timesMs.push(performance.now() - from);
  if (response.status !== 200) page.wrong++;
}

async function inTurns(count: number, make: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await make(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["upstreams", "tools", "servers", "rounds"],
    default: { upstreams: "200", tools: "50", servers: "1000", rounds: "5" },
  });
  const [upstreams, tools, servers, rounds] = [
    options.upstreams,
    options.tools,
    options.servers,
    options.rounds,
  ].map(Number) as [number, number, number, number];
  await using many = startManyUpstreams({ tools, pageSize: tools });
  await using sluice = await Sluice.start({ env: { RESPONSE_CACHE_TTL: "0", LOG_LEVEL: "WARNING" } });
  await inTurns(upstreams, async (i) => {
    await sluice.registerUpstream(`up-${i}`, many.url(`up-${i}`));
  });
  const [{ id: tool }] = (await sluice.api("GET", "/tools?limit=1")).body;
  const [{ id: upstream }] = (await sluice.api("GET", "/gateways?limit=1")).body;
  let server = "";
  await inTurns(servers, async (i) => {
    const associated = Array.from({ length: MEMBERS }, (_, k) => `up-${i % upstreams}-tool-${k}`);
    const { status, body } = await sluice.api("POST", "/servers", {
      server: { name: `server ${i}`, associated_tools: associated },
    });
    if (status !== 201) throw new Error(`POST /servers was answered ${status}: ${JSON.stringify(body)}`);
    server = body.id;
  });
  const pages = Object.entries({
    "overview": "",
    "upstreams": "upstreams",
    "upstreams, searched": "upstreams?q=up-19",
    "an upstream": `upstreams/${upstream}`,
    "tools": "tools",
    "tools, the last page": `tools?page=${Math.ceil(upstreams * tools / 50)}`,
    "tools, searched": "tools?q=tool_49",
    "tools, nothing found": "tools?q=nothing-like-it",
    "a tool": `tools/${tool}`,
    "virtual servers": "virtual-servers",
    "virtual servers, searched": "virtual-servers?q=server+99",
    "a virtual server": `virtual-servers/${server}`,
    "a new virtual server": "virtual-servers/new",
    "edit a virtual server": `virtual-servers/${server}/edit`,
    "picker of tools": "virtual-servers/pick/tools?q=tool_4",
    "connect to a virtual server": `virtual-servers/${server}/connect`,
    "connect": "connect",
    "held changes": "held",
    "tokens": "tokens",
    "log": "logs",
    "settings": "settings",
  }).map(([name, path]): Page => ({ name, path, timesMs: [], bytes: 0, wrong: 0 }));
  const cookie = `sluice_session=${await sluice.token()}`;
  const headers = { cookie, accept: "text/html", "accept-encoding": "identity" };
  // Both workers load their modules, and V8 compiles.
  for (let round = 0; round < 3; round++) for (const page of pages) await look(sluice, page, headers);
  for (const page of pages) page.timesMs.length = 0;
  for (let round = 0; round < rounds; round++) for (const page of pages) await look(sluice, page, headers);

  console.log(
    `${upstreams * tools} tools, ${upstreams} upstreams, ${servers} virtual servers, two workers\n`,
  );
  console.log(markdownTable<Page>([
    ["page", ({ name }) => name],
    ["median ms", ({ timesMs }) => percentile(timesMs, 0.5).toFixed(1)],
    ["longest ms", ({ timesMs }) => percentile(timesMs, 1).toFixed(1)],
    ["kB", ({ bytes }) => (bytes / 1_000).toFixed(0)],
    ["wrong", ({ wrong }) => String(wrong)],
  ], pages));
  return pages.every(({ wrong }) => wrong === 0) ? 0 : 1;
}

Deno.exit(await interruptible(main));
