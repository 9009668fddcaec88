// Measures one way to call the tool of one program, with one number of clients.
import type { BenchReport } from "../../src/cli/bench/report/bench_report.ts";
import { loadClient } from "../load/load_client.ts";
import { type Lane, STDIO_UPSTREAM } from "./peer.ts";
import { cpuBetween, cpuByProcess, pssBytes, treeOf } from "./process_tree.ts";

export interface Figures {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of the program with all that it has started, per call. NaN: no call was answered. */
  readonly cpuMicros: number;
  /** Memory at the end of the load. */
  readonly pssBytes: number;
  /** Calls without a right answer. */
  readonly errors: number;
}

interface LoadFigures {
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/**
 * A program is warmed up by so many clients at least. One alone reaches one of its workers, and may be measured at another one, whose code
 * is not compiled yet.
 */
const WARM_UP_CLIENTS = 16;

export interface MeasureOptions {
  readonly clients: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
}

export async function measure(
  lane: Lane,
  roots: readonly number[],
  { clients, seconds, warmupSeconds }: MeasureOptions,
): Promise<Figures> {
  await load(lane, Math.max(clients, WARM_UP_CLIENTS), warmupSeconds);
  const before = cpuByProcess(treeOf(roots, STDIO_UPSTREAM));
  const { calls, ...figures } = await load(lane, clients, seconds);
  const tree = treeOf(roots, STDIO_UPSTREAM);
  return { ...figures, cpuMicros: cpuBetween(before, cpuByProcess(tree)) / calls, pssBytes: pssBytes(tree) };
}

export function memoryAtRest(roots: readonly number[]): number {
  return pssBytes(treeOf(roots, STDIO_UPSTREAM));
}

async function load({ load }: Lane, clients: number, seconds: number): Promise<LoadFigures> {
  if (load.by === "wrk") {
    const { requests, errors, seconds: took, p50Ms, p99Ms } = await loadClient("wrk").run(
      load.request,
      clients,
      seconds,
    );
    const calls = Math.max(0, requests - errors);
    return { calls, callsPerSecond: calls / took, p50Ms, p99Ms, errors };
  }
  const { requests, errors, rate, latency } = await bench(load.url, [
    ...load.flags,
    ...["--users", String(clients), "--think", "0", "--duration", `${seconds}s`, "--warmup", "0"],
  ]);
  return {
    calls: requests - errors,
    callsPerSecond: rate,
    p50Ms: latency.p50 ?? NaN,
    p99Ms: latency.p99 ?? NaN,
    errors,
  };
}

/** `sluice bench` in a process of its own, so that its time does not count for this one. @throws {Error} with its words */
export async function bench(url: string, flags: readonly string[]): Promise<BenchReport> {
  const root = new URL("../../", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--config",
      `${root}deno.json`,
      `${root}src/main.ts`,
      "bench",
      url,
      "--json",
      "-",
      ...flags,
    ],
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (out === "") throw new Error(`sluice bench ${url}: ${err}`);
  return JSON.parse(out!);
}
