// Many users at once, each on a connection of its own and in a session of its own, calling a tool now and then; then the same with
// an idle event stream of each beside it.
//
//   deno run -A bench/load/connections.ts [--users 6500] [--rate 1000] [--seconds 30] [--workers 2] [--program ./sluice]
//   deno run -A bench/load/connections.ts --tuned [--users 6500] …
//
// --tuned runs PostgreSQL, PgBouncer, Redis and the gateway with what `sluice tune` writes for these users and this machine.
// --rate is the calls of all users together, per second. Exit code 1 where a call, a session or a stream failed.

import { parseArgs } from "@std/cli/parse-args";
import { INITIALIZE, inSession, toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros, openFds, rssBytes } from "../../tests/support/process_stats.ts";
import { startSlowProcess } from "../../tests/support/slow_upstream.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { planned, startTuned } from "../../tests/support/tuned_gateway.ts";
import { interruptible } from "../interruptible.ts";
import { Lane, percentile, requestBytes } from "./lane.ts";
import { type Columns, markdownTable } from "./table.ts";

/** Set for the child of this script that has the descriptors it needs. */
const CHILD = "SLUICE_BENCH_CHILD";
/** The upstream's time for a call. */
const DELAY_MS = 10;
/** How many users begin at once. */
const AT_ONCE = 50;

interface User {
  readonly lane: Lane;
  readonly headers: Readonly<Record<string, string>>;
  readonly call: Uint8Array;
  stream: Lane | undefined;
}

interface Row {
  readonly name: string;
  readonly calls: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly streams: number;
  readonly fds: number;
  readonly cpuMicrosPerCall: number;
  readonly rssBytes: number;
}

class Crowd {
  readonly users: User[] = [];
  /** What went wrong, and how often. */
  readonly errors = new Map<string, number>();
  #openStreams = 0;

  constructor(private readonly sluice: Sluice) {}

  /** Each with its own token, session and connection. */
  async gather(count: number): Promise<void> {
    await this.#inTurns(count, async (number) => {
      const token = await this.sluice.token({
        username: `user${number}@example.com`,
        expiresInSeconds: 86_400,
      });
      const lane = await Lane.open(this.sluice.port);
      const basic = { authorization: `Bearer ${token}`, accept: "application/json, text/event-stream" };
      const opened = await lane.request(requestBytes("/mcp", basic, JSON.stringify(INITIALIZE)));
      const session = /\r\nmcp-session-id: (\S+)/i.exec(opened.head)?.[1];
      if (session === undefined) return this.#wrong(`initialize: ${opened.status}`);
      const headers = { ...basic, ...inSession(session) };
      const call = requestBytes("/mcp", headers, JSON.stringify(toolCall("up-slow")));
      this.users.push({ lane, headers, call, stream: undefined });
    });
  }

  async openStreams(): Promise<void> {
    await this.#inTurns(this.users.length, async (number) => {
      const user = this.users[number]!;
      user.stream = await Lane.open(this.sluice.port);
      const accept = "text/event-stream";
      const { status, ended } = await user.stream.openStream(
        requestBytes("/mcp", { ...user.headers, accept }),
      );
      if (status !== 200) return this.#wrong(`stream: ${status}`);
      this.#openStreams++;
      void ended.then(() => this.#openStreams--);
    });
  }

  /** All users call, each after a pause of its own, `rate` calls a second in the mean. */
  async run(name: string, rate: number, seconds: number): Promise<Row> {
    const latencies: number[] = [];
    const errorsBefore = this.errorCount;
    const cpuBefore = cpuMicros(this.sluice.pid);
    const pauseMs = this.users.length / rate * 1_000;
    const end = performance.now() + seconds * 1_000;
    await Promise.all(this.users.map(async (user) => {
      for (;;) {
        // The first too: they do not begin all at once.
        await sleep(Math.random() * 2 * pauseMs);
        const start = performance.now();
        if (start >= end) return;
        try {
          const { status, body } = await user.lane.request(user.call);
          if (status === 200 && body.includes('"done"')) latencies.push(performance.now() - start);
          else this.#wrong(`call: ${status} ${body.slice(0, 120)}`);
        } catch (error) {
          return this.#wrong(`call: ${error}`);
        }
      }
    }));
    return {
      name,
      calls: latencies.length,
      errors: this.errorCount - errorsBefore,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      streams: this.#openStreams,
      fds: openFds(this.sluice.pid),
      cpuMicrosPerCall: (cpuMicros(this.sluice.pid) - cpuBefore) / latencies.length,
      rssBytes: rssBytes(this.sluice.pid),
    };
  }

  get errorCount(): number {
    return [...this.errors.values()].reduce((sum, count) => sum + count, 0);
  }

  close(): void {
    for (const { lane, stream } of this.users) {
      lane.close();
      stream?.close();
    }
  }

  #wrong(what: string): void {
    this.errors.set(what, (this.errors.get(what) ?? 0) + 1);
  }

  async #inTurns(count: number, step: (number: number) => Promise<void>): Promise<void> {
    let next = 0;
    const walk = async () => {
      while (next < count) await step(next++).catch((error) => this.#wrong(String(error)));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, walk));
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const COLUMNS: Columns<Row> = [
  ["", ({ name }) => name],
  ["calls", ({ calls }) => String(calls)],
  ["errors", ({ errors }) => String(errors)],
  ["p50 ms", ({ p50Ms }) => p50Ms.toFixed(1)],
  ["p99 ms", ({ p99Ms }) => p99Ms.toFixed(1)],
  ["streams", ({ streams }) => String(streams)],
  ["descriptors", ({ fds }) => String(fds)],
  ["CPU µs/call", ({ cpuMicrosPerCall }) => cpuMicrosPerCall.toFixed(0)],
  ["RSS MB", ({ rssBytes }) => (rssBytes / 1e6).toFixed(0)],
];

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["users", "rate", "seconds", "workers", "program"],
    boolean: ["tuned"],
    default: { users: "6500", rate: "1000", seconds: "30", workers: "2" },
  });
  const [users, rate, seconds] = [options.users, options.rate, options.seconds].map(Number) as [
    number,
    number,
    number,
  ];
  await using upstream = await startSlowProcess({ delayMs: DELAY_MS });
  const rows: Row[] = [];
  const env = { WORKERS: options.workers, LOG_LEVEL: "WARNING" };
  await using gateway = options.tuned ? await tunedGateway(users, rate, env, options.program) : null;
  await using own = gateway === null ? await Sluice.start({ program: options.program, env }) : null;
  const sluice = gateway?.sluice ?? own!;
  await sluice.registerUpstream("up", upstream.url);
  const crowd = new Crowd(sluice);
  console.log(`at rest: RSS ${(rssBytes(sluice.pid) / 1e6).toFixed(0)} MB`);
  await crowd.gather(users);
  rows.push(await crowd.run(`${users} users`, rate, seconds));
  await crowd.openStreams();
  rows.push(await crowd.run("with streams", rate, seconds));
  crowd.close();
  for (const [what, count] of crowd.errors) console.log(`${count} x ${what}`);
  console.log(`\n${markdownTable(COLUMNS, rows)}`);
  return crowd.errorCount > 0 || rows.at(-1)!.streams !== users ? 1 : 0;
}

/** Planned for a pause that makes `rate` calls a second of all users together. */
async function tunedGateway(users: number, rate: number, more: Record<string, string>, program?: string) {
  const thinkMs = Math.round(users / rate * 1_000);
  const load = ["--users", String(users), "--latency-ms", String(DELAY_MS), "--think-ms", String(thinkMs)];
  return await startTuned(await planned(...load, "--vcpu", more.WORKERS!, "--pgbouncer", "--redis"), {
    program,
    more,
  });
}

/** The same again in a shell that allows as many open files as it may: we, the gateway and the upstream need two for each user. */
async function withDescriptors(): Promise<number> {
  const script = 'ulimit -n "$(ulimit -Hn)"; exec "$@"';
  const { code } = await new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", Deno.execPath(), "run", "-A", "--quiet", import.meta.filename!, ...Deno.args],
    env: { [CHILD]: "1" },
  }).spawn().status;
  return code;
}

Deno.exit(await interruptible(Deno.env.has(CHILD) ? main : withDescriptors));
