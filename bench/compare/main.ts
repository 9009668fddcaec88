// The public comparison: one tool called through gateways and bridges, by turns, and directly.
//
//   deno task bench:compare [--peers Sluice,LiteLLM] [--clients 1,16] [--seconds 5] [--rounds 2] [--program ./sluice] [--json FILE]
//
// It installs the peers from the lock files of bench/compare/programs first, and leaves out those in Go or Rust where Go or cargo is
// missing. In every round each program starts anew, alone beside the upstream, and `sluice bench` calls it in a closed loop: with a session
// for each client, or one for all. Every answer is checked.

import { parseArgs } from "@std/cli/parse-args";
import { gitCommit } from "../../scripts/git_commit.ts";
import { freePort } from "../../tests/support/free_port.ts";
import { interruptible } from "../interruptible.ts";
import { type Columns, markdownTable } from "../load/table.ts";
import { lackOf } from "./install.ts";
import { type Figures, measure, memoryAtRest } from "./measure.ts";
import { mcpLanes, type Peer, startProgram } from "./peer.ts";
import { LACKING, PEERS } from "./peers.ts";
import { sluicePeer } from "./sluice_peer.ts";

const WARM_UP_SECONDS = 2;
/** A program that has just started is not at rest. */
const SETTLE_MS = 8_000;
const ROOT = new URL("../../", import.meta.url).pathname;

/** What one round says of one way to call one program. */
interface Sample extends Figures {
  readonly peer: string;
  readonly lane: string;
  readonly clients: number;
  readonly coldStartMs: number;
  readonly restBytes: number;
  /** The rate, as a share of that of the upstream called directly in this round. */
  readonly ofDirect: number;
}

interface Options {
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly upstreamUrl: string;
}

/** The upstream itself: the yardstick. */
const DIRECT: Peer = {
  name: "the upstream directly",
  installation: null,
  version: () => `deno ${Deno.version.deno}`,
  settings: "tests/support/fast_upstream.ts, one process, no sessions",
  start: async (start) => {
    const port = freePort();
    const args = [
      "run",
      "-A",
      "--quiet",
      "--config",
      `${ROOT}deno.json`,
      `${ROOT}tests/support/fast_upstream.ts`,
      String(port),
    ];
    const { pid, coldStartMs } = await startProgram({ command: Deno.execPath(), args }, start, port);
    const [{ load }] = mcpLanes(`http://127.0.0.1:${port}/mcp`, "convert_time");
    return { roots: [pid], coldStartMs, lanes: [{ name: "/mcp", load }] };
  },
};

/** One program, from its start to its end. */
async function samplesOf(
  peer: Peer,
  { clients, seconds, upstreamUrl }: Options,
): Promise<Omit<Sample, "ofDirect">[]> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_compare_" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const { roots, lanes, coldStartMs } = await peer.start({ upstreamUrl, folder, stack });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const restBytes = memoryAtRest(roots);
  const samples: Omit<Sample, "ofDirect">[] = [];
  for (const lane of lanes) {
    for (const count of clients) {
      const figures = await measure(lane, roots, { clients: count, seconds, warmupSeconds: WARM_UP_SECONDS });
      samples.push({ peer: peer.name, lane: lane.name, clients: count, coldStartMs, restBytes, ...figures });
      console.error(
        `  ${peer.name}, ${lane.name}, ${count}: ${
          figures.callsPerSecond.toFixed(0)
        } calls/s, ${figures.errors} errors`,
      );
    }
  }
  return samples;
}

async function round(peers: readonly Peer[], options: Options, signal: AbortSignal): Promise<Sample[]> {
  const direct = await samplesOf(DIRECT, options);
  const others: Omit<Sample, "ofDirect">[] = [];
  for (const peer of peers) {
    try {
      others.push(...await samplesOf(peer, options));
    } catch (error) {
      if (signal.aborted) throw error;
      // The others are worth having. The exit code tells.
      console.error(`${peer.name} failed: ${error}`);
      failed.add(peer.name);
    }
  }
  const rates = new Map(direct.map(({ clients, callsPerSecond }) => [clients, callsPerSecond]));
  return [...direct, ...others].map((sample) => ({
    ...sample,
    ofDirect: sample.callsPerSecond / rates.get(sample.clients)!,
  }));
}

const failed = new Set<string>();

/** The medians of all rounds, one row for each way and number of clients. Errors are summed. */
function medians(samples: readonly Sample[]): Sample[] {
  const groups = Map.groupBy(samples, ({ peer, lane, clients }) => `${peer}\n${lane}\n${clients}`);
  return [...groups.values()].map((group) => {
    const median = (key: keyof Sample) => {
      const values = group.map((sample) => sample[key] as number).sort((a, b) => a - b);
      const middle = values.length / 2;
      return (values[Math.ceil(middle - 1)]! + values[Math.floor(middle)]!) / 2;
    };
    const keys = [
      "callsPerSecond",
      "p50Ms",
      "p99Ms",
      "cpuMicros",
      "pssBytes",
      "coldStartMs",
      "restBytes",
      "ofDirect",
    ] as const;
    return {
      ...group[0]!,
      ...Object.fromEntries(keys.map((key) => [key, median(key)])),
      errors: group.reduce((sum, { errors }) => sum + errors, 0),
    };
  });
}

const COLUMNS: Columns<Sample> = [
  ["program", ({ peer }) => peer],
  ["called by", ({ lane }) => lane],
  ["clients", ({ clients }) => String(clients)],
  ["calls/s", ({ callsPerSecond }) => figure(callsPerSecond)],
  ["of direct", ({ ofDirect }) => `${Number((ofDirect * 100).toPrecision(2))} %`],
  ["p50 ms", ({ p50Ms }) => ms(p50Ms)],
  ["p99 ms", ({ p99Ms }) => ms(p99Ms)],
  ["CPU µs/call", ({ cpuMicros }) => figure(cpuMicros)],
  ["MB at rest", ({ restBytes }) => (restBytes / 1e6).toFixed(0)],
  ["MB under load", ({ pssBytes }) => (pssBytes / 1e6).toFixed(0)],
  ["start s", ({ coldStartMs }) => (coldStartMs / 1_000).toFixed(1)],
  ["errors", ({ errors }) => figure(errors)],
];

function figure(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });
}

function ms(value: number): string {
  return value.toFixed(value < 10 ? 2 : 0);
}

async function main(signal: AbortSignal): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["peers", "clients", "seconds", "rounds", "program", "json"],
    default: { clients: "1,16", seconds: "5", rounds: "2" },
  });
  const [seconds, rounds] = [Number(options.seconds), Number(options.rounds)];
  const commit = await gitCommit();
  const clients = options.clients.split(",").map(Number);
  const known = [await sluicePeer(options.program), ...PEERS];
  const wanted: readonly string[] = options.peers?.split(",") ?? known.map(({ name }) => name);
  const asked = known.filter(({ name }) => wanted.includes(name));
  if (![seconds, rounds, ...clients].every((number) => Number.isInteger(number) && number > 0)) {
    console.error("--seconds, --rounds and --clients take whole numbers above 0");
    return 2;
  }
  if (asked.length !== wanted.length) {
    console.error(`--peers takes names of this list: ${known.map(({ name }) => name).join(",")}`);
    return 2;
  }
  const leftOut = asked.flatMap(lackingPeer);
  for (const { name, lack } of leftOut) console.error(leftOutText(name, lack));
  const peers = await installed(
    asked.filter(({ name }) => !leftOut.some((each) => each.name === name)),
    signal,
  );
  const samples: Sample[] = [];
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "sluice_compare_" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const [{ load }] = (await DIRECT.start({ upstreamUrl: "", folder, stack })).lanes;
  const upstreamUrl = load.by === "bench" ? load.url : "";
  for (let turn = 0; turn < rounds; turn++) {
    console.error(`round ${turn + 1} of ${rounds}`);
    // Every other round backwards: who comes first is not always the same.
    const inTurn = turn % 2 === 0 ? peers : peers.toReversed();
    samples.push(...await round(inTurn, { clients, seconds, upstreamUrl }, signal));
  }
  const order = [DIRECT, ...peers].map(({ name }) => name);
  const rows = medians(samples).sort((a, b) => order.indexOf(a.peer) - order.indexOf(b.peer));
  const circumstances = {
    commit,
    date: new Date().toISOString().slice(0, 10),
    command: `deno task bench:compare ${Deno.args.join(" ")}`.trim(),
    machine: `${navigator.hardwareConcurrency} cores, ${cpuModel()}`,
    programs: [DIRECT, ...peers].map((peer) => `${peer.name} ${peer.version()}: ${peer.settings}`),
  };
  console.log([
    `\`${circumstances.command}\`, commit ${circumstances.commit}, ${circumstances.machine}, ${circumstances.date}. Medians of ` +
    `${rounds} rounds of ${seconds} s:`,
    "",
    markdownTable(COLUMNS, rows),
    "",
    ...circumstances.programs.map((line) => `- ${line}`),
    "",
    LACKING,
    ...leftOut.map(({ name, lack }) => leftOutText(name, lack)),
  ].join("\n"));
  if (options.json) {
    await Deno.writeTextFile(
      options.json,
      `${JSON.stringify({ ...circumstances, rows, samples }, null, 2)}\n`,
    );
  }
  return failed.size > 0 ? 1 : 0;
}

/** Those that could be installed. */
async function installed(peers: readonly Peer[], signal: AbortSignal): Promise<Peer[]> {
  const done: Peer[] = [];
  for (const peer of peers) {
    try {
      await peer.installation?.install();
      done.push(peer);
    } catch (error) {
      if (signal.aborted) throw error;
      console.error(`${peer.name} cannot be installed: ${error}`);
      failed.add(peer.name);
    }
  }
  return done;
}

function lackingPeer({ name, installation }: Peer) {
  const lack = installation === null ? null : lackOf(installation);
  return lack === null ? [] : [{ name, lack }];
}

function leftOutText(name: string, lack: string): string {
  return `Left out: ${name}. It needs ${lack} on the PATH.`;
}

function cpuModel(): string {
  return /^model name\s*:\s*(.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
}

Deno.exit(await interruptible(main));
