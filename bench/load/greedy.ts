// One user who does everything that he may, against another's steady calls: does the other notice? Two workers. The phases "alone" and
// "beside the greedy one" take turns, so that noise of the machine meets both.
//
//   deno run -A bench/load/greedy.ts [--seconds 60] [--rate 100] [--delay-ms 50] [--ways "sessions,large answers"] [--each]
//                                    [--workers 2] [--program ./sluice]
//
// --seconds is the time beside the greedy one, in two halves; with --each, the time beside each way of being greedy alone. Exit code 1
// where the steady caller had a failure, or more than twice the p99.
//
// Half of the steady calls go to an upstream that the greedy caller uses too, the others to one of the steady caller's own. The shared
// one is also asked directly, past the gateway: what it takes longer is not the gateway's doing. The load runs with a lower priority
// than the gateway, the steady caller and the upstreams of the steady caller, as if it came from another machine. On Linux a priority
// counts only within a session (`sched_autogroup_enabled`); beside busy neighbours, raise the whole session with
// `echo -15 > /proc/self/autogroup`.

import { parseArgs } from "@std/cli/parse-args";
import { freePort } from "../../tests/support/free_port.ts";
import { inSession, openSession, toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros, rssBytes } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { interruptible } from "../interruptible.ts";
import { GREEDY_WAYS } from "./greedy_ways.ts";
import { Lane, percentile, requestBytes } from "./lane.ts";
import { type Columns, markdownTable } from "./table.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const LATENCY_RATIO = 2;
/** Asked directly, the shared upstream gets a tenth of the steady caller's rate. */
const DIRECT_SHARE = 0.1;

/** What is asked, and how: latencies of one kind of calls. */
type Kind = "shared upstream" | "own upstream" | "shared upstream, directly";

interface Call {
  readonly kind: Kind;
  readonly port: number;
  readonly bytes: Uint8Array;
}

class Phase {
  readonly latencies: Record<Kind, number[]> = {
    "shared upstream": [],
    "own upstream": [],
    "shared upstream, directly": [],
  };
  readonly failures: string[] = [];
  cpuPercent = 0;
  rssBytes = 0;

  constructor(readonly name: string) {}

  static joined(name: string, phases: readonly Phase[]): Phase {
    const all = new Phase(name);
    for (const { latencies, failures, cpuPercent, rssBytes } of phases) {
      for (const kind of Object.keys(latencies) as Kind[]) all.latencies[kind].push(...latencies[kind]);
      all.failures.push(...failures);
      all.cpuPercent += cpuPercent / phases.length;
      all.rssBytes = Math.max(all.rssBytes, rssBytes);
    }
    return all;
  }

  p99(kind: Kind): number {
    return percentile(this.latencies[kind], 0.99);
  }
}

/** Sends at a fixed rate, whatever becomes of what was sent; latency counts from when a call was due. */
class SteadyCaller {
  /** By port, the least recently used first. */
  readonly #idle = new Map<number, Lane[]>();

  constructor(
    private readonly sluice: Sluice,
    private readonly calls: readonly Call[],
    private readonly direct: Call,
    private readonly perSecond: number,
  ) {}

  async run(name: string, seconds: number): Promise<Phase> {
    const phase = new Phase(name);
    const cpuBefore = cpuMicros(this.sluice.pid);
    const start = performance.now();
    const end = start + seconds * 1_000;
    const sent: Promise<void>[] = [];
    for (let due = start, n = 0; due < end;) {
      for (const now = performance.now(); due <= now && due < end; due += 1_000 / this.perSecond, n++) {
        sent.push(this.#send(this.calls[n % this.calls.length]!, due, phase));
        if (n * DIRECT_SHARE % 1 === 0) sent.push(this.#send(this.direct, due, phase));
      }
      phase.rssBytes = Math.max(phase.rssBytes, rssBytes(this.sluice.pid));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(sent);
    phase.cpuPercent = (cpuMicros(this.sluice.pid) - cpuBefore) / (seconds * 10_000);
    return phase;
  }

  close(): void {
    for (const lane of [...this.#idle.values()].flat()) lane.close();
  }

  async #send({ kind, port, bytes }: Call, due: number, { latencies, failures }: Phase): Promise<void> {
    let idle = this.#idle.get(port);
    if (idle === undefined) this.#idle.set(port, idle = []);
    let lane: Lane | undefined;
    try {
      // The oldest, so that all are used, whichever worker they are connected to.
      lane = idle.shift() ?? await Lane.open(port);
      const { status, body } = await lane.request(bytes);
      idle.push(lane);
      if (status === 200 && body.includes('"steady"')) latencies[kind].push(performance.now() - due);
      else failures.push(`${kind}: ${status} ${body.slice(0, 200)}`);
    } catch (error) {
      lane?.close();
      failures.push(`${kind}: ${error}`);
    }
  }
}

const ms = (value: number) => value.toFixed(1);
const latencyColumns = (kind: Kind, shares: readonly (readonly [string, number])[]): Columns<Phase> =>
  shares.map((
    [title, share],
  ) => [`${kind}: ${title}`, ({ latencies }) => ms(percentile(latencies[kind], share))]);

const COLUMNS: Columns<Phase> = [
  ["the steady caller, ms", ({ name }) => name],
  [
    "calls",
    ({ latencies }) => String(latencies["shared upstream"].length + latencies["own upstream"].length),
  ],
  ["failures", ({ failures }) => String(failures.length)],
  ...latencyColumns("shared upstream", [["p50", 0.5], ["p99", 0.99]]),
  ...latencyColumns("own upstream", [["p50", 0.5], ["p99", 0.99], ["longest", 1]]),
  ...latencyColumns("shared upstream, directly", [["p99", 0.99]]),
  ["gateway's CPU %", ({ cpuPercent }) => cpuPercent.toFixed(0)],
  ["RSS MB", ({ rssBytes }) => (rssBytes / 1e6).toFixed(0)],
];

/** @param isLoad whether it is what others are measured beside: it gets the cores last */
function run(
  script: string,
  args: readonly string[],
  { isLoad, stdout }: { readonly isLoad: boolean; readonly stdout: "null" | "piped" },
): Deno.ChildProcess {
  const command = [Deno.execPath(), "run", "-A", "--quiet", script, ...args];
  const [program, ...rest] = isLoad ? ["chrt", "--other", "0", "nice", "-n", "10", ...command] : command;
  return new Deno.Command(program!, { args: rest, cwd: ROOT, stdin: "null", stdout }).spawn();
}

/** Lets the greedy caller loose until it is disposed of. `told()` is what it printed last. */
function startGreedy(args: readonly string[]): AsyncDisposable & { readonly told: () => string } {
  const child = run("bench/load/greedy_caller.ts", args, { isLoad: true, stdout: "piped" });
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

/** What the greedy caller printed: answers by way and status. */
type Told = Readonly<Record<string, Readonly<Record<string, number>>>>;

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "rate", "delay-ms", "ways", "workers", "program"],
    boolean: ["each"],
    default: { seconds: "60", rate: "100", "delay-ms": "50", workers: "2" },
  });
  const seconds = Number(options.seconds);
  await using stack = new AsyncDisposableStack();
  const startUpstream = async (isLoad: boolean) => {
    const port = freePort();
    const upstream = run("bench/load/greedy_upstream.ts", [String(port), options["delay-ms"]], {
      isLoad,
      stdout: "null",
    });
    stack.defer(async () => {
      upstream.kill("SIGKILL");
      await upstream.status;
    });
    const url = `http://127.0.0.1:${port}/mcp`;
    await waitFor(async () => (await (await fetch(url)).body?.cancel(), true), { what: "an upstream" });
    return { port, url };
  };
  // `up` is of both, `ann` of the steady caller alone. `own` is the greedy one's, so that large answers do not cost the time of `up`.
  const [up, ann, own] = await Promise.all([startUpstream(false), startUpstream(false), startUpstream(true)]);
  const sluice = stack.use(
    await Sluice.start({
      program: options.program,
      env: { WORKERS: options.workers, LOG_LEVEL: "WARNING" },
    }),
  );
  for (const [name, { url }] of Object.entries({ up, ann, own })) await sluice.registerUpstream(name, url);
  const [steadyToken, greedyToken] = await Promise.all(
    ["ann", "eve"].map((username) => sluice.token({ username, admin: false })),
  ) as [string, string];
  const accept = { accept: "application/json, text/event-stream" };
  const headers = { authorization: `Bearer ${steadyToken}`, ...accept };
  const session = inSession(await openSession(sluice, { token: steadyToken }));
  const calls = ["/rpc", "/mcp"].flatMap((path) =>
    ([["shared upstream", "up"], ["own upstream", "ann"]] as const).map(([kind, name]): Call => ({
      kind,
      port: sluice.port,
      bytes: requestBytes(
        path,
        path === "/rpc" ? headers : { ...headers, ...session },
        JSON.stringify(toolCall(`${name}-steady`)),
      ),
    }))
  );
  const steady = new SteadyCaller(sluice, calls, {
    kind: "shared upstream, directly",
    port: up.port,
    bytes: requestBytes("/mcp", accept, JSON.stringify(toolCall("steady"))),
  }, Number(options.rate));
  const beside = async (name: string, seconds: number, ways: string | undefined) => {
    await using greedy = startGreedy([
      String(sluice.port),
      greedyToken,
      ...(ways === undefined ? [] : [ways]),
    ]);
    await waitFor(() => greedy.told() !== "{}", { what: "the greedy caller" });
    const phase = await steady.run(name, seconds);
    Object.assign(told, JSON.parse(greedy.told()));
    return phase;
  };
  const told: Record<string, Told[string]> = {};
  const turns: readonly (readonly [string, string | undefined])[] = options.each
    ? (options.ways?.split(",") ?? GREEDY_WAYS).map((way: string) => [way, way])
    : [1, 2].map((turn) => [`beside the greedy one, ${turn}`, options.ways]);

  await steady.run("warm-up", 3);
  const alone: Phase[] = [];
  const together: Phase[] = [];
  for (const [name, ways] of turns) {
    const length = options.each ? seconds : seconds / 2;
    alone.push(await steady.run("alone", length));
    together.push(await beside(name, length, ways));
    await steady.run("rest", 2);
  }
  steady.close();

  const quiet = Phase.joined("alone", alone);
  console.log(
    `${options.workers} workers, ${options.rate} calls/s of ${
      options["delay-ms"]
    } ms, ${options.seconds} s\n`,
  );
  console.log(markdownTable(COLUMNS, [...alone, quiet, ...together]));
  console.log(`\n${
    markdownTable<[string, Told[string]]>([
      ["the greedy one", ([way]) => way],
      ["answers by status", ([, own]) =>
        Object.entries(own).map(([status, n]) => `${n} × ${status}`).join(", ")],
    ], Object.entries(told))
  }\n`);
  let isMissed = false;
  for (const phase of options.each ? together : [Phase.joined("beside the greedy one", together)]) {
    for (const kind of ["shared upstream", "own upstream"] as const) {
      const ratio = phase.p99(kind) / quiet.p99(kind);
      const verdict = ratio > LATENCY_RATIO ? ": MISSED" : "";
      console.log(`${phase.name}, ${kind}: ${ratio.toFixed(2)} times the p99 alone${verdict}`);
      isMissed ||= ratio > LATENCY_RATIO;
    }
  }
  const failures = [quiet, ...together].flatMap(({ failures }) => failures);
  for (const failure of new Set(failures)) console.log(`FAILED: ${failure}`);
  return isMissed || failures.length > 0 ? 1 : 0;
}

Deno.exit(await interruptible(main));
