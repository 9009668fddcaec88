// The report of a load as a value: what `--json` writes and `bench compare` reads.
import { SluiceError } from "../../../base/errors.ts";
import { readFault } from "../../../base/file_error.ts";
import { isObject } from "../../../mcp/json_rpc.ts";
import { Latencies, type LatencySummary } from "../latencies.ts";
import { type Failure, type MethodReport, OPENING, type Point } from "../measurement.ts";
import type { MetricSource, Verdict } from "./assertions.ts";

/** Changes with what a reader of a report has to know. */
export const FORMAT = 1;

export interface BenchReport {
  readonly format: typeof FORMAT;
  readonly program: string;
  readonly machine: { readonly os: string; readonly cores: number; readonly cpu: string };
  /** ISO 8601. */
  readonly startedAt: string;
  /** Without query: it may hold a secret. */
  readonly url: string;
  /** The load, in a reader's words. */
  readonly load: {
    readonly pace: string;
    readonly users: number;
    readonly protocol: string;
    readonly sessions: string;
    readonly methods: string;
    readonly tool: string | null;
    readonly payload: string | null;
    readonly streams: number;
    readonly churn: number;
    readonly warmup: string;
    readonly timeout: string;
  };
  /** How long it lasted. */
  readonly seconds: number;
  readonly isInterrupted: boolean;
  readonly requests: number;
  readonly errors: number;
  /** Requests that arrived, and that no user was free to send. */
  readonly unsent: number;
  /** Right answers a second. */
  readonly rate: number;
  /** Of all methods, ms. */
  readonly latency: LatencySummary;
  readonly methods: Readonly<Record<string, MethodReport>>;
  readonly failures: readonly Failure[];
  readonly points: readonly Point[];
  /** Events that came over the event streams. */
  readonly events: number;
  /** This program's own part. */
  readonly generator: {
    /** CPU time of the load, cores. */
    readonly cores: number;
    /** The latest that a request was sent although a user was free, ms. */
    readonly lagMs: number;
  };
  readonly assertions: readonly Verdict[];
}

export function metricsOf(report: Omit<BenchReport, "assertions">): MetricSource {
  return {
    metric(name, method) {
      const of = method === null ? report : report.methods[method];
      if (of === undefined) return null;
      const key = name as keyof typeof of & keyof LatencySummary;
      if (name === "requests" || name === "errors") return of[name];
      if (name === "rate") {
        if (method === null) return report.rate;
        const { requests, errors } = report.methods[method]!;
        return (requests - errors) / Math.max(0.001, report.seconds);
      }
      if (name === "unsent") return method === null ? report.unsent : null;
      if (!name.startsWith("p")) return of.latency[key];
      return latenciesOf(report, method).percentile(Number(name.slice(1)));
    },
  };
}

/** @param method null: all together */
export function latenciesOf({ methods }: Pick<BenchReport, "methods">, method: string | null): Latencies {
  const all = new Latencies();
  for (const [name, { histogram }] of Object.entries(methods)) {
    if (method === null ? name !== OPENING : name === method) all.add(Latencies.decode(histogram));
  }
  return all;
}

/** @throws {SluiceError} CONFIG_FILE_UNUSABLE */
export function readReport(file: string): BenchReport {
  const unusable = (reason: string, cause?: unknown) =>
    new SluiceError("CONFIG_FILE_UNUSABLE", { file, reason }, { cause });
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (cause) {
    throw unusable(readFault(cause), cause);
  }
  try {
    const report: unknown = JSON.parse(text);
    if (isObject(report) && report.format === FORMAT && isObject(report.methods)) {
      latenciesOf(report as unknown as BenchReport, null);
      return report as unknown as BenchReport;
    }
  } catch {
    // The reason below says what it should be.
  }
  throw unusable("it is no JSON report of `sluice bench`. Make one with --json");
}
