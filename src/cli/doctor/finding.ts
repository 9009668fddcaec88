// Room `doctor`: looks at the machine, the settings and what they point at, and says what to mend. Readers gather facts; checks are
// pure functions from facts to findings. This file is a finding.
import type { TopicName } from "../../help/topics.ts";

/** `error`: the gateway does not work, or is open to others. `warning`: it will fail under load or be insecure. `note`: worth knowing. */
export type Severity = "error" | "warning" | "note";

export interface Finding {
  /** A name for programs, such as `machine.open_files`. */
  readonly id: string;
  readonly severity: Severity;
  /** What is there: a sentence without secrets. */
  readonly found: string;
  /** Why it matters: a sentence. */
  readonly why: string;
  /** What mends it: a line of .env, of a server's configuration, or of a shell. */
  readonly fix: string;
  /** Where the line belongs, or what would mend it too. */
  readonly remark?: string;
  /** The page of the manual, with its section: `deploy#systemd`. */
  readonly page: TopicName | `${TopicName}#${string}`;
  /** The name of the upstream that it is about. */
  readonly upstream?: string;
}

/** An upstream as it stands, in the fields of the report for programs. */
export interface UpstreamState {
  readonly name: string;
  readonly transport: string;
  /** Newest first; empty: not known yet. */
  readonly revisions: readonly string[];
  /** null: not known yet. */
  readonly keeps_sessions: boolean | null;
  readonly isolation: string;
  /** null: it was not asked. */
  readonly answers: boolean | null;
  /** The time to its answer; null: there is none. */
  readonly ms: number | null;
}

/** What was looked at, for people, and what was found. */
export interface Examination {
  readonly examined: readonly string[];
  readonly findings: readonly Finding[];
  /** Absent: none were looked at. */
  readonly upstreams?: readonly UpstreamState[];
}

export const SEVERITIES: readonly Severity[] = ["error", "warning", "note"];

/** The exit code of the worst finding: 2 for an error, 1 for a warning, 0 otherwise. */
export function exitCodeOf(findings: readonly Finding[]): number {
  if (findings.some(({ severity }) => severity === "error")) return 2;
  return findings.some(({ severity }) => severity === "warning") ? 1 : 0;
}

/** The worst first; findings of one severity keep their order. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  return SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
}

/** With a capital and a full stop. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;
}

/** "1 worker", "2 workers". */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
