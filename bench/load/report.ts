// A load run's figures: as a table to read, and as JSON to compare with later ones.

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

const COLUMNS: readonly (readonly [title: string, cell: (row: Row) => string])[] = [
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
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((line) => line[column].length)));
  const format = (line: readonly string[]) =>
    `| ${
      line.map((cell, column) => column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))
        .join(" | ")
    } |`;
  const rule = `|${
    widths.map((width, column) => "-".repeat(width + 1) + (column === 0 ? "-" : ":")).join("|")
  }|`;
  const [head, ...lines] = cells.map(format);
  return [head, rule, ...lines].join("\n");
}

/** A line that says what the figures were taken with. */
export function headline(
  { commit, denoVersion, cpuModel, cores, workers, secondsPerRow, client }: Circumstances,
): string {
  return `commit ${commit ?? "unknown"}, Deno ${denoVersion}, ${cores} x ${cpuModel}, ${workers} workers; ` +
    `client ${client} (closed loop, every reply checked), ${secondsPerRow} s per row`;
}
