// What traces cost a call: tools/call on /rpc of a gateway of one worker, with one trace in a hundred sampled, and slow and failed calls
// exported, as they are by default. Every 120 ms the gateway chooses anew whether it traces its calls (sliced_tracer.ts): two gateways that
// take turns differ by up to 6 % where both do the same.
//
// A third kind of slice does work of a known time in each call, in place of traces. The load and the upstream run on the same machine, and
// fall asleep more often the slower a busy gateway is; to wake them is its work. So a microsecond more in a call shows as two, and the
// third kind says as how many. With --clients 2 the gateway waits for its load, and a microsecond shows as less than one.
//
//   deno run -A bench/load/traces.ts [--starts 2] [--seconds 120] [--warm 30] [--ratio 0.01] [--clients 16] [--client wrk|deno]
//
// --ratio 0 records all calls and samples none.
// --warm: V8 compiles what a call in a hundred runs late. In the first seconds an exported trace costs many times as much.
// Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import config from "../../deno.json" with { type: "json" };
import { PERMISSION_FLAGS } from "../../scripts/permission_flags.ts";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { toolCall } from "../../tests/support/mcp_post.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { loadClient, type LoadRequest } from "./load_client.ts";
import { MODES } from "./sliced_tracer.ts";
import { markdownTable } from "./table.ts";

const ROOT = new URL("../../", import.meta.url);

interface Slice {
  readonly mode: number;
  /** CPU of the whole process for a call, µs. */
  readonly perCall: number;
  /** Of it the work of a known time, µs. */
  readonly work: number;
}

/** What one start of the gateway has come to. Ratios are logarithms, one for each block of slices, of a slice without traces. */
interface Start {
  readonly off: number;
  readonly on: readonly number[];
  readonly work: readonly number[];
  readonly workMicros: number;
  readonly errors: number;
}

interface Mean {
  readonly value: number;
  /** Standard error. */
  readonly error: number;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["starts", "seconds", "warm", "ratio", "clients", "client"],
    default: { starts: "2", seconds: "120", warm: "30", ratio: "0.01", clients: "16" },
  });
  const [starts, seconds, warm, clients] = [options.starts, options.seconds, options.warm, options.clients]
    .map(Number) as [number, number, number, number];
  const { run } = loadClient(options.client);
  const importMap = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(importMap, JSON.stringify(mapWithSlices()));
  const results: Start[] = [];
  try {
    await using upstream = FastUpstream.start();
    await using collector = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        await request.arrayBuffer();
        return new Response(null);
      },
    );
    for (let start = 0; start < starts; start++) {
      await using sluice = await Sluice.start({
        permissions: [...PERMISSION_FLAGS, `--import-map=${importMap}`],
        env: {
          WORKERS: "1",
          LOG_LEVEL: "WARNING",
          OTEL_ENABLE_OBSERVABILITY: "true",
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
          OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
          OTEL_TRACES_SAMPLER_ARG: options.ratio,
        },
      });
      await sluice.registerUpstream("fast", upstream.url);
      const headers = { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" };
      const body = JSON.stringify(toolCall("fast-echo", { message: "alive" }));
      const request: LoadRequest = { port: sluice.port, path: "/rpc", headers, body, expected: "alive" };
      await run(request, clients, warm);
      const before = sluice.stdout.lines.length;
      const { errors } = await run(request, clients, seconds);
      results.push(startOf(slicesIn(sluice.stdout.lines.slice(before)), errors));
    }
  } finally {
    await Deno.remove(importMap);
  }
  report(results);
  return results.every(({ errors }) => errors === 0) ? 0 : 1;
}

/** The project's import map, with sliced_tracer.ts in the place of the gateway's tracer. */
function mapWithSlices(): unknown {
  const absolute = (map: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(map).map(([key, to]) => [
        key.startsWith("./") ? new URL(key, ROOT).href : key,
        to.startsWith("./") ? new URL(to, ROOT).href : to,
      ]),
    );
  const tracer = new URL("src/telemetry/traces/tracer.ts", ROOT).href;
  const scopes = Object.entries(config.scopes).map((
    [scope, map],
  ) => [new URL(scope, ROOT).href, absolute(map)]);
  return {
    imports: { ...absolute(config.imports), [tracer]: new URL("bench/load/sliced_tracer.ts", ROOT).href },
    scopes: Object.fromEntries(scopes),
  };
}

function slicesIn(lines: readonly string[]): Slice[] {
  return lines.filter((line) => line.startsWith("SLICE ")).map((line) => {
    const [mode, calls, cpu, work] = line.split(" ").slice(1).map(Number) as [number, number, number, number];
    return { mode, perCall: cpu / calls, work: work / calls };
  });
}

/** Compares within blocks, each of which has a slice of every mode: the machine's speed differs less there. */
function startOf(slices: readonly Slice[], errors: number): Start {
  const blocks: Slice[][] = [];
  for (let at = 0; at + MODES.length <= slices.length;) {
    const block = slices.slice(at, at + MODES.length).sort((a, b) => a.mode - b.mode);
    const isWhole = block.every(({ mode }, index) => mode === index);
    if (isWhole) blocks.push(block);
    at += isWhole ? MODES.length : 1;
  }
  const ratios = (mode: number) => blocks.map((block) => Math.log(block[mode]!.perCall / block[0]!.perCall));
  const mean = (values: readonly number[]) => meanOf(values).value;
  return {
    off: mean(blocks.map(([off]) => off!.perCall)),
    on: ratios(1),
    work: ratios(2),
    workMicros: mean(blocks.map((block) => block[2]!.work)),
    errors,
  };
}

function meanOf(values: readonly number[]): Mean {
  const value = values.reduce((sum, each) => sum + each, 0) / values.length;
  const squares = values.reduce((sum, each) => sum + (each - value) ** 2, 0);
  return { value, error: Math.sqrt(squares / Math.max(1, values.length - 1) / values.length) };
}

function report(results: readonly Start[]): void {
  const shown = (logarithms: readonly number[]) => {
    const { value, error } = meanOf(logarithms);
    return `${Math.exp(value).toFixed(3)} ± ${error.toFixed(3)}`;
  };
  console.log(markdownTable<Start>([
    ["off, CPU µs/call", ({ off }) => off.toFixed(1)],
    ["on : off", ({ on }) => shown(on)],
    ["work : off", ({ work }) => shown(work)],
    ["work, µs/call", ({ workMicros }) => workMicros.toFixed(2)],
    ["wrong", ({ errors }) => String(errors)],
  ], results));
  const on = meanOf(results.flatMap(({ on }) => on));
  const work = meanOf(results.flatMap(({ work }) => work));
  const off = meanOf(results.map(({ off }) => off)).value;
  const workMicros = meanOf(results.map(({ workMicros }) => workMicros)).value;
  // How many microseconds a microsecond of work shows as.
  const factor = off * (Math.exp(work.value) - 1) / workMicros;
  console.log(
    `\nOn : off is ${Math.exp(on.value).toFixed(3)} ± ${on.error.toFixed(3)} (standard error). ` +
      `A microsecond of work shows as ${factor.toFixed(2)}.`,
  );
  // Where the gateway waits for its load, work takes the place of waiting, and says nothing of traces.
  if (factor < 1) return;
  const own = (Math.exp(on.value) - 1) / factor;
  const ownError = own * Math.hypot(on.error / on.value, work.error / work.value);
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  console.log(
    `By that, traces take ${(own * off).toFixed(2)} µs of a call of ${off.toFixed(1)}: ${percent(own)} ± ${
      percent(ownError)
    }.`,
  );
}

Deno.exit(await interruptible(main));
