// What traces cost a call that is not exported: tools/call on /rpc without traces, and with one trace in a hundred sampled and slow and
// failed calls exported, by turns. Two gateways of one worker each run the whole time; every other round goes backwards.
//
//   deno run -A bench/load/traces.ts [--seconds 3] [--rounds 9] [--ratio 0.01] [--clients 16] [--client wrk|deno] [--program ./sluice]
//
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

const WARM_UP_SECONDS = 3;

interface Kind {
  readonly name: string;
  readonly pid: number;
  readonly request: LoadRequest;
  /** CPU per call of each round, µs. */
  readonly micros: number[];
  errors: number;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "rounds", "ratio", "clients", "client", "program"],
    default: { seconds: "3", rounds: "9", ratio: "0.01", clients: "16" },
  });
  const { ratio, program } = options;
  const [seconds, rounds, clients] = [options.seconds, options.rounds, options.clients].map(Number);
  const { run } = loadClient(options.client);
  await using upstream = FastUpstream.start();
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await request.arrayBuffer();
      return new Response(null);
    },
  );
  const start = (env: Record<string, string>) =>
    Sluice.start({ program, env: { WORKERS: "1", LOG_LEVEL: "WARNING", ...env } });
  await using without = await start({});
  await using within = await start({
    OTEL_ENABLE_OBSERVABILITY: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: ratio,
    TRACE_SLOW_CALLS: "1",
  });
  const kindOf = async (name: string, sluice: Sluice): Promise<Kind> => {
    await sluice.registerUpstream("fast", upstream.url);
    const headers = { authorization: `Bearer ${await sluice.token()}`, "content-type": "application/json" };
    const body = JSON.stringify(toolCall("fast-echo", { message: "alive" }));
    const request = { port: sluice.port, path: "/rpc", headers, body, expected: "alive" };
    return { name, pid: sluice.pid, request, micros: [], errors: 0 };
  };
  const kinds = [await kindOf("off", without), await kindOf(`on, ${ratio} sampled`, within)];
  for (const { request } of kinds) await run(request, clients, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const before = cpuMicros(kind.pid);
      const { requests, errors } = await run(kind.request, clients, seconds);
      kind.micros.push((cpuMicros(kind.pid) - before) / Math.max(1, requests));
      kind.errors += errors;
    }
  }
  const [off, on] = kinds as [Kind, Kind];
  const ratios = on.micros.map((micros, round) => micros / off.micros[round]!);
  const median = percentile(ratios, 0.5);
  console.log(markdownTable([
    ["traces", ({ name }) => name],
    ["CPU µs/call", ({ micros }) => percentile([...micros], 0.5).toFixed(1)],
    ["wrong", ({ errors }) => String(errors)],
  ], kinds));
  console.log(
    `\non : off ${median.toFixed(3)} (median of ${rounds} rounds; ${
      ratios.map((each) => each.toFixed(3)).join(" ")
    })`,
  );
  return kinds.every(({ errors }) => errors === 0) ? 0 : 1;
}

Deno.exit(await interruptible(main));
