// What a second worker does to the CPU that a request costs; beside it, what a second thread does to a bare echo, what a bare relay
// needs, and what two processes of one worker each need on one port: those share nothing but the machine.
//
//   deno run -A bench/load/scaling.ts [--seconds 5] [--rounds 5] [--concurrency 16] [--warm 3]
//
// The lanes take turns, so that whatever else the machine does meets them all; the figures are medians of the rounds. --warm is the load
// on a lane before each of its turns that does not count, seconds: between two turns a lane rests for longer than the eight seconds after
// which V8 throws compiled code away.

import { parseArgs } from "@std/cli/parse-args";
import { cpuMicros } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { interruptible } from "../interruptible.ts";
import { type LoadClient, loadClient, type LoadRequest } from "./load_client.ts";
import { type Columns, markdownTable } from "./table.ts";
import { startEcho, startTargets, type Target } from "./targets.ts";

interface Lane {
  readonly target: string;
  readonly servedBy: string;
  readonly pids: readonly number[];
  readonly request: LoadRequest;
  readonly micros: number[];
  readonly perSecond: number[];
}

function lane(servedBy: string, { name, request }: Target, pids: readonly number[]): Lane {
  return { target: name, servedBy, pids, request, micros: [], perSecond: [] };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function startLanes(stack: AsyncDisposableStack): Promise<Lane[]> {
  const echoes = [await startEcho(stack, 1), await startEcho(stack, 2)];
  const [one, two] = [await startTargets({ workers: 1 }), await startTargets({ workers: 2 })].map((started) =>
    stack.use(started).targets
  );
  const find = (targets: readonly Target[], name: string) => targets.find((target) => target.name === name)!;
  const [relay, rpc, mcp] = ["bare relay", "sluice /rpc", "sluice /mcp"];
  const pair = await startPair(stack, find(one!, rpc), find(one!, "upstream direct").request.port);
  return [
    lane("1 thread", echoes[0]!, [echoes[0]!.pid]),
    lane("2 threads", echoes[1]!, [echoes[1]!.pid]),
    lane("1 thread", find(one!, relay), [find(one!, relay).pid]),
    lane("1 worker", find(one!, rpc), [find(one!, rpc).pid]),
    lane("2 workers", find(two!, rpc), [find(two!, rpc).pid]),
    pair,
    lane("1 worker", find(one!, mcp), [find(one!, mcp).pid]),
    lane("2 workers", find(two!, mcp), [find(two!, mcp).pid]),
  ];
}

/** Two gateways of one worker each on one port, on one database. */
async function startPair(stack: AsyncDisposableStack, like: Target, upstreamPort: number): Promise<Lane> {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_scaling_" });
  stack.defer(() => Deno.remove(cwd, { recursive: true }));
  const env = { WORKERS: "1", LOG_LEVEL: "WARNING", JWT_SECRET_KEY: crypto.randomUUID().repeat(2) };
  const first = stack.use(await Sluice.start({ cwd, env }));
  await first.registerUpstream("time", `http://127.0.0.1:${upstreamPort}/mcp`);
  const shared = { ...env, LOG_LEVEL: "INFO", PORT: String(first.port) };
  const second = stack.use(await Sluice.spawn({ cwd, env: shared, args: ["--takeover"] }));
  await waitFor(() => second.log().some(({ event }) => event === "serving"), { what: "the second process" });
  const headers = { ...like.request.headers, authorization: `Bearer ${await first.token()}` };
  const target = { ...like, request: { ...like.request, headers, port: first.port } };
  return lane("2 processes of 1", target, [first.pid, second.pid]);
}

interface Turn {
  readonly concurrency: number;
  /** Of load that does not count. */
  readonly warmSeconds: number;
  readonly seconds: number;
}

async function measure(
  { pids, request, micros, perSecond }: Lane,
  run: LoadClient,
  { concurrency, warmSeconds, seconds }: Turn,
): Promise<number> {
  await run(request, concurrency, warmSeconds);
  const cpu = () => pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
  const before = cpu();
  const result = await run(request, concurrency, seconds);
  micros.push((cpu() - before) / result.requests);
  perSecond.push(result.requests / result.seconds);
  return result.errors;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "rounds", "concurrency", "warm"],
    default: { seconds: "5", rounds: "5", concurrency: "16", warm: "3" },
  });
  const given = [options.seconds, options.rounds, options.concurrency, options.warm].map(Number);
  if (!given.every((number) => Number.isInteger(number) && number > 0)) {
    console.error("--seconds, --rounds, --concurrency and --warm take whole numbers above 0");
    return 2;
  }
  const [seconds, rounds, concurrency, warmSeconds] = given as [number, number, number, number];
  const { run } = loadClient();
  await using stack = new AsyncDisposableStack();
  const lanes = await startLanes(stack);
  let errors = 0;
  for (let round = 0; round < rounds; round++) {
    for (const lane of lanes) errors += await measure(lane, run, { concurrency, warmSeconds, seconds });
  }
  const alone = (target: string) => median(lanes.find((lane) => lane.target === target)!.micros);
  const columns: Columns<Lane> = [
    ["target", ({ target }) => target],
    ["served by", ({ servedBy }) => servedBy],
    ["requests/s", ({ perSecond }) => median(perSecond).toFixed(0)],
    ["CPU µs/request", ({ micros }) => median(micros).toFixed(1)],
    ["x one", ({ target, micros }) => (median(micros) / alone(target)).toFixed(2)],
    ["x echo", ({ micros }) => (median(micros) / alone("bare echo")).toFixed(1)],
  ];
  console.log(markdownTable(columns, lanes));
  if (errors > 0) console.error(`${errors} replies were wrong or missing`);
  return errors > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await interruptible(main));
