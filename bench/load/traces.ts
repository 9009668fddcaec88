// What traces cost a call that is not exported: tools/call on /rpc without traces, and with one trace in a hundred sampled and slow and
// failed calls exported. Each start of two gateways of one worker gives another ratio, so that both start anew several times, in
// alternating order. In between they take turns; every other round goes backwards.
//
//   deno run -A bench/load/traces.ts [--starts 4] [--rounds 8] [--seconds 1] [--warm 20] [--ratio 0.01 | --ratio off]
//     [--clients 16] [--client wrk|deno] [--program ./sluice]
//
// --warm is the load on each gateway before it counts, seconds: V8 compiles what a call in a hundred runs late. In the first seconds an
// exported trace costs many times as much. The gateways are warmed up by turns too: after eight seconds of rest V8 collects all that no
// live object needs, among it the shapes of a call's objects and the compiled code that relies on them.
// --ratio off compares two gateways without traces: what the method itself gets wrong.
// Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { FastUpstream } from "../../tests/support/fast_upstream.ts";
import { toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { percentile } from "./lane.ts";
import { loadClient, type LoadRequest } from "./load_client.ts";
import { markdownTable } from "./table.ts";

/** One of the two gateways, since it was started. */
interface Gateway {
  readonly sluice: Sluice;
  readonly request: LoadRequest;
  micros: number;
  requests: number;
  errors: number;
}

/** What one start has come to. */
interface Start {
  readonly off: number;
  readonly on: number;
  readonly errors: number;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["starts", "seconds", "rounds", "warm", "ratio", "clients", "client", "program"],
    default: { starts: "4", seconds: "1", rounds: "8", warm: "20", ratio: "0.01", clients: "16" },
  });
  const { ratio, program } = options;
  const [starts, seconds, rounds, warm, clients] = [
    options.starts,
    options.seconds,
    options.rounds,
    options.warm,
    options.clients,
  ].map(Number) as [number, number, number, number, number];
  const { run } = loadClient(options.client);
  await using upstream = FastUpstream.start();
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await request.arrayBuffer();
      return new Response(null);
    },
  );
  const traced: Record<string, string> = ratio === "off" ? {} : {
    OTEL_ENABLE_OBSERVABILITY: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: ratio,
    TRACE_SLOW_CALLS: "1",
  };
  const begin = async (settings: Readonly<Record<string, string>>): Promise<Gateway> => {
    const sluice = await Sluice.start({ program, env: { WORKERS: "1", LOG_LEVEL: "WARNING", ...settings } });
    await sluice.registerUpstream("fast", upstream.url);
    const headers = { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" };
    const body = JSON.stringify(toolCall("fast-echo", { message: "alive" }));
    const request = { port: sluice.port, path: "/rpc", headers, body, expected: "alive" };
    return { sluice, request, micros: 0, requests: 0, errors: 0 };
  };
  const burst = async (gateway: Gateway): Promise<void> => {
    const { sluice: { pid }, request } = gateway;
    const before = cpuMicros(pid);
    const { requests, errors } = await run(request, clients, seconds);
    gateway.micros += cpuMicros(pid) - before;
    gateway.requests += requests;
    gateway.errors += errors;
  };
  const measure = async (isOnFirst: boolean): Promise<Start> => {
    const first = await begin(isOnFirst ? traced : {});
    await using _first = first.sluice;
    const second = await begin(isOnFirst ? {} : traced);
    await using _second = second.sluice;
    const order = [first, second];
    for (let second = 0; second < warm; second++) {
      for (const { request } of order) await run(request, clients, 1);
    }
    for (let round = 0; round < rounds; round++) {
      for (const gateway of round % 2 === 0 ? order : order.toReversed()) await burst(gateway);
    }
    const [on, off] = isOnFirst ? [first, second] : [second, first];
    const perCall = ({ micros, requests }: Gateway) => micros / Math.max(1, requests);
    return { off: perCall(off), on: perCall(on), errors: on.errors + off.errors };
  };
  const results: Start[] = [];
  for (let start = 0; start < starts; start++) results.push(await measure(start % 2 === 1));
  const ratios = results.map(({ off, on }) => on / off);
  console.log(markdownTable<Start>([
    ["off, CPU µs/call", ({ off }) => off.toFixed(1)],
    [ratio === "off" ? "off" : `on, ${ratio} sampled`, ({ on }) => on.toFixed(1)],
    ["on : off", ({ off, on }) => (on / off).toFixed(3)],
    ["wrong", ({ errors }) => String(errors)],
  ], results));
  const mean = ratios.reduce((sum, each) => sum + each, 0) / starts;
  const variance = ratios.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, starts - 1);
  const error = Math.sqrt(variance / starts);
  console.log(
    `\non : off, median of ${starts} starts ${percentile(ratios, 0.5).toFixed(3)}, mean ${
      mean.toFixed(3)
    } ± ${error.toFixed(3)} (standard error)`,
  );
  return results.every(({ errors }) => errors === 0) ? 0 : 1;
}

Deno.exit(await interruptible(main));
