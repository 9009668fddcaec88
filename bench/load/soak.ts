// A long run of mixed load with faults: does the gateway's memory stay flat, and does all that was opened come back?
//
//   deno run -A bench/load/soak.ts [--minutes 10] [--warm-up-minutes 2] [--workers 2] [--seed 1] [--program ./sluice]
//
// The load is light and paced: what is looked for is what adds up, not what is slow. Exit code 1 where something did.

import { parseArgs } from "@std/cli/parse-args";
import { CHAOS_MODES, type ChaosMode } from "../../tests/support/chaos_modes.ts";
import { ChaosUpstream } from "../../tests/support/chaos_upstream.ts";
import { CounterProcess } from "../../tests/support/counter_process.ts";
import { inSession, openSession, post, toolCall } from "../../tests/support/mcp_post.ts";
import { Prng } from "../../tests/support/prng.ts";
import { openFds, rssBytes } from "../../tests/support/process_stats.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";

const SAMPLE_MS = 10_000;
/** How much more memory the end may need than the time after the warm-up: the heap breathes. */
const FLAT_SHARE = 0.08;
/** Descriptors that may come and go at rest: a keep-alive connection, a database page. */
const FD_SLACK = 3;
/** Longer than any timeout, keep-alive or sweep of the settings below. */
const REST_MS = 60_000;

const SETTINGS = {
  LOG_LEVEL: "ERROR",
  MCP_SESSION_POOL_ENABLED: "true",
  MCP_SESSION_POOL_TTL: "20",
  MCP_SESSION_POOL_IDLE_EVICTION: "10",
  MCP_SESSION_POOL_HEALTH_CHECK_INTERVAL: "1",
  MCP_SESSION_POOL_MAX_PER_KEY: "4",
  MCP_SESSION_POOL_CIRCUIT_BREAKER_RESET: "1",
  TOOL_TIMEOUT: "1",
  SESSION_TTL: "10",
  MAX_UPSTREAM_RESPONSE_BYTES: "262144",
};

interface Sample {
  readonly second: number;
  readonly rssBytes: number;
  readonly fds: number;
  readonly active: number;
  readonly idle: number;
  readonly keys: number;
  readonly created: number;
  readonly upstreamSessions: number;
  readonly calls: number;
}

class Soak {
  readonly #outcomes = new Map<string, number>();
  readonly #users: readonly string[];
  calls = 0;

  constructor(
    private readonly sluice: Sluice,
    private readonly counter: CounterProcess,
    private readonly prng: Prng,
    users: readonly string[],
  ) {
    this.#users = users;
  }

  /** Calls of every kind until `stop`; each is awaited, also those under way at the end. */
  async run(stop: AbortSignal): Promise<void> {
    const loop = async (pauseMs: number, step: () => Promise<void>) => {
      while (!stop.aborted) {
        await step();
        await sleep(pauseMs);
      }
    };
    await Promise.all([
      ...Array.from({ length: 4 }, () => loop(20, () => this.#pooledCall())),
      ...Array.from({ length: 3 }, () => loop(20, () => this.#conversation())),
      loop(50, () => this.#streamedCall()),
      loop(100, () => this.#listen()),
      ...Array.from({ length: 2 }, () => loop(50, () => this.#cancelledCall())),
      ...Array.from({ length: 2 }, () => loop(50, () => this.#faultyCall())),
      loop(15_000, () => this.counter.expireSessions()),
    ]);
  }

  /** How often each kind of call ended how, most frequent first. */
  outcomes(): string[] {
    return [...this.#outcomes].sort(([, a], [, b]) => b - a).map(([what, count]) => `${what}: ${count}`);
  }

  /** Outcomes that the injected faults do not explain. */
  surprises(): string[] {
    return this.outcomes().filter((line) =>
      /^(pooled|conversation|streamed|listen) (?!ok)|INTERNAL/.test(line)
    );
  }

  #note(kind: string, outcome: string): void {
    this.calls++;
    const key = `${kind} ${outcome}`;
    this.#outcomes.set(key, (this.#outcomes.get(key) ?? 0) + 1);
  }

  async #call(
    kind: string,
    tool: string,
    options: { path?: string; headers?: Record<string, string>; token: string },
  ) {
    const { status, body } = await post(this.sluice, toolCall(tool), options);
    this.#note(kind, body?.result !== undefined ? "ok" : body?.error?.data?.code ?? `HTTP ${status}`);
  }

  /** Few callers: their sessions stay warm; and now and then somebody new. */
  async #pooledCall(): Promise<void> {
    const token = this.prng.pick(this.#users);
    const headers: Record<string, string> = this.prng.chance(0.05)
      ? { "x-tenant-id": crypto.randomUUID() }
      : {};
    await this.#call("pooled", "counter-increment", { path: "/rpc", token, headers });
  }

  async #conversation(): Promise<void> {
    const token = this.prng.pick(this.#users);
    const id = await openSession(this.sluice, { token });
    for (let left = this.prng.int(6); left > 0; left--) {
      await this.#call("conversation", "counter-increment", { token, headers: inSession(id) });
    }
    // Some clients just go away: SESSION_TTL ends their sessions.
    if (this.prng.chance(0.2)) return;
    const response = await fetch(`${this.sluice.url}/mcp`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}`, "mcp-session-id": id },
    });
    await response.body?.cancel();
  }

  async #streamedCall(): Promise<void> {
    const token = this.prng.pick(this.#users);
    const tool = this.prng.pick(["chaos-sse-with-notifications", "chaos-slow-sse"]);
    await this.#call("streamed", tool, { token });
  }

  /** A GET stream that is left after a moment. */
  async #listen(): Promise<void> {
    const token = this.prng.pick(this.#users);
    const id = await openSession(this.sluice, { token });
    const gone = new AbortController();
    const response = await fetch(`${this.sluice.url}/mcp`, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", ...inSession(id) },
      signal: gone.signal,
    });
    await sleep(this.prng.int(100));
    gone.abort();
    await response.body?.cancel().catch(() => {});
    this.#note("listen", response.ok ? "ok" : `HTTP ${response.status}`);
  }

  async #cancelledCall(): Promise<void> {
    const token = this.prng.pick(this.#users);
    const gone = new AbortController();
    const timer = setTimeout(() => gone.abort(), 20 + this.prng.int(150));
    const id = this.prng.chance(0.3) ? await openSession(this.sluice, { token }) : null;
    const outcome = await fetch(this.sluice.url + (id === null && this.prng.chance(0.5) ? "/rpc" : "/mcp"), {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(id === null ? {} : inSession(id)),
      },
      body: JSON.stringify(toolCall("counter-hold", { ms: 500 })),
      signal: gone.signal,
    }).then(async (response) => (await response.text(), "answered"), () => "left");
    clearTimeout(timer);
    this.#note("cancelled", outcome);
  }

  async #faultyCall(): Promise<void> {
    const mode = this.prng.pick(Object.keys(CHAOS_MODES) as ChaosMode[]);
    const token = this.prng.pick(this.#users);
    await this.#call("faulty", `chaos-${mode.replaceAll("_", "-")}`, { path: "/rpc", token });
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

const COLUMNS: readonly (readonly [title: string, cell: (sample: Sample) => string])[] = [
  ["second", ({ second }) => String(second)],
  ["RSS MB", ({ rssBytes }) => (rssBytes / 1e6).toFixed(1)],
  ["fds", ({ fds }) => String(fds)],
  ["active", ({ active }) => String(active)],
  ["idle", ({ idle }) => String(idle)],
  ["keys", ({ keys }) => String(keys)],
  ["opened", ({ created }) => String(created)],
  ["upstream's", ({ upstreamSessions }) => String(upstreamSessions)],
  ["calls", ({ calls }) => String(calls)],
];

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.padStart(10)).join(" | ")} |`;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["minutes", "warm-up-minutes", "workers", "seed", "program"],
    default: { minutes: "10", "warm-up-minutes": "2", workers: "2", seed: "1" },
  });
  const seconds = Number(options.minutes) * 60;
  const warmUpSeconds = Number(options["warm-up-minutes"]) * 60;
  if (!(warmUpSeconds > 0 && warmUpSeconds < seconds)) {
    console.error("--warm-up-minutes must be above 0 and below --minutes");
    return 2;
  }

  await using counter = await CounterProcess.start();
  await using chaos = ChaosUpstream.start({ sessions: true });
  await using sluice = await Sluice.start({
    program: options.program,
    env: { ...SETTINGS, WORKERS: options.workers },
  });
  await sluice.registerUpstream("counter", counter.url);
  await sluice.registerUpstream("chaos", chaos.url);
  const users = await Promise.all(
    Array.from(
      { length: 6 },
      (_, i) => sluice.token({ username: `user${i}@example.com`, expiresInSeconds: 86_400 }),
    ),
  );
  const soak = new Soak(sluice, counter, new Prng(Number(options.seed)), users);
  const startedAt = performance.now();
  const sample = async (): Promise<Sample> => {
    const { body } = await sluice.api("GET", "/admin/mcp-pool/metrics");
    return {
      second: Math.round((performance.now() - startedAt) / 1_000),
      rssBytes: rssBytes(sluice.pid),
      fds: openFds(sluice.pid),
      active: body.active_sessions + body.creating + body.validating,
      idle: body.idle_sessions,
      keys: body.pool_key_count,
      created: body.total_sessions_created,
      upstreamSessions: (await counter.state()).liveSessions + chaos.liveSessions,
      calls: soak.calls,
    };
  };
  const show = async () => {
    const taken = await sample();
    console.log(row(COLUMNS.map(([, cell]) => cell(taken))));
    return taken;
  };

  console.log(row(COLUMNS.map(([title]) => title)));
  console.log(`|${COLUMNS.map(() => `${"-".repeat(11)}:`).join("|")}|`);
  // Every worker has opened what it keeps for good once it has served a few.
  await Promise.all(
    Array.from({ length: 20 }, () => post(sluice, toolCall("counter-get"), { token: users[0] })),
  );
  await sluice.api("DELETE", "/admin/mcp-pool/sessions");
  await sleep(SAMPLE_MS);
  const baseline = await show();

  const stop = new AbortController();
  const running = soak.run(stop.signal);
  const samples: Sample[] = [];
  const endAt = performance.now() + seconds * 1_000;
  while (performance.now() < endAt) {
    await sleep(SAMPLE_MS);
    samples.push(await show());
  }
  stop.abort();
  await running;
  console.log(`at rest for ${REST_MS / 1_000} s`);
  await sleep(REST_MS);
  const end = await show();

  console.log(`\n${soak.outcomes().join("\n")}\n`);
  return verdict({ baseline, samples, end, warmUpSeconds, surprises: soak.surprises() });
}

function verdict({ baseline, samples, end, warmUpSeconds, surprises }: {
  readonly baseline: Sample;
  readonly samples: readonly Sample[];
  readonly end: Sample;
  readonly warmUpSeconds: number;
  readonly surprises: readonly string[];
}): number {
  const warm = samples.filter(({ second }) => second - samples[0]!.second >= warmUpSeconds);
  const third = Math.ceil(warm.length / 3);
  const rss = warm.map((sample) => sample.rssBytes);
  const [early, late] = [median(rss.slice(0, third)), median(rss.slice(-third))];
  const growth = late / early - 1;
  const checks: readonly (readonly [passed: boolean, text: string])[] = [
    [
      growth <= FLAT_SHARE,
      `RSS after warm-up: ${(early / 1e6).toFixed(1)} MB, at the end ${(late / 1e6).toFixed(1)} MB ` +
      `(${(growth * 100).toFixed(1)} %, at most ${FLAT_SHARE * 100} %)`,
    ],
    [end.fds <= baseline.fds + FD_SLACK, `open fds: ${baseline.fds} before, ${end.fds} after`],
    [
      end.active + end.idle + end.keys === 0,
      `pool at rest: ${end.active} active, ${end.idle} idle, ${end.keys} keys`,
    ],
    [end.upstreamSessions === 0, `sessions left at the upstreams: ${end.upstreamSessions}`],
    [surprises.length === 0, `failures that no fault explains: ${surprises.join(", ") || "none"}`],
  ];
  for (const [passed, text] of checks) console.log(`${passed ? "ok    " : "FAILED"} ${text}`);
  return checks.every(([passed]) => passed) ? 0 : 1;
}

Deno.exit(await interruptible(main));
