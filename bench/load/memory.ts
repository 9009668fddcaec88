// Where the memory of a gateway lies: by part of the process, and by space of each heap; at rest and under load.
//
//   deno run -A bench/load/memory.ts [--workers 1,2,3] [--clients 16] [--seconds 5] [--program ./sluice] [--json FILE]
//
// Columns are a Deno that does nothing, then gateways at rest by their number of workers, then each of them under load: by turns on
// `/rpc`, and on `/mcp` with a session for each client. Memory of the process alone is the resident set; the last line is the
// proportional set, for which pages of Deno's file that other processes have mapped count in part. The heaps are those of gateways that
// print each collection, since V8 tells the sizes of its spaces there.

import { parseArgs } from "@std/cli/parse-args";
import { gitCommit } from "../../scripts/git_commit.ts";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { bench } from "../compare/measure.ts";
import { benchLane } from "../compare/peer.ts";
import { pssBytes } from "../compare/process_tree.ts";
import { interruptible } from "../interruptible.ts";
import { type MemoryMap, memoryMapOf, PARTS } from "./memory_map.ts";
import { type Columns, markdownTable } from "./table.ts";

/** A program that has just started is not at rest: the gateway gives back pages up to 6 s after its last work. */
const SETTLE_MS = 8_000;

interface Column {
  readonly title: string;
  readonly map: MemoryMap;
  readonly pssBytes: number;
}

interface Load {
  readonly clients: number;
  readonly seconds: number;
}

/** A space of a heap, kB. */
interface Space {
  readonly used: number;
  readonly committed: number;
}

function columnOf(title: string, pid: number): Column {
  return { title, map: memoryMapOf(pid), pssBytes: pssBytes([pid]) };
}

async function bareDeno(): Promise<Column> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "setInterval(() => {}, 1_000)"],
    stdin: "null",
  }).spawn();
  try {
    await delay(SETTLE_MS);
    return columnOf("bare Deno", child.pid);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

/** Starts a gateway before the one upstream. */
async function start(
  workers: number,
  program: string | undefined,
  upstream: string,
  env: Record<string, string> = {},
): Promise<Sluice> {
  const sluice = await Sluice.start({
    program,
    env: { WORKERS: String(workers), LOG_LEVEL: "WARNING", ...env },
  });
  await sluice.registerUpstream("time", upstream);
  await delay(SETTLE_MS);
  return sluice;
}

/** Calls by both ways, and reads the memory at the end of the load. */
async function underLoad(title: string, sluice: Sluice, { clients, seconds }: Load): Promise<Column> {
  const authorized = ["--token", await sluice.token()];
  for (
    const lane of [
      benchLane("/rpc", `${sluice.url}/rpc`, "time-convert-time", authorized),
      benchLane("/mcp", `${sluice.url}/mcp`, "time-convert-time", [...authorized, "--sessions", "each"]),
    ]
  ) {
    if (lane.load.by !== "bench") continue;
    const { errors } = await bench(lane.load.url, [
      ...lane.load.flags,
      ...["--users", String(clients), "--think", "0", "--duration", `${seconds}s`, "--warmup", "0"],
    ]);
    if (errors > 0) throw new Error(`${errors} calls failed`);
  }
  return columnOf(title, sluice.pid);
}

/** The spaces of each heap after its last collection: those of the main thread first. */
async function heapsOf(sluice: Sluice): Promise<ReadonlyMap<string, Space>[]> {
  const heaps = new Map<string, Map<string, Space>>();
  await waitFor(() => {
    for (const line of sluice.stdout.lines) {
      const [, isolate, space, used, committed] = SPACE.exec(line) ?? [];
      if (isolate === undefined) continue;
      const heap = heaps.get(isolate) ?? new Map<string, Space>();
      heap.set(space!.toLowerCase(), { used: Number(used), committed: Number(committed) });
      heaps.set(isolate, heap);
    }
    return heaps.size > sluice.workers;
  }, { what: "a collection of each heap", deadlineMs: 60_000 });
  return [...heaps.values()];
}

/** The heaps of a gateway from source, at rest and under load. The executable has no V8 flags. */
async function heapsOfOne(workers: number, upstream: string, load: Load) {
  await using sluice = await start(workers, undefined, upstream, { DENO_V8_FLAGS: "--trace-gc-verbose" });
  const atRest = await heapsOf(sluice);
  await underLoad("", sluice, load);
  return [atRest, await heapsOf(sluice)];
}

/** A line of `--trace-gc-verbose`. */
const SPACE = /^\[\d+:(\w+)\] (.+?), +used: +(\d+) KB,.* committed: +(\d+) KB/;

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function mapTable(columns: readonly Column[]): string {
  const sum = ({ map }: Column) => PARTS.reduce((total, part) => total + map[part], 0);
  const lines: readonly (readonly [string, (column: Column) => number])[] = [
    ...PARTS.map((part) => [part, ({ map }: Column) => map[part]] as const),
    ["resident", sum],
    ["proportional", ({ pssBytes }) => pssBytes],
  ];
  const table: Columns<typeof lines[number]> = [
    ["MB", ([name]) => name],
    ...columns.map((column) =>
      [column.title, ([, read]: typeof lines[number]) => megabytes(read(column))] as const
    ),
  ];
  return markdownTable(table, lines);
}

function heapTable(heaps: readonly ReadonlyMap<string, Space>[]): string {
  const names = [...new Set(heaps.flatMap((heap) => [...heap.keys()]))];
  const table: Columns<string> = [
    ["MB used, committed", (name) => name],
    ...heaps.map((heap, number) =>
      [number === 0 ? "main thread" : `worker ${number - 1}`, (name: string) => {
        const space = heap.get(name);
        return space === undefined
          ? ""
          : `${megabytes(space.used * 1024)}, ${megabytes(space.committed * 1024)}`;
      }] as const
    ),
  ];
  return markdownTable(table, names);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["workers", "clients", "seconds", "program", "json"],
    default: { workers: "1,2,3", clients: "16", seconds: "5" },
  });
  const { program } = options;
  const load = { clients: Number(options.clients), seconds: Number(options.seconds) };
  const numbers = options.workers.split(",").map(Number);
  if (![...Object.values(load), ...numbers].every((number) => Number.isInteger(number) && number > 0)) {
    console.error("--workers, --clients and --seconds take whole numbers above 0");
    return 2;
  }
  await using upstream = FastUpstream.start();
  const rest: Column[] = program === undefined ? [await bareDeno()] : [];
  const loaded: Column[] = [];
  for (const workers of numbers) {
    await using sluice = await start(workers, program, upstream.url);
    rest.push(columnOf(`${workers} at rest`, sluice.pid));
    loaded.push(await underLoad(`${workers} under load`, sluice, load));
  }
  const columns = [...rest, ...loaded];
  console.log(
    `commit ${await gitCommit() ?? "unknown"}, Deno ${Deno.version.deno}, ${program ?? "from source"}, ` +
      `${load.clients} clients, ${load.seconds} s each way, load average ${Deno.loadavg()[0]!.toFixed(1)}`,
  );
  console.log(`\n${mapTable(columns)}`);
  const heaps = program === undefined ? await heapsOfOne(numbers.at(-1)!, upstream.url, load) : [];
  if (heaps.length > 0) {
    console.log(`\nHeaps at rest:\n\n${heapTable(heaps[0]!)}`);
    console.log(`\nHeaps after the last collection of the load:\n\n${heapTable(heaps[1]!)}`);
  }
  if (options.json) {
    const spaces = heaps.map((each) => each.map((heap) => Object.fromEntries(heap)));
    await Deno.writeTextFile(options.json, `${JSON.stringify({ columns, spaces }, null, 2)}\n`);
  }
  return 0;
}

Deno.exit(await interruptible(main));
