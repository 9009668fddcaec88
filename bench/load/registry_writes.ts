// How long does a write of the registry take with 10,000 tools, 5,000 other entries and 1,000 virtual servers, until every worker has it?
//
//   deno run -A bench/load/registry_writes.ts [--upstreams 200] [--tools 50] [--servers 1000] [--rounds 20] [--workers 2]
//
// `--tools` are those of each upstream, which also has half as many prompts and resources. Exit code 1 where an answer was wrong.

import { parseArgs } from "@std/cli/parse-args";
import { createRegistry } from "../../src/store/registry/registry.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";
import { gatewayRow, promptRow, resourceRow, serverRow, toolRow } from "../../tests/support/catalog_rows.ts";
import { type ManyUpstreams, startManyUpstreams } from "../../tests/support/many_upstreams.ts";
import { cpuMicros } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { percentile } from "./lane.ts";
import { markdownTable } from "./table.ts";

const MEMBERS = 10;

interface Size {
  readonly upstreams: number;
  readonly tools: number;
  readonly servers: number;
}

interface Write {
  readonly name: string;
  /** One round: `i` differs from that of the others. @returns the status */
  readonly run: (i: number) => Promise<number>;
  readonly timesMs: number[];
  /** Of all rounds. */
  cpuMs: number;
  wrong: number;
}

async function fill(path: string, { upstreams, tools, servers }: Size, many: ManyUpstreams): Promise<void> {
  await using store = await opened(path);
  const names = Array.from({ length: upstreams }, (_, i) => `up-${i}`);
  const ofEach = <Row>(amount: number, make: (name: string, k: number) => Row) =>
    names.flatMap((name) => Array.from({ length: amount }, (_, k) => make(name, k)));
  await createRegistry(store.opened).insertImported({
    gateways: names.map((name) => gatewayRow(name, { url: many.url(name) })),
    tools: ofEach(tools, (name, k) => toolRow(name, `tool_${k}`, { position: k })),
    prompts: ofEach(tools / 5, (name, k) => promptRow(name, `prompt_${k}`, { position: k })),
    resources: ofEach(
      tools * 3 / 10,
      (name, k) => resourceRow(name, `file:///${name}/${k}`, { position: k }),
    ),
    servers: Array.from({ length: servers }, (_, i) =>
      serverRow(`s${i}`, {
        toolIds: Array.from({ length: MEMBERS }, (_, k) => toolRow(names[i % upstreams]!, `tool_${k}`).id),
      })),
    ...{ users: [], teams: [], members: [], roles: [], assignments: [], tokens: [], revocations: [] },
  });
}

async function opened(path: string) {
  const database = await openSqlite(path, { busyTimeoutMs: 5_000 });
  await migrate(database);
  return { opened: database, [Symbol.asyncDispose]: () => database.close() };
}

function writesOf(sluice: Sluice): Write[] {
  const [upstream, tool, server] = ["up-7", "up-7-tool_3", "s7"];
  const api = async (method: string, path: string, body?: unknown) =>
    (await sluice.api(method, path, body)).status;
  const text = (i: number) => ({ description: `round ${i}` });
  let quota = "";
  return Object.entries<Write["run"]>({
    "a tool is switched": (i) => api("POST", `/tools/${tool}/state?activate=${i % 2 === 1}`),
    "a tool's description": (i) => api("PUT", `/tools/${tool}`, text(i)),
    "an upstream's description": (i) => api("PUT", `/gateways/${upstream}`, text(i)),
    "a virtual server's description": (i) => api("PUT", `/servers/${server}`, text(i)),
    "a new virtual server": (i) => api("POST", "/servers", { server: { name: `new ${i}` } }),
    "a new quota": async (i) => {
      const given = { kind: "tool", target: tool, calls: 1_000 + i, window: 60 };
      const { status, body } = await sluice.api("POST", "/quotas", given);
      quota = body.id;
      return status;
    },
    "a quota goes": () => api("DELETE", `/quotas/${quota}`),
    "a new team": (i) => api("POST", "/teams", { name: `Team ${i}` }),
  }).map(([name, run]) => ({ name, run, timesMs: [], cpuMs: 0, wrong: 0 }));
}

async function measure({ pid }: Sluice, write: Write, i: number): Promise<void> {
  const [from, cpuBefore] = [performance.now(), cpuMicros(pid)];
  const status = await write.run(i);
  write.timesMs.push(performance.now() - from);
  write.cpuMs += (cpuMicros(pid) - cpuBefore) / 1_000;
  if (status >= 300) write.wrong++;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["upstreams", "tools", "servers", "rounds", "workers"],
    default: { upstreams: "200", tools: "50", servers: "1000", rounds: "20", workers: "2" },
  });
  const [upstreams, tools, servers] = [options.upstreams, options.tools, options.servers].map(Number);
  const size = { upstreams: upstreams!, tools: tools!, servers: servers! };
  const rounds = Number(options.rounds);
  await using many = startManyUpstreams({ tools: size.tools, pageSize: size.tools });
  const cwd = await Deno.makeTempDir({ prefix: "sluice_writes_" });
  try {
    await fill(`${cwd}/mcp.db`, size, many);
    const env = { WORKERS: options.workers, LOG_LEVEL: "WARNING", HEALTH_CHECK_INTERVAL: "3600" };
    await using sluice = await Sluice.start({ cwd, env });
    const writes = writesOf(sluice);
    // Both workers load their modules, and V8 compiles.
    for (let i = 0; i < 3; i++) for (const write of writes) await measure(sluice, write, i);
    for (const write of writes) write.timesMs.length = write.cpuMs = 0;
    for (let i = 3; i < 3 + rounds; i++) for (const write of writes) await measure(sluice, write, i);
    console.log(
      `${size.upstreams * size.tools} tools, ${size.servers} virtual servers, ${options.workers} workers\n`,
    );
    console.log(markdownTable<Write>([
      ["write", ({ name }) => name],
      ["median ms", ({ timesMs }) => percentile(timesMs, 0.5).toFixed(1)],
      ["longest ms", ({ timesMs }) => percentile(timesMs, 1).toFixed(1)],
      ["CPU ms, mean", ({ cpuMs }) => (cpuMs / rounds).toFixed(0)],
      ["wrong", ({ wrong }) => String(wrong)],
    ], writes));
    return writes.every(({ wrong }) => wrong === 0) ? 0 : 1;
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

Deno.exit(await interruptible(main));
