// One run: the crowd comes, warms up, is measured, and leaves.
import process from "node:process";
import { type Clock, systemClock } from "../../base/clock.ts";
import { raiseOpenFilesLimit } from "../../supervisor/kernel/descriptors.ts";
import { readSystemFile } from "../../supervisor/kernel/libc.ts";
import { isSessionRevision } from "../../mcp/revisions.ts";
import { commit, VERSION } from "../../version.ts";
import { dismissCrowd, gatherCrowd, orInterrupted } from "./crowd.ts";
import type { LiveLine } from "./live_line.ts";
import { runLoad, type WeightedForm } from "./load_run.ts";
import { Measurement } from "./measurement.ts";
import type { Pace, Plan, Range } from "./load_plan.ts";
import { type BenchReport, FORMAT } from "./report/bench_report.ts";
import { count } from "./report/report_text.ts";
import { chooseTool, shownUrl } from "./tool_choice.ts";
import type { User } from "./load_user.ts";
import { ConnectionSource } from "./user_connection.ts";
import { callForm, requestForm, type ToolCall } from "./wire.ts";

/** Time that does not go back when somebody sets the clock. */
const STEADY_CLOCK: Clock = { ...systemClock, now: () => performance.now() };
const MIN_INTERVAL_MS = 1_000;
/** Limit of the points in a report. */
const MAX_POINTS = 600;
/** How long the sessions may take to end, ms. A server ends the others in its own time. */
const LEAVE_MS = 5_000;

export interface BenchRunOptions {
  /** The users take them by turns; empty: none is sent. */
  readonly tokens: readonly string[];
  /** Ends the run, with the report so far. */
  readonly signal: AbortSignal;
  readonly live: LiveLine;
}

/** @throws {SluiceError} GATEWAY_UNREACHABLE: no load is possible */
export async function runBench(
  plan: Plan,
  { tokens, signal, live }: BenchRunOptions,
): Promise<Omit<BenchReport, "assertions">> {
  raiseOpenFilesLimit();
  const startedAt = new Date().toISOString();
  const source = new ConnectionSource(plan.url, plan.timeoutMs);
  let users: User[] = [];
  try {
    users = await gatherCrowd({ plan, source, tokens, signal, onProgress: (...of) => live.opening(...of) });
    const calls = plan.mix.some(({ method }) => method === "tools/call") && !signal.aborted;
    const tool = calls ? await orInterrupted(chooseTool(users[0]!, plan), signal) : null;
    const forms = formsOf(plan, tool);
    const measurement = new Measurement(plan.durationMs);
    let events = 0;
    for (const user of users.slice(0, plan.streams)) {
      void user.listen(() => events++, (what) => measurement.fail(what));
    }
    const shared = {
      ...{ users, forms, signal, churn: plan.churn, clock: STEADY_CLOCK },
      reopens: isSessionRevision(plan.protocol) && plan.sessions === "each",
    };
    if (plan.warmupMs > 0 && !signal.aborted) {
      live.warming();
      const [pace, durationMs] = [warmPace(plan.pace), plan.warmupMs];
      await runLoad({
        ...shared,
        pace,
        durationMs,
        intervalMs: durationMs,
        measurement: new Measurement(durationMs),
      });
    }
    const cpuBefore = process.cpuUsage();
    const end = await runLoad({
      ...shared,
      measurement,
      ...{ pace: plan.pace, durationMs: plan.durationMs },
      intervalMs: Math.max(MIN_INTERVAL_MS, plan.durationMs / MAX_POINTS),
      onInterval: (point, inFlight) => live.running(point, inFlight, plan.durationMs),
    });
    const { user, system } = process.cpuUsage(cpuBefore);
    const seconds = end.elapsedMs / 1_000;
    return {
      format: FORMAT,
      program: `sluice ${VERSION} (${commit()}), deno ${Deno.version.deno}`,
      machine: machine(),
      startedAt,
      url: shownUrl(plan.url),
      load: loadWords(plan, tool),
      seconds: rounded(seconds),
      isInterrupted: signal.aborted,
      ...{ requests: measurement.requests, errors: measurement.errors, unsent: measurement.unsentCount },
      rate: rounded(measurement.rate(end.elapsedMs)),
      latency: measurement.latencies.summary,
      methods: measurement.methods,
      failures: measurement.failures,
      points: measurement.points,
      events,
      generator: {
        cores: rounded((user + system) / 1e6 / Math.max(0.001, seconds)),
        lagMs: rounded(end.lagMs),
      },
    };
  } finally {
    await Promise.race([dismissCrowd(users), new Promise((resolve) => setTimeout(resolve, LEAVE_MS))]);
    for (const user of users) user.close();
    source.close();
    live.end();
  }
}

function formsOf({ mix, protocol, payload }: Plan, tool: ToolCall | null): WeightedForm[] {
  return mix.filter(({ method }) => method !== "tools/call" || tool !== null).map(({ method, weight }) => {
    const form = method === "tools/call"
      ? callForm(protocol, tool!, payload)
      : requestForm(protocol, method, undefined);
    return { form, weight };
  });
}

/** A load that grows begins with its first rate. */
function warmPace(pace: Pace): Pace {
  return pace.kind === "think" ? pace : { kind: "rate", rate: { ...pace.rate, to: pace.rate.from } };
}

function loadWords(plan: Plan, tool: ToolCall | null): BenchReport["load"] {
  const { mix, users, protocol, payload, streams, churn, warmupMs, timeoutMs, sessions } = plan;
  const total = mix.reduce((sum, { weight }) => sum + weight, 0);
  return {
    pace: paceWords(plan.pace),
    users,
    protocol,
    sessions: isSessionRevision(protocol)
      ? (sessions === "each" ? "one for each user" : "one for all users")
      : "none",
    methods: mix.map(({ method, weight }) => {
      return mix.length === 1 ? method : `${method} ${count(100 * weight / total, 1)} %`;
    }).join(", "),
    tool: tool?.name ?? null,
    payload: payload === null ? null : rangeWords(payload),
    ...{ streams, churn },
    warmup: `${count(warmupMs / 1_000, 3)} s`,
    timeout: `${count(timeoutMs / 1_000, 3)} s`,
  };
}

function paceWords(pace: Pace): string {
  if (pace.kind === "think") {
    return pace.meanMs === 0
      ? "closed loop without pauses"
      : `closed loop, pauses of ${count(pace.meanMs / 1_000, 3)} s`;
  }
  const { from, to, arrivals } = pace.rate;
  return `${from === to ? "" : `${count(from, 2)} to `}${count(to, 2)} requests a second, ${arrivals}`;
}

function rangeWords({ min, max }: Range): string {
  return min === max ? `${count(min)} bytes` : `${count(min)} to ${count(max)} bytes`;
}

function machine(): BenchReport["machine"] {
  const cpu = /^model name\s*:\s*(.+)$/m.exec(readSystemFile("/proc/cpuinfo") ?? "")?.[1] ?? Deno.build.arch;
  return { os: Deno.build.os, cores: navigator.hardwareConcurrency, cpu };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
