// The report of `sluice import contextforge`, laid out for a terminal. Texts come from the database of another program, so that what could
// control the terminal is escaped.
import type { Outcome, PlanLine } from "../../admin/transfer/planning.ts";
import { printable } from "../../telemetry/log.ts";
import { textColumns, wrapped } from "../command_line/help_text.ts";

export interface MovingReportOptions {
  /** The database, without its password. */
  readonly source: string;
  readonly isDryRun: boolean;
  /** The command line that imports, in a dry run. */
  readonly apply: string;
  /** The shell command of this program. */
  readonly program: string;
  /** Headers that ContextForge passes to all upstreams. */
  readonly passedEverywhere: readonly string[];
}

/** Names of one group. */
const MAX_NAMES = 5;
/** Groups of one heading; --json has all. */
const MAX_GROUPS = 40;

const NOUNS: Readonly<Record<PlanLine["kind"], string>> = {
  gateway: "gateways",
  tool: "tools",
  resource: "resources",
  prompt: "prompts",
  server: "virtual servers",
  user: "users",
  team: "teams",
  member: "team members",
  role: "custom roles",
  assignment: "roles of users",
  token: "API tokens",
  revocation: "revoked tokens",
  other: "other",
};

const OUTCOMES: readonly Outcome[] = ["taken", "changed", "unchanged", "skipped", "left_out"];

export function movingReport(lines: readonly PlanLine[], options: MovingReportOptions): string {
  const { source, isDryRun, apply, program } = options;
  const done = lines.filter(({ outcome }) => outcome === "taken" || outcome === "changed").length;
  const heading = isDryRun
    ? `Dry run of the import from ${printable(source)}. Nothing was changed.`
    : done === 0
    ? `Nothing had to be changed: everything of ${printable(source)} that can be taken is here.`
    : `Imported from ${printable(source)}.`;
  const notes = lines.flatMap((line) =>
    line.outcome === "taken" || line.outcome === "changed"
      ? line.notes.map((note) => ({ line, text: note }))
      : []
  );
  const reasons = (outcome: Outcome) =>
    lines.filter((line) => line.outcome === outcome).map((line) => ({ line, text: line.reason ?? "" }));
  const next = isDryRun
    ? done === 0 ? [] : ["", "Import:", `  ${apply}`]
    : done === 0
    ? []
    : ["", `Start the gateway, or let it run: ${program} serve`];
  return [
    ...wrapped(heading, textColumns()),
    "",
    ...table(lines, isDryRun),
    ...section("Otherwise here than in ContextForge:", notes),
    ...section("Skipped, because something else has the place:", reasons("skipped")),
    ...section("Left out:", reasons("left_out")),
    ...passed(options.passedEverywhere),
    ...next,
  ].join("\n");
}

function table(lines: readonly PlanLine[], isDryRun: boolean): string[] {
  const planned = isDryRun ? ["to take", "to change"] : ["taken", "changed"];
  const words = [...planned, "unchanged", "skipped", "left out"];
  const rows = (Object.keys(NOUNS) as PlanLine["kind"][]).flatMap((kind) => {
    const own = lines.filter((line) => line.kind === kind);
    if (own.length === 0) return [];
    const counts = OUTCOMES.map((outcome) => own.filter((line) => line.outcome === outcome).length);
    return [
      `  ${NOUNS[kind].padEnd(16)}${
        counts.map((count, i) => String(count).padStart(words[i]!.length + 2)).join("")
      }`,
    ];
  });
  return [`  ${"".padEnd(16)}${words.map((word) => `  ${word}`).join("")}`, ...rows];
}

interface Told {
  readonly line: PlanLine;
  readonly text: string;
}

/** One paragraph for all items of a kind with the same text. */
function section(heading: string, told: readonly Told[]): string[] {
  if (told.length === 0) return [];
  const groups = [...Map.groupBy(told, ({ line, text }) => `${line.kind} ${text}`).values()];
  const shown = groups.slice(0, MAX_GROUPS).flatMap((group) => {
    const [{ line: { kind }, text }] = group as [Told, ...Told[]];
    const names = group.slice(0, MAX_NAMES).map(({ line }) => printable(line.label)).join(", ");
    const more = group.length > MAX_NAMES ? `, and ${group.length - MAX_NAMES} more` : "";
    const noun = kind === "other"
      ? ""
      : `${group.length === 1 ? NOUNS[kind].replace(/s( of |$)/, "$1") : NOUNS[kind]} `;
    return [
      ...wrapped(`${noun}${names}${more}`, textColumns() - 2).map((line) => `  ${line}`),
      ...wrapped(printable(text), textColumns() - 6).map((line) => `      ${line}`),
    ];
  });
  const rest = groups.length - MAX_GROUPS;
  return ["", heading, ...shown, ...rest > 0 ? [`  … and ${rest} more groups; --json has them all`] : []];
}

function passed(headers: readonly string[]): string[] {
  if (headers.length === 0) return [];
  const list = printable(headers.join(","));
  return [
    "",
    ...wrapped(
      `ContextForge passes the headers ${list} to upstreams that name none. The imported ones name them now. For ` +
        "upstreams that are registered later, set:",
      textColumns(),
    ),
    `  ENABLE_HEADER_PASSTHROUGH=true`,
    `  DEFAULT_PASSTHROUGH_HEADERS=${list}`,
  ];
}
