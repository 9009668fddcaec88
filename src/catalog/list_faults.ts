// Logs what was wrong with an upstream's lists.
import type { ListWarning, SkippedEntry } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";

export interface ListFaults {
  readonly skipped: readonly SkippedEntry[];
  readonly warnings: readonly ListWarning[];
}

/** Limit of log entries of each kind per refresh. */
const MAX_LOGGED = 20;

export function logListFaults(log: Pick<Log, "warning">, upstream: string, faults: ListFaults): void {
  const { skipped, warnings } = faults;
  logEach(log, "upstream entry skipped", upstream, skipped);
  logEach(log, "upstream list failed", upstream, warnings.filter(({ name }) => name === null));
  logEach(log, "upstream list undeclared", upstream, warnings.filter(({ name }) => name === ""));
  logEach(log, "upstream entry repaired", upstream, warnings.filter(({ name }) => Boolean(name)));
}

function logEach(
  log: Pick<Log, "warning">,
  event: string,
  upstream: string,
  all: readonly (ListWarning | SkippedEntry)[],
): void {
  for (const fields of all.slice(0, MAX_LOGGED)) log.warning(event, { upstream, ...fields });
  if (all.length > MAX_LOGGED) log.warning(event, { upstream, more: all.length - MAX_LOGGED });
}
