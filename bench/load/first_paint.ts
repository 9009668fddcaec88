// When does a page under /admin show something on a slow line, in real Chromium?
//
//   deno run -A bench/load/first_paint.ts [--upstreams 20] [--tools 50] [--rounds 5]
//
// The line is that of Lighthouse's mobile test ("slow 4G", once called fast 3G): 1.6 Mbit/s, 150 ms for a round trip. "First" is a
// browser that was never here, "again" one that has the style sheet and the scripts. Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { startManyUpstreams } from "../../tests/support/many_upstreams.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { UiBrowser } from "../../tests/support/ui_browser.ts";
import { interruptible } from "../interruptible.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

/** Throughputs are in bytes per second, the latency in ms. */
const LINE = {
  offline: false,
  latency: 150,
  downloadThroughput: 1_600_000 / 8,
  uploadThroughput: 750_000 / 8,
};

const FIRST_PAINT = `new Promise((resolve) => {
  const found = () => performance.getEntriesByName("first-contentful-paint")[0];
  const look = () => found() === undefined ? setTimeout(look, 20) : resolve(found().startTime);
  look();
})`;

interface Times {
  readonly page: string;
  readonly first: number[];
  readonly again: number[];
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["upstreams", "tools", "rounds"],
    default: { upstreams: "20", tools: "50", rounds: "5" },
  });
  const [upstreams, tools, rounds] = [options.upstreams, options.tools, options.rounds].map(Number) as [
    number,
    number,
    number,
  ];
  await using many = startManyUpstreams({ tools, pageSize: tools });
  await using sluice = await Sluice.start({ env: { LOG_LEVEL: "WARNING" } });
  for (let i = 0; i < upstreams; i++) await sluice.registerUpstream(`up-${i}`, many.url(`up-${i}`));
  const [{ id: tool }] = (await sluice.api("GET", "/tools?limit=1")).body;
  const [{ id: upstream }] = (await sluice.api("GET", "/gateways?limit=1")).body;
  const server = { name: "all", associated_gateways: [upstream] };
  const { body: { id } } = await sluice.api("POST", "/servers", { server });
  await using browser = await UiBrowser.start(sluice.url);
  await browser.signInWith(await sluice.token());
  const { page } = browser;
  const line = await page.context().newCDPSession(page);
  await line.send("Network.enable");
  await line.send("Network.emulateNetworkConditions", LINE);

  const paths = [
    ...["", "upstreams", "upstreams/new", `upstreams/${upstream}`, `upstreams/${upstream}/edit`],
    ...["virtual-servers", "virtual-servers/new", `virtual-servers/${id}`, `virtual-servers/${id}/connect`],
    ...["tools", `tools/${tool}`, "resources", "prompts", "held", "connect", "tokens", "users", "teams"],
    ...["roles", "roles/new", "applications", "connections", "doctor", "logs", "settings", "audit"],
    ...["help", "help/settings", "sign-in"],
  ];
  let wrong = 0;
  const open = async (path: string, isFirst: boolean): Promise<number> => {
    await line.send("Network.setCacheDisabled", { cacheDisabled: isFirst });
    const response = await page.goto(`${sluice.url}/admin/${path}`, { waitUntil: "domcontentloaded" });
    if (response?.status() !== 200) wrong++;
    return await page.evaluate(FIRST_PAINT) as number;
  };
  const times = paths.map((path): Times => ({
    page: path.replaceAll(/[0-9a-f]{32}/g, "ID") || "overview",
    first: [],
    again: [],
  }));
  // Both workers load their modules.
  for (let warm = 0; warm < 2; warm++) for (const path of paths) await open(path, false);
  for (let round = 0; round < rounds; round++) {
    for (const [i, path] of paths.entries()) {
      times[i]!.first.push(await open(path, true));
      times[i]!.again.push(await open(path, false));
    }
  }
  console.log(`${upstreams * tools} tools of ${upstreams} upstreams, two workers, ${rounds} rounds\n`);
  const of = (all: number[], share: number) => percentile(all, share).toFixed(0);
  console.log(markdownTable<Times>([
    ["page", ({ page }) => page],
    ["first ms", ({ first }) => of(first, 0.5)],
    ["longest", ({ first }) => of(first, 1)],
    ["again ms", ({ again }) => of(again, 0.5)],
    ["longest", ({ again }) => of(again, 1)],
  ], times));
  if (wrong > 0) console.error(`${wrong} pages were not answered with 200`);
  return wrong === 0 ? 0 : 1;
}

Deno.exit(await interruptible(main));
