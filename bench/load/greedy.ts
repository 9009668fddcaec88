// One user who does everything that he may, against another's steady calls: does the other notice? Two workers. The phases "alone" and "beside the greedy one" take turns, so that noise of the machine meets both.
//
//   deno run -A bench/load/greedy.ts [--seconds 60] [--rate 100] [--delay-ms 50] [--ways "sessions,large answers"]
//                                    [--workers 2] [--program ./sluice]
//
// --seconds is the time beside the greedy one, in two halves. Exit code 1 where the other had a failure, or more than twice the p99.

import { parseArgs } from "@std/cli/parse-args";
import { freePort } from "../../tests/support/free_port.ts";
import { inSession, openSession, toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros, rssBytes } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { Lane, percentile, requestBytes } from "./lane.ts";
import { type Columns, markdownTable } from "./table.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const LATENCY_RATIO = 2;

interface Phase {
  readonly name: string;
  readonly latencies: number[];
  readonly failures: string[];
  cpuPercent: number;
  rssBytes: number;
}

/** Sends at a fixed rate, whatever becomes of what was sent; latency counts from when a call was due. */
class SteadyCaller {
  readonly #idle: Lane[] = [];

  constructor(
    private readonly sluice: Sluice,
    private readonly calls: readonly Uint8Array[],
    private readonly perSecond: number,
  ) {}

  async run(name: string, seconds: number): Promise<Phase> {
    const phase: Phase = { name, latencies: [], failures: [], cpuPercent: 0, rssBytes: 0 };
    const cpuBefore = cpuMicros(this.sluice.pid);
    const start = performance.now();
    const end = start + seconds * 1_000;
    const sent: Promise<void>[] = [];
    for (let due = start; due < end;) {
      for (const now = performance.now(); due <= now && due < end; due += 1_000 / this.perSecond) {
        sent.push(this.#send(due, sent.length, phase));
      }
      phase.rssBytes = Math.max(phase.rssBytes, rssBytes(this.sluice.pid));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(sent);
    phase.cpuPercent = (cpuMicros(this.sluice.pid) - cpuBefore) / (seconds * 10_000);
    return phase;
  }

  close(): void {
    for (const lane of this.#idle) lane.close();
  }

  async #send(due: number, n: number, { latencies, failures }: Phase): Promise<void> {
    let lane: Lane | undefined;
    try {
      // The oldest, so that all are used, whichever worker they are connected to.
      lane = this.#idle.shift() ?? await Lane.open(this.sluice.port);
      const { status, body } = await lane.request(this.calls[n % this.calls.length]!);
      this.#idle.push(lane);
      if (status === 200 && body.includes('"steady"')) latencies.push(performance.now() - due);
      else failures.push(`${status} ${body.slice(0, 200)}`);
    } catch (error) {
      lane?.close();
      failures.push(String(error));
    }
  }
}

const COLUMNS: Columns<Phase> = [
  ["the steady caller", ({ name }) => name],
  ["calls", ({ latencies }) => String(latencies.length)],
  ["failures", ({ failures }) => String(failures.length)],
  ["p50 ms", ({ latencies }) => percentile(latencies, 0.5).toFixed(1)],
  ["p99 ms", ({ latencies }) => percentile(latencies, 0.99).toFixed(1)],
  ["longest ms", ({ latencies }) => percentile(latencies, 1).toFixed(1)],
  ["gateway's CPU %", ({ cpuPercent }) => cpuPercent.toFixed(0)],
  ["RSS MB", ({ rssBytes }) => (rssBytes / 1e6).toFixed(0)],
];

function run(script: string, args: readonly string[], stdout: "null" | "piped"): Deno.ChildProcess {
  // The load of many users comes from many machines. Here it must not take the cores from those that are measured.
  return new Deno.Command("nice", {
    args: ["-n", "10", Deno.execPath(), "run", "-A", "--quiet", script, ...args],
    cwd: ROOT,
    stdin: "null",
    stdout,
  }).spawn();
}

/** Lets the greedy caller loose until it is disposed of. `told()` is what it printed last. */
function startGreedy(args: readonly string[]): AsyncDisposable & { readonly told: () => string } {
  const child = run("bench/load/greedy_caller.ts", args, "piped");
  let told = "{}";
  const read = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      told = lines.at(-1) ?? told;
    }
  })();
  return {
    told: () => told,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await Promise.all([child.status, read]);
    },
  };
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "rate", "delay-ms", "ways", "workers", "program"],
    default: { seconds: "60", rate: "100", "delay-ms": "50", workers: "2" },
  });
  const half = Number(options.seconds) / 2;
  await using stack = new AsyncDisposableStack();
  // `up` is of both; the greedy one alone uses `own`, so that large answers do not cost the time of the steady caller's upstream.
  const urls = await Promise.all(["up", "own"].map(async () => {
    const port = freePort();
    const upstream = run("bench/load/greedy_upstream.ts", [String(port), options["delay-ms"]], "null");
    stack.defer(async () => {
      upstream.kill("SIGKILL");
      await upstream.status;
    });
    const url = `http://127.0.0.1:${port}/mcp`;
    await waitFor(async () => (await (await fetch(url)).body?.cancel(), true), { what: "an upstream" });
    return url;
  })) as [string, string];
  const sluice = stack.use(
    await Sluice.start({
      program: options.program,
      env: { WORKERS: options.workers, LOG_LEVEL: "WARNING" },
    }),
  );
  await sluice.registerUpstream("up", urls[0]);
  await sluice.registerUpstream("own", urls[1]);
  const [ann, eve] = await Promise.all(
    ["ann", "eve"].map((username) => sluice.token({ username, admin: false })),
  ) as [string, string];
  const headers = { authorization: `Bearer ${ann}`, accept: "application/json, text/event-stream" };
  const call = JSON.stringify(toolCall("up-steady"));
  const session = inSession(await openSession(sluice, { token: ann }));
  const steady = new SteadyCaller(sluice, [
    requestBytes("/rpc", headers, call),
    requestBytes("/mcp", { ...headers, ...session }, call),
  ], Number(options.rate));

  await steady.run("warm-up", 3);
  const phases: Phase[] = [];
  const ways: string[] = [];
  for (const turn of [1, 2]) {
    phases.push(await steady.run(`alone, ${turn}`, half));
    {
      await using greedy = startGreedy([
        String(sluice.port),
        eve,
        ...(options.ways === undefined ? [] : [options.ways]),
      ]);
      await waitFor(() => greedy.told() !== "{}", { what: "the greedy caller" });
      phases.push(await steady.run(`beside the greedy one, ${turn}`, half));
      ways.push(greedy.told());
    }
    await steady.run("rest", 3);
  }
  steady.close();

  console.log(
    `${options.workers} workers, ${options.rate} calls/s of ${
      options["delay-ms"]
    } ms, ${options.seconds} s\n`,
  );
  console.log(markdownTable(COLUMNS, phases));
  const answered = Object.entries(JSON.parse(ways.at(-1)!) as Record<string, Record<string, number>>);
  console.log(`\n${
    markdownTable<typeof answered[number]>([
      ["the greedy one", ([way]) => way],
      ["answers by status", ([, own]) =>
        Object.entries(own).map(([status, n]) => `${n} × ${status}`).join(", ")],
    ], answered)
  }`);
  const join = (...of: number[]) => of.flatMap((n) => phases[n]!.latencies);
  const ratio = percentile(join(1, 3), 0.99) / percentile(join(0, 2), 0.99);
  console.log(`\np99 beside the greedy one: ${ratio.toFixed(2)} times the p99 alone`);
  const failures = phases.flatMap(({ failures }) => failures);
  for (const failure of new Set(failures)) console.log(`FAILED: ${failure}`);
  const missed = ratio > LATENCY_RATIO || failures.length > 0;
  if (ratio > LATENCY_RATIO) console.log(`MISSED: the p99 is more than ${LATENCY_RATIO} times that alone`);
  return missed ? 1 : 0;
}

Deno.exit(await main());
