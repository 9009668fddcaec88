// A load run's figures: as a table to read, and as JSON to compare with later ones.
import { type Columns, markdownTable } from "./table.ts";

/** One row: a target at one concurrency. */
export interface Row {
  readonly target: string;
  readonly concurrency: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** CPU of the target's process per request, user and system, µs. */
  readonly cpuMicrosPerRequest: number;
  /** The same as a multiple of the bare echo's at this concurrency. */
  readonly cpuTimesEcho: number;
  /** Resident memory of the target's process at the end of the row. */
  readonly rssBytes: number;
}

/** What a run was made with. */
export interface Circumstances {
  readonly startedAt: string;
  readonly commit: string | null;
  readonly denoVersion: string;
  readonly cpuModel: string;
  readonly cores: number;
  readonly workers: number;
  readonly secondsPerRow: number;
  readonly client: string;
}

const COLUMNS: Columns<Row> = [
  ["target", (row) => row.target],
  ["clients", (row) => String(row.concurrency)],
  ["requests/s", (row) => row.requestsPerSecond.toFixed(0)],
  ["p50 ms", (row) => row.p50Ms.toFixed(3)],
  ["p99 ms", (row) => row.p99Ms.toFixed(3)],
  ["errors", (row) => String(row.errors)],
  ["CPU µs/request", (row) => row.cpuMicrosPerRequest.toFixed(1)],
  ["x echo", (row) => row.cpuTimesEcho.toFixed(1)],
  ["RSS MB", (row) => (row.rssBytes / 1e6).toFixed(0)],
];

/** The table, in Markdown. */
export function table(rows: readonly Row[]): string {
  return markdownTable(COLUMNS, rows);
}

/** A line that says what the figures were taken with. */
export function headline(
  { commit, denoVersion, cpuModel, cores, workers, secondsPerRow, client }: Circumstances,
): string {
  return `commit ${commit ?? "unknown"}, Deno ${denoVersion}, ${cores} x ${cpuModel}, ${workers} workers; ` +
    `client ${client} (closed loop, every reply checked), ${secondsPerRow} s per row`;
}
