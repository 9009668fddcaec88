// End-to-end load: the same tools/call directly and through the gateway, beside a bare echo, in one run and one table.
//
//   deno run -A bench/load/main.ts [--seconds 5] [--workers 2] [--concurrency 1,16,64] [--client wrk|deno]
//                                  [--program ./sluice] [--json FILE]
//
// Exit code 1 where a reply was wrong or missing: figures of failing calls are worth nothing.

import { parseArgs } from "@std/cli/parse-args";
import { gitCommit } from "../../scripts/git_commit.ts";
import { cpuMicros, rssBytes } from "../../tests/support/process_stats.ts";
import { interruptible } from "../interruptible.ts";
import { type LoadClient, loadClient } from "./load_client.ts";
import { type Circumstances, headline, type Row, table } from "./report.ts";
import { startTargets, type Target } from "./targets.ts";

const WARM_UP_SECONDS = 1;

type Measured = Omit<Row, "cpuTimesEcho">;

async function measure(
  { name, pid, request }: Target,
  run: LoadClient,
  concurrency: number,
  seconds: number,
): Promise<Measured> {
  await run(request, concurrency, WARM_UP_SECONDS);
  const cpuBefore = cpuMicros(pid);
  const result = await run(request, concurrency, seconds);
  return {
    target: name,
    concurrency,
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    errors: result.errors,
    cpuMicrosPerRequest: (cpuMicros(pid) - cpuBefore) / Math.max(1, result.requests),
    rssBytes: rssBytes(pid),
  };
}

function cpuModel(): string {
  return /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "workers", "concurrency", "client", "program", "json"],
    default: { seconds: "5", workers: "2", concurrency: "1,16,64" },
  });
  const seconds = Number(options.seconds);
  const workers = Number(options.workers);
  const concurrencies = options.concurrency.split(",").map(Number);
  if (![seconds, workers, ...concurrencies].every((number) => Number.isInteger(number) && number > 0)) {
    console.error("--seconds, --workers and --concurrency take whole numbers above 0");
    return 2;
  }
  const client = loadClient(options.client);
  const circumstances: Circumstances = {
    startedAt: new Date().toISOString(),
    commit: await gitCommit(),
    denoVersion: Deno.version.deno,
    cpuModel: cpuModel(),
    cores: navigator.hardwareConcurrency,
    workers,
    secondsPerRow: seconds,
    client: client.name,
  };

  await using started = await startTargets({ workers, program: options.program });
  const rows: Row[] = [];
  for (const concurrency of concurrencies) {
    let echoMicros: number | undefined;
    for (const target of started.targets) {
      const row = await measure(target, client.run, concurrency, seconds);
      echoMicros ??= row.cpuMicrosPerRequest;
      rows.push({ ...row, cpuTimesEcho: row.cpuMicrosPerRequest / echoMicros });
    }
  }
  console.log(`${headline(circumstances)}\n\n${table(rows)}`);
  if (options.json) {
    await Deno.writeTextFile(options.json, JSON.stringify({ ...circumstances, rows }, null, 2) + "\n");
  }
  return rows.some(({ errors }) => errors > 0) ? 1 : 0;
}

Deno.exit(await interruptible(main));
