// Three replicas of two workers behind nginx, on PostgreSQL through PgBouncer and on Redis: what faults cost, what size costs, and what
// a call costs beside one process on SQLite. Tables in Markdown.
//
//   deno run -A bench/load/cluster.ts [--only faults|size|cost] [--hold 30] [--seconds 5] [--tools 10000] [--servers 1000]
//
// Exit code 1 where something acknowledged was lost, a session had two owners, or a warm call asked the database.

import { parseArgs } from "@std/cli/parse-args";
import { Cluster, CLUSTER_REPLICAS } from "../../tests/support/cluster.ts";
import { type FaultResult, FAULTS, noticingSoon, runFault } from "../../tests/support/cluster_faults.ts";
import { startScaledCluster } from "../../tests/support/cluster_scale.ts";
import { CounterUpstream } from "../../tests/support/counter_upstream.ts";
import type { Gateway } from "../../tests/support/gateway.ts";
import { startManyUpstreams } from "../../tests/support/many_upstreams.ts";
import { inSession, openSession, post, toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { loadClient } from "./load_client.ts";
import { type Columns, markdownTable } from "./table.ts";

const options = parseArgs(Deno.args, {
  string: ["only", "hold", "seconds", "tools", "servers"],
  default: { hold: "30", seconds: "5", tools: "10000", servers: "1000" },
});
const seconds = Number(options.seconds);

const ms = (value: number) => value.toFixed(value < 10 ? 2 : 0);

async function faults(): Promise<boolean> {
  await using upstream = CounterUpstream.start();
  // Longer than a replica may be silent (REPLICA_TTL), so that who waits for a silent one is answered by its own replica.
  await using cluster = await Cluster.start({ env: await noticingSoon(), readTimeoutS: 15 });
  await cluster.registerUpstream("counter", upstream.url);
  const rows: FaultResult[] = [];
  const holdMs = Number(options.hold) * 1_000;
  for (const fault of FAULTS) {
    rows.push(await runFault(cluster, fault, { holdMs, clients: 8, pauseMs: 20, quietMs: 3_000 }));
    console.error(`done: ${fault.name}`);
  }
  const columns: Columns<FaultResult> = [
    ["fault", ({ fault }) => fault],
    ["answered", ({ answered }) => `${answered}`],
    ["failed", ({ failed }) => [...failed].map(([what, count]) => `${count} × ${what}`).join(", ") || "0"],
    ["sessions lost", ({ sessionsLost }) => `${sessionsLost}`],
    ["longest stall of calls ms", ({ longestStallMs }) => ms(longestStallMs.calls)],
    ["of writes ms", ({ longestStallMs }) => ms(longestStallMs.writes)],
    ["/ready 503 after ms", ({ noticedMs }) => noticedMs === null ? "" : ms(noticedMs)],
    ["last failure after its end ms", ({ healMs }) => ms(healMs)],
    ["/ready 200 after ms", ({ readyMs }) => ms(readyMs)],
    ["rows acknowledged", ({ rowsAcknowledged }) => `${rowsAcknowledged}`],
    ["rows lost", ({ rowsLost }) => `${rowsLost.length}`],
    ["two owners", ({ outOfTurn }) => `${outOfTurn.length}`],
  ];
  console.log(`\nFaults of ${options.hold} s\n\n${markdownTable(columns, rows)}`);
  return rows.every(({ rowsLost, outOfTurn }) => rowsLost.length + outOfTurn.length === 0);
}

interface SizeRow {
  readonly tools: number;
  readonly servers: number;
  readonly registrationMs: number;
  readonly perServerMs: number;
  readonly listMs: number;
  readonly serverListMs: number;
  readonly callMs: number;
  readonly statementsPerCall: number;
}

async function size(): Promise<boolean> {
  const rows: SizeRow[] = [];
  for (const [tools, servers] of [[10, 1], [Number(options.tools), Number(options.servers)]] as const) {
    await using scaled = await startScaledCluster({ tools, servers });
    const { cluster, toolNames, serverIds } = scaled;
    const token = await cluster.token();
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
    const median = async (run: (i: number) => Promise<unknown>, times: number) => {
      const took: number[] = [];
      for (let i = 0; i < times; i++) {
        const from = performance.now();
        await run(i);
        took.push(performance.now() - from);
      }
      return took.sort((a, b) => a - b)[times >> 1]!;
    };
    const one = cluster.replicas[0]!;
    const call = (i: number) =>
      post(one, toolCall(toolNames[(i * 37) % toolNames.length]!), { token, path: "/rpc" });
    for (let i = 0; i < 50; i++) await call(i);
    const before = await scaled.statements();
    const callMs = await median(call, 300);
    const statementsPerCall = (await scaled.statements() - before) / 300;
    const path = `/servers/${serverIds.at(-1)}/mcp`;
    rows.push({
      ...{ tools, servers, callMs, statementsPerCall },
      registrationMs: scaled.registrationMs,
      perServerMs: scaled.serversMs / servers,
      listMs: await median(() => post(one, list, { token, path: "/rpc" }), 20),
      serverListMs: await median(() => post(one, list, { token, path }), 50),
    });
    console.error(`done: ${tools} tools`);
  }
  const columns: Columns<SizeRow> = [
    ["tools", ({ tools }) => `${tools}`],
    ["virtual servers", ({ servers }) => `${servers}`],
    ["registering all tools ms", (row) => ms(row.registrationMs)],
    ["a virtual server ms", (row) => ms(row.perServerMs)],
    ["tools/list, first page ms", (row) => ms(row.listMs)],
    ["of a virtual server ms", (row) => ms(row.serverListMs)],
    ["tools/call ms", (row) => ms(row.callMs)],
    ["statements per warm call", (row) => `${row.statementsPerCall}`],
  ];
  console.log(`\nSize (medians, a connection for each request)\n\n${markdownTable(columns, rows)}`);
  return rows.every(({ statementsPerCall }) => statementsPerCall === 0);
}

interface CostRow {
  readonly what: string;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMicros: number;
  readonly errors: number;
}

async function cost(): Promise<boolean> {
  await using upstreams = startManyUpstreams({ tools: 10, pageSize: 10 });
  const { run, name } = loadClient();
  const rows: CostRow[] = [];
  const measure = async (
    what: string,
    gateway: Gateway,
    { pids, path, session }: { pids: readonly number[]; path: string; session?: string },
  ) => {
    const request = {
      port: Number(new URL(gateway.url).port),
      path,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${await gateway.token()}`,
        ...(session === undefined ? {} : inSession(session)),
      },
      body: JSON.stringify(toolCall("up-tool-1")),
      expected: "up tool_1",
    };
    await run(request, 8, 1);
    const cpu = () => pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
    const before = cpu();
    const result = await run(request, 8, seconds);
    rows.push({
      what,
      perSecond: result.requests / result.seconds,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      cpuMicros: (cpu() - before) / result.requests,
      errors: result.errors,
    });
  };
  {
    await using sluice = await Sluice.start();
    await sluice.registerUpstream("up", upstreams.url("up"));
    await measure("SQLite, one process, /rpc", sluice, { pids: [sluice.pid], path: "/rpc" });
    const session = await openSession(sluice);
    await measure("SQLite, one process, session", sluice, { pids: [sluice.pid], path: "/mcp", session });
  }
  await using cluster = await Cluster.start();
  await cluster.registerUpstream("up", upstreams.url("up"));
  const pids = cluster.replicas.map(({ pid }) => pid);
  const [one, other] = cluster.replicas as [Sluice, Sluice];
  const session = await openSession(one);
  await measure("cluster, one replica asked, /rpc", one, { pids, path: "/rpc" });
  await measure("cluster, its owner asked, session", one, { pids, path: "/mcp", session });
  await measure("cluster, another replica asked, session", other, { pids, path: "/mcp", session });
  await measure("cluster, nginx asked, /rpc", cluster, { pids, path: "/rpc" });
  await measure("cluster, nginx asked, session", cluster, { pids, path: "/mcp", session });
  const columns: Columns<CostRow> = [
    ["tools/call", ({ what }) => what],
    ["calls/s", ({ perSecond }) => perSecond.toFixed(0)],
    ["p50 ms", ({ p50Ms }) => p50Ms.toFixed(2)],
    ["p99 ms", ({ p99Ms }) => p99Ms.toFixed(2)],
    ["gateway CPU µs/call", ({ cpuMicros }) => cpuMicros.toFixed(0)],
    ["errors", ({ errors }) => `${errors}`],
  ];
  console.log(`\nCost (client ${name}, 8 clients, ${seconds} s a row)\n\n${markdownTable(columns, rows)}`);
  const redis = (await cluster.servers.redis.connections()).length;
  const database = await cluster.servers.postgres.connections(cluster.database);
  console.log(
    `\nRedis connections: ${redis} (${CLUSTER_REPLICAS} replicas, one a worker and one that listens); ` +
      `PgBouncer's to PostgreSQL: ${database} (its default_pool_size allows 20)`,
  );
  return rows.every(({ errors }) => errors === 0) && redis === CLUSTER_REPLICAS * 3 && database <= 20;
}

const PARTS = { faults, size, cost };
async function main(): Promise<number> {
  let isRight = true;
  for (const [name, part] of Object.entries(PARTS)) {
    if (options.only === undefined || options.only === name) isRight = await part() && isRight;
  }
  return isRight ? 0 : 1;
}

Deno.exit(await interruptible(main));
