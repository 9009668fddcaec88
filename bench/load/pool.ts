// What the session pool is for: the latency of a repeated tools/call over /rpc with a session per call and with pooled ones, to
// an SDK upstream whose handshake takes its time, in one run.
//
//   deno run -A bench/load/pool.ts [--seconds 5] [--handshake-ms 5] [--workers 1] [--sse] [--program ./sluice]
//
// Exit code 1 where a reply was wrong, or the pooled calls are less than 20 times as fast (guide, section 6: 10 to 20).

import { parseArgs } from "@std/cli/parse-args";
import { CounterProcess } from "../../tests/support/counter_process.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { loadClient, type LoadResult } from "./load_client.ts";

const WANTED_RATIO = 20;
const WARM_UP_SECONDS = 1;

interface Measured extends LoadResult {
  readonly name: string;
  /** Handshakes that the upstream saw in the measured time. */
  readonly handshakes: number;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "handshake-ms", "workers", "program"],
    boolean: ["sse"],
    default: { seconds: "5", "handshake-ms": "5", workers: "1" },
  });
  const seconds = Number(options.seconds);
  const handshakeDelayMs = Number(options["handshake-ms"]);
  // The replies of most servers are event streams; as JSON the SDK itself costs less, so the gateway's part shows better.
  await using upstream = await CounterProcess.start({ handshakeDelayMs, jsonReplies: !options.sse });
  const { run } = loadClient("deno");
  const rows: Measured[] = [];
  const measure = async (
    name: string,
    port: number,
    request: { path: string; headers: Headers; tool: string },
  ) => {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: request.tool, arguments: {} },
    });
    const load = {
      port,
      path: request.path,
      headers: Object.fromEntries(request.headers),
      body,
      expected: '"type":"text"',
    };
    await run(load, 1, WARM_UP_SECONDS);
    const before = (await upstream.state()).seen.initialize;
    const result = await run(load, 1, seconds);
    rows.push({ name, ...result, handshakes: (await upstream.state()).seen.initialize - before });
    return result;
  };

  await measure("direct, one session", Number(new URL(upstream.url).port), {
    path: "/mcp",
    headers: await openSession(upstream.url),
    tool: "get",
  });
  const p50Ms = new Map<string, number>();
  for (const pool of ["false", "true"]) {
    await using sluice = await Sluice.start({
      program: options.program,
      env: { WORKERS: options.workers, LOG_LEVEL: "WARNING", MCP_SESSION_POOL_ENABLED: pool },
    });
    await sluice.registerUpstream("counter", upstream.url);
    const headers = new Headers({
      "content-type": "application/json",
      authorization: `Bearer ${await sluice.token()}`,
    });
    const name = pool === "true" ? "/rpc, pooled sessions" : "/rpc, a session per call";
    const result = await measure(name, sluice.port, { path: "/rpc", headers, tool: "counter-get" });
    p50Ms.set(pool, result.p50Ms);
  }

  console.log(
    `SDK upstream, ${handshakeDelayMs} ms per handshake step, one client, ${seconds} s per row\n\n` +
      `| calls                    |  p50 ms |  p99 ms |  calls | handshakes | errors |\n` +
      `|--------------------------|--------:|--------:|-------:|-----------:|-------:|`,
  );
  for (const { name, p50Ms, p99Ms, requests, handshakes, errors } of rows) {
    const cells = [
      name.padEnd(24),
      p50Ms.toFixed(3).padStart(7),
      p99Ms.toFixed(3).padStart(7),
      String(requests).padStart(6),
      String(handshakes).padStart(10),
      String(errors).padStart(6),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
  const ratio = p50Ms.get("false")! / p50Ms.get("true")!;
  console.log(`\nA pooled call takes 1/${ratio.toFixed(1)} of the time (wanted: 1/${WANTED_RATIO})`);
  return ratio >= WANTED_RATIO && rows.every(({ errors }) => errors === 0) ? 0 : 1;
}

/** The headers of calls in a session of our own with the upstream. */
async function openSession(url: string): Promise<Headers> {
  const headers = new Headers({
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  });
  const post = (message: unknown) => fetch(url, { method: "POST", headers, body: JSON.stringify(message) });
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "load", version: "1" },
  };
  const opened = await post({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  await opened.text();
  headers.set("mcp-session-id", opened.headers.get("mcp-session-id")!);
  headers.set("mcp-protocol-version", "2025-11-25");
  await (await post({ jsonrpc: "2.0", method: "notifications/initialized" })).text();
  return headers;
}

Deno.exit(await interruptible(main));
