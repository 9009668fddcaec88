// Sizes of containers: what the executable does under limits of processors and memory, with the settings that `sluice tune` computes for
// the size.
//
//   deno task compile && deno run -A bench/load/sizes.ts [--program ./sluice] [--cpus 0.5,1,2] [--memory 256,512,1024,2048] [--json FILE]
//
// The limits are those of a control group, which needs root. Upstreams and the load generator run in another one, without limits, on the
// same cores.

import { parseArgs } from "@std/cli/parse-args";
import { gitCommit } from "../../scripts/git_commit.ts";
import { planOf } from "../../src/tuning/tuning_plan.ts";
import { startSlowProcess } from "../../tests/support/slow_upstream.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { bench } from "../compare/measure.ts";
import { interruptible } from "../interruptible.ts";
import { ControlGroup, type Limits } from "./control_group.ts";
import { type Columns, markdownTable } from "./table.ts";

/** A user of `sluice tune`: upstreams take 200 ms for a call, and the next call comes 3 s after an answer. */
const [LATENCY_MS, THINK_MS] = [200, 3_000];

/** Users that are tried, until one number is not held. */
const USERS = [250, 500, 1_000, 2_000, 4_000, 6_500] as const;

/** A number of users is held if no call fails and 99 of 100 are answered within this time, 200 ms of it the upstream's. */
const HELD_MS = 1_000;

/** Sessions of one caller are limited (MAX_SESSIONS_PER_CALLER). */
const USERS_OF_A_TOKEN = 20;

interface Row extends Limits {
  readonly startMs: number;
  readonly restBytes: number;
  readonly callsPerSecond: number;
  readonly p99Ms: number;
  /** Processor time of a call. Unlike the rate it does not depend on what else runs on the cores. */
  readonly cpuMicros: number;
  /** The most of USERS that were held; 0: none. */
  readonly users: number;
  readonly usersBytes: number;
  /** Why more users were not held. */
  readonly limitedBy: string;
}

const COLUMNS: Columns<Row> = [
  ["CPUs x MB", ({ cpus, memoryMb }) => `${cpus} x ${memoryMb}`],
  ["calls/s", ({ callsPerSecond }) => callsPerSecond.toLocaleString("en", { maximumFractionDigits: 0 })],
  ["p99 ms", ({ p99Ms }) => p99Ms.toFixed(1)],
  ["CPU µs/call", ({ cpuMicros }) => cpuMicros.toFixed(0)],
  ["users held", ({ users }) => users.toLocaleString("en")],
  ["MB at rest", ({ restBytes }) => (restBytes / 1e6).toFixed(0)],
  ["MB with them", ({ usersBytes }) => (usersBytes / 1e6).toFixed(0)],
  ["start s", ({ startMs }) => (startMs / 1_000).toFixed(1)],
  ["what ended it", ({ limitedBy }) => limitedBy],
];

async function measureSize(limits: Limits, program: string): Promise<Row> {
  await using group = ControlGroup.create("gateway", limits);
  await using fast = await startSlowProcess({ delayMs: 0 });
  await using slow = await startSlowProcess({ delayMs: LATENCY_MS });
  const begun = performance.now();
  await using sluice = await Sluice.start({ program, launcher: group.launcher, env: settingsFor(limits) });
  const startMs = performance.now() - begun;
  await sluice.registerUpstream("fast", fast.url);
  await sluice.registerUpstream("slow", slow.url);
  const tokens = await tokenFile(sluice);
  const restBytes = group.memoryBytes;
  const call = (seconds: number) =>
    bench(`${sluice.url}/rpc`, [
      ...["--token-file", tokens, "--tool", "fast-slow", "--users", "16", "--think", "0", "--warmup", "0"],
      ...["--duration", `${seconds}s`],
    ]);
  await call(1);
  const before = group.cpuMicros;
  const { rate, latency, requests } = await call(4);
  const cpuMicros = (group.cpuMicros - before) / requests;
  const figures = {
    ...limits,
    ...{ startMs, restBytes, cpuMicros },
    callsPerSecond: rate,
    p99Ms: latency.p99 ?? NaN,
  };
  let held = { users: 0, usersBytes: restBytes };
  for (const users of USERS) {
    const limitedBy = await fault(sluice, users, tokens);
    if (group.kills > 0) return { ...figures, ...held, limitedBy: `${users}: out of memory` };
    if (limitedBy !== null) return { ...figures, ...held, limitedBy: `${users}: ${limitedBy}` };
    held = { users, usersBytes: group.memoryBytes };
  }
  return { ...figures, ...held, limitedBy: "not tried further" };
}

/** Loads the gateway with users that each have a session and an event stream. @returns why they are not held; null: they are */
async function fault(sluice: Sluice, users: number, tokens: string): Promise<string | null> {
  try {
    const { errors, unsent, latency } = await bench(`${sluice.url}/mcp`, [
      ...["--token-file", tokens, "--tool", "slow-slow", "--users", String(users)],
      ...["--streams", String(users), "--think", `${THINK_MS}ms`, "--duration", "6s", "--warmup", "3s"],
    ]);
    if (errors > 0) return `${errors} errors`;
    if (unsent > 0) return `${unsent} calls not sent`;
    const p99 = latency.p99 ?? Infinity;
    return p99 > HELD_MS ? `p99 ${(p99 / 1_000).toFixed(1)} s` : null;
  } catch (error) {
    return /sluice: .*/.exec(String(error))?.[0].slice(0, 60) ?? "the load did not begin";
  }
}

/** The settings of `sluice tune` for a container of this size. */
function settingsFor({ cpus, memoryMb }: Limits): Record<string, string> {
  const load = { users: 1_000, replicas: 1, latencyMs: LATENCY_MS, thinkMs: THINK_MS, callMicros: null };
  const plan = planOf({ ...load, vcpu: cpus, ramMb: memoryMb }, {
    database: "sqlite",
    redis: false,
    fileMax: null,
  });
  return Object.fromEntries(plan.settings.map(({ name, value }) => [name, value]));
}

async function tokenFile(sluice: Sluice): Promise<string> {
  const tokens = await Promise.all(
    Array.from(
      { length: Math.ceil(USERS.at(-1)! / USERS_OF_A_TOKEN) },
      (_, number) => sluice.token({ username: `user${number}@example.com`, expiresInSeconds: 86_400 }),
    ),
  );
  const path = `${sluice.cwd}/tokens`;
  await Deno.writeTextFile(path, tokens.join("\n"));
  return path;
}

function numbersIn(list: string): number[] {
  return list.split(",").map(Number);
}

async function main(signal: AbortSignal): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["program", "cpus", "memory", "json"],
    default: { program: "./sluice", cpus: "0.5,1,2", memory: "256,512,1024,2048" },
  });
  const [cpus, memory] = [numbersIn(options.cpus), numbersIn(options.memory)];
  if (![...cpus, ...memory].every((number) => number > 0)) {
    console.error("--cpus and --memory take numbers above 0");
    return 2;
  }
  const program = await Deno.realPath(options.program);
  await using load = ControlGroup.create("load", null);
  load.enter();
  const rows: Row[] = [];
  for (const limits of cpus.flatMap((each) => memory.map((memoryMb) => ({ cpus: each, memoryMb })))) {
    const row = await measureSize(limits, program).catch((error) => {
      if (signal.aborted) throw error;
      return String(error).split("\n")[0]!;
    });
    if (typeof row === "string") console.error(`${limits.cpus} x ${limits.memoryMb}: ${row}`);
    else rows.push(row);
    console.error(markdownTable(COLUMNS, rows.slice(-1)));
  }
  const circumstances = {
    command: `deno run -A bench/load/sizes.ts ${Deno.args.join(" ")}`.trim(),
    commit: await gitCommit(),
    date: new Date().toISOString().slice(0, 10),
    machine: `${navigator.hardwareConcurrency} cores, load average ${Deno.loadavg()[0]!.toFixed(1)}`,
  };
  console.log(`${JSON.stringify(circumstances)}\n\n${markdownTable(COLUMNS, rows)}`);
  if (options.json) {
    await Deno.writeTextFile(options.json, `${JSON.stringify({ ...circumstances, rows }, null, 2)}\n`);
  }
  return rows.length === cpus.length * memory.length ? 0 : 1;
}

Deno.exit(await interruptible(main));
