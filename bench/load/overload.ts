// More than the gateway may take, in an open loop: do accepted calls keep their latency, are the others refused at once, does
// /health answer, is memory bounded, and is it over when the load is?
//
//   deno run -A bench/load/overload.ts [--seconds 60] [--times 4] [--backpressure 64] [--delay-ms 200] [--slots N]
//                                      [--workers 2] [--program ./sluice]
//
// Capacity is WORKERS x BACKPRESSURE calls at once of --delay-ms each; --slots (calls that the upstream serves at once) is it where
// BACKPRESSURE=auto. Exit code 1 where a bound was missed.

import { parseArgs } from "@std/cli/parse-args";
import { toolCall } from "../../tests/support/mcp_post.ts";
import { cpuMicros, rssBytes } from "../../tests/support/process_stats.ts";
import { startSlowProcess } from "../../tests/support/slow_upstream.ts";
import { Sluice } from "../../tests/support/sluice.ts";
import { interruptible } from "../interruptible.ts";
import { Lane, percentile, requestBytes } from "./lane.ts";
import { type Columns, markdownTable } from "./table.ts";

const REFUSAL_P99_MS = 50;
const HEALTH_P99_MS = 50;
const RECOVERY_MS = 1_000;
/** The most that the p99 of accepted calls may grow. */
const LATENCY_RATIO = 2;
const HEALTH_EVERY_MS = 50;

interface Phase {
  readonly name: string;
  readonly perSecond: number;
  readonly seconds: number;
}

interface Figures extends Phase {
  readonly accepted: number[];
  readonly refused: number[];
  readonly health: number[];
  /** Neither a right answer nor a refusal. */
  wrong: number;
  cpuPercent: number;
  rssBytes: number;
}

function noFigures(phase: Phase): Figures {
  return { ...phase, accepted: [], refused: [], health: [], wrong: 0, cpuPercent: 0, rssBytes: 0 };
}

class OpenLoop {
  readonly #idle: Lane[] = [];

  constructor(private readonly sluice: Sluice, private readonly call: Uint8Array) {}

  /** Sends at the phase's rate, whatever becomes of what was sent; latency counts from when a call was due. */
  async run(phase: Phase): Promise<Figures> {
    const figures = noFigures(phase);
    const cpuBefore = cpuMicros(this.sluice.pid);
    const start = performance.now();
    const end = start + phase.seconds * 1_000;
    const health = setInterval(() => void this.#health(figures), HEALTH_EVERY_MS);
    const memory = setInterval(() => {
      figures.rssBytes = Math.max(figures.rssBytes, rssBytes(this.sluice.pid));
    }, 250);
    for (let due = start; due < end;) {
      for (const now = performance.now(); due <= now && due < end; due += 1_000 / phase.perSecond) {
        void this.#send(due, figures);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    clearInterval(health);
    clearInterval(memory);
    figures.cpuPercent = (cpuMicros(this.sluice.pid) - cpuBefore) / (phase.seconds * 10_000);
    return figures;
  }

  /** The time until a call succeeds, ms, tried again at once where it is refused. */
  async recovery(): Promise<number> {
    const start = performance.now();
    const figures = noFigures({ name: "recovery", perSecond: 0, seconds: 0 });
    while (figures.accepted.length === 0) await this.#send(performance.now(), figures);
    return performance.now() - start;
  }

  close(): void {
    for (const lane of this.#idle) lane.close();
  }

  async #send(due: number, figures: Figures): Promise<void> {
    let lane: Lane | undefined;
    try {
      // The oldest, so that all are used, whichever worker they are connected to.
      lane = this.#idle.shift() ?? await Lane.open(this.sluice.port);
      const { status, body } = await lane.request(this.call);
      this.#idle.push(lane);
      const ms = performance.now() - due;
      if (status === 200 && body.includes('"done"')) figures.accepted.push(ms);
      else if (status === 503 && body.includes("OVERLOADED")) figures.refused.push(ms);
      else figures.wrong++;
    } catch {
      lane?.close();
      figures.wrong++;
    }
  }

  /** On a connection of its own, as a load balancer's may be. */
  async #health(figures: Figures): Promise<void> {
    const start = performance.now();
    const lane = await Lane.open(this.sluice.port);
    const { status } = await lane.request(requestBytes("/health", {})).finally(() => lane.close());
    if (status === 200) figures.health.push(performance.now() - start);
    else figures.wrong++;
  }
}

const COLUMNS: Columns<Figures> = [
  ["load", ({ name }) => name],
  ["calls/s", ({ perSecond }) => perSecond.toFixed(0)],
  ["accepted/s", ({ accepted, seconds }) => (accepted.length / seconds).toFixed(0)],
  ["p50 ms", ({ accepted }) => percentile(accepted, 0.5).toFixed(1)],
  ["p99 ms", ({ accepted }) => percentile(accepted, 0.99).toFixed(1)],
  ["refused/s", ({ refused, seconds }) => (refused.length / seconds).toFixed(0)],
  ["p50 ms", ({ refused }) => percentile(refused, 0.5).toFixed(1)],
  ["p99 ms", ({ refused }) => percentile(refused, 0.99).toFixed(1)],
  ["/health p99 ms", ({ health }) => percentile(health, 0.99).toFixed(1)],
  ["wrong", ({ wrong }) => String(wrong)],
  ["CPU %", ({ cpuPercent }) => cpuPercent.toFixed(0)],
  ["RSS MB", ({ rssBytes }) => (rssBytes / 1e6).toFixed(0)],
];

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    string: ["seconds", "times", "backpressure", "delay-ms", "slots", "workers", "program"],
    default: { seconds: "60", times: "4", backpressure: "64", "delay-ms": "200", workers: "2" },
  });
  const [seconds, times, delayMs, workers] = [
    options.seconds,
    options.times,
    options["delay-ms"],
    options.workers,
  ]
    .map(Number) as [number, number, number, number];
  const slots = options.slots === undefined ? undefined : Number(options.slots);
  const atOnce = slots ?? workers * Number(options.backpressure);
  if (!(atOnce > 0 && seconds > 0)) {
    console.error("BACKPRESSURE=auto needs --slots; all others take whole numbers above 0");
    return 2;
  }
  const capacity = atOnce / (delayMs / 1_000);

  await using upstream = await startSlowProcess({ delayMs, slots });
  const rows: Figures[] = [];
  await using sluice = await Sluice.start({
    program: options.program,
    env: {
      WORKERS: String(workers),
      BACKPRESSURE: options.backpressure,
      // As many as may be under way: nothing waits within the gateway.
      HTTP_CLIENT_MAX_CONNECTIONS: "5000",
      HTTP_CLIENT_MAX_KEEPALIVE_CONNECTIONS: "5000",
      LOG_LEVEL: "WARNING",
    },
  });
  await sluice.registerUpstream("up", upstream.url);
  const authorization = `Bearer ${await sluice.token()}`;
  const loop = new OpenLoop(
    sluice,
    requestBytes("/rpc", { authorization }, JSON.stringify(toolCall("up-slow"))),
  );
  await loop.run({ name: "warm-up", perSecond: capacity / 2, seconds: 3 });
  rows.push(await loop.run({ name: "half", perSecond: capacity / 2, seconds: Math.ceil(seconds / 4) }));
  rows.push(await loop.run({ name: "capacity", perSecond: capacity, seconds: Math.ceil(seconds / 4) }));
  rows.push(await loop.run({ name: `${times} x capacity`, perSecond: times * capacity, seconds }));
  const recoveryMs = await loop.recovery() - delayMs;
  rows.push(
    await loop.run({ name: "half, after", perSecond: capacity / 2, seconds: Math.ceil(seconds / 4) }),
  );
  loop.close();

  console.log(
    `${workers} workers, BACKPRESSURE=${options.backpressure}, upstream ${delayMs} ms` +
      `${slots === undefined ? "" : ` with ${slots} slots`}, ${seconds} s\n`,
  );
  console.log(markdownTable(COLUMNS, rows));
  console.log(
    `\nA call succeeds ${Math.max(0, recoveryMs).toFixed(0)} ms after the load, its own time left out`,
  );

  const [, atCapacity, overload] = rows as [Figures, Figures, Figures];
  const p99Ratio = percentile(overload.accepted, 0.99) / percentile(atCapacity.accepted, 0.99);
  const missed = [
    p99Ratio > LATENCY_RATIO && `accepted calls take ${p99Ratio.toFixed(1)} times as long`,
    percentile(overload.refused, 0.99) > REFUSAL_P99_MS && "refusals are slow",
    percentile(overload.health, 0.99) > HEALTH_P99_MS && "/health is slow",
    recoveryMs > RECOVERY_MS && "recovery is slow",
    rows.some(({ wrong }) => wrong > 0) && "there are wrong answers",
  ].filter((one) => one !== false);
  for (const one of missed) console.log(`MISSED: ${one}`);
  return missed.length === 0 ? 0 : 1;
}

Deno.exit(await interruptible(main));
