// People with a login of their own at one upstream call through two replicas of two workers while their access tokens expire: what do
// renewals cost a call? PostgreSQL, Redis, and oidc-provider as the upstream's authorization server.
//
//   deno run -A bench/load/logins.ts [--seconds 20] [--people 100] [--life 6] [--pause 250]
//
// `--life` is that of access tokens in seconds, `--pause` what a person waits between two calls in ms. The same load runs first with
// tokens that live 10 minutes. Exit code 1 where a call met another's token, or a login was lost.

import { parseArgs } from "@std/cli/parse-args";
import { startServers } from "../../tests/support/cluster_servers.ts";
import { ManyLogins } from "../../tests/support/many_logins.ts";
import { interruptible } from "../interruptible.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

interface Row {
  readonly lifeS: number;
  readonly calls: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly renewals: number;
  readonly endedOnTheWay: number;
  readonly wrong: readonly string[];
}

async function measure(lifeS: number, { people, pauseMs, seconds }: {
  readonly people: number;
  readonly pauseMs: number;
  readonly seconds: number;
}): Promise<Row> {
  await using servers = await startServers();
  await using logins = await ManyLogins.start(servers, { people, accessTokenS: lifeS, pauseMs });
  const renewalsNow = async () => [...(await logins.renewals()).values()].flat();
  logins.begin();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const [warmUp, before] = [logins.latencies.length, (await renewalsNow()).length];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await logins.end();
  const renewals = await renewalsNow();
  const times = logins.latencies.slice(warmUp);
  const lost = renewals.filter(({ error }) => error !== null).map(({ error }) => String(error));
  return {
    ...{ lifeS, seconds, calls: times.length },
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    maxMs: percentile(times, 1),
    renewals: renewals.length - before,
    endedOnTheWay: logins.upstream.endedOnTheWay,
    wrong: [...logins.wrong, ...logins.upstream.faults, ...lost],
  };
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "people", "life", "pause"],
    default: { seconds: "20", people: "100", life: "6", pause: "250" },
  });
  const [seconds, people, lifeS, pauseMs] = [options.seconds, options.people, options.life, options.pause]
    .map(
      Number,
    );
  const rows: Row[] = [];
  for (const each of [600, lifeS!]) {
    rows.push(await measure(each, { people: people!, pauseMs: pauseMs!, seconds: seconds! }));
  }
  console.log(markdownTable([
    ["tokens live", ({ lifeS }) => `${lifeS} s`],
    ["calls/s", ({ calls, seconds }) => (calls / seconds).toFixed(0)],
    ["p50 ms", ({ p50Ms }) => p50Ms.toFixed(1)],
    ["p99 ms", ({ p99Ms }) => p99Ms.toFixed(1)],
    ["max ms", ({ maxMs }) => maxMs.toFixed(0)],
    ["renewals", ({ renewals }) => String(renewals)],
    ["ended on the way", ({ endedOnTheWay }) => String(endedOnTheWay)],
    ["wrong", ({ wrong }) => String(wrong.length)],
  ], rows));
  for (const { wrong } of rows) for (const each of wrong.slice(0, 10)) console.error(each);
  return rows.every(({ wrong }) => wrong.length === 0) ? 0 : 1;
}

Deno.exit(await interruptible(main));
