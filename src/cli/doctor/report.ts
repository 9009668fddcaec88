// The report of `sluice doctor`, for people and for programs.
import { textColumns, wrapped } from "../command_line/help_text.ts";
import {
  counted,
  type Examination,
  exitCodeOf,
  type Finding,
  SEVERITIES,
  type Severity,
  type UpstreamState,
} from "./finding.ts";

const INDENT = " ".repeat(9);

/** For people: each finding with its reason, its remedy and its page, then a line about all. */
export function reportText({ examined, findings, upstreams = [] }: Examination): string {
  const last = `${verdict(findings)} Examined: ${examined.join(", ")}.`;
  const described = upstreams.slice(0, MAX_DESCRIBED).map((upstream) =>
    wrapped(describe(upstream), textColumns()).join("\n")
  );
  return [
    ...findings.map(findingText),
    ...(described.length === 0 ? [] : [described.join("\n")]),
    wrapped(last, textColumns()).join("\n"),
  ].join("\n\n");
}

/** So many upstreams have a line for people; the report for programs has all. */
const MAX_DESCRIBED = 20;

function describe({ name, revisions, keeps_sessions, ms }: UpstreamState): string {
  const facts = [
    revisions.length === 0 ? "was never listed" : `speaks MCP ${revisions.join(" and ")}`,
    ...(keeps_sessions === null ? [] : [keeps_sessions ? "keeps sessions" : "keeps no sessions"]),
    ...(ms === null ? [] : [`answers in ${ms} ms`]),
  ];
  return `Upstream ${name} ${facts.join(", ")}.`;
}

export function reportJson({ examined, findings, upstreams = [] }: Examination): unknown {
  return {
    status: ["well", "warnings", "errors"][exitCodeOf(findings)],
    counts: Object.fromEntries(SEVERITIES.map((severity) => [severity, countOf(findings, severity)])),
    examined,
    upstreams,
    findings,
  };
}

function findingText({ severity, found, why, fix, remark, page }: Finding): string {
  const [first, ...rest] = wrapped(found, textColumns() - INDENT.length);
  return [
    `${severity.toUpperCase().padEnd(INDENT.length)}${first}`,
    ...[...rest, ...wrapped(why, textColumns() - INDENT.length)].map((line) => INDENT + line),
    // Not wrapped: it is there to be copied.
    `${INDENT}-> ${fix}`,
    ...(remark === undefined ? [] : wrapped(`(${remark})`, textColumns() - INDENT.length - 3))
      .map((line) => `${INDENT}   ${line}`),
    `${INDENT}   sluice help ${page}`,
  ].join("\n");
}

function verdict(findings: readonly Finding[]): string {
  const counts = SEVERITIES.map((severity) => [severity, countOf(findings, severity)] as const)
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => counted(count, severity));
  if (exitCodeOf(findings) > 0) return `${counts.join(", ")}.`;
  return counts.length === 0 ? "All is well." : `All is well, with ${counts.join(", ")}.`;
}

function countOf(findings: readonly Finding[], severity: Severity): number {
  return findings.filter((finding) => finding.severity === severity).length;
}
