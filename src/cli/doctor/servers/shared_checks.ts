// What is judged alike of every server that replicas share.
import type { Reach } from "../address_reach.ts";
import type { Finding, Severity } from "../finding.ts";

/** Replicas and databases compare times. Tokens and records of replicas bear less than this. */
const CLOCK_TOLERANCE_MS = 5_000;

/** @param server for example "PostgreSQL at db:5432/mcp" */
export function checkClock(server: string, kind: "postgres" | "redis", aheadMs: number): Finding[] {
  if (Math.abs(aheadMs) < CLOCK_TOLERANCE_MS) return [];
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  return [{
    id: `${kind}.clock`,
    severity: "warning",
    found: `The clock of ${server} is ${seconds} s ${aheadMs > 0 ? "ahead of" : "behind"} this machine's.`,
    why: "Tokens and records of replicas are valid for a time: they end early, or late.",
    fix: "timedatectl set-ntp true",
    remark: "on both machines",
    page: "replicas#when-something-fails",
  }];
}

/** How bad is an unencrypted connection to a server there? null: the connection stays on this machine. */
export function severityOfPlain(reach: Reach): Severity | null {
  return reach === "machine" ? null : reach === "world" ? "warning" : "note";
}
