// The report of an import, laid out for a terminal.

import type { ImportOutcome, ImportResult } from "../../admin/imports/server_import.ts";
import { adviceFor } from "../../upstream/upstream_advice.ts";
import { textColumns, wrapped } from "../command_line/help_text.ts";

export interface ReportOptions {
  /** As given on the command line. */
  readonly file: string;
  /** The flags that name the gateway, as given. */
  readonly gatewayFlags: readonly string[];
  readonly isDryRun: boolean;
  /** The shell command of this program. */
  readonly program: string;
  readonly hasColour: boolean;
}

const HEADINGS: Readonly<Record<ImportOutcome, { word: string; planned: string; colour: number }>> = {
  taken: { word: "registered", planned: "to register", colour: 32 },
  changed: { word: "changed", planned: "to change", colour: 32 },
  unchanged: { word: "unchanged", planned: "unchanged", colour: 0 },
  left_out: { word: "left out", planned: "left out", colour: 33 },
  failed: { word: "failed", planned: "failed", colour: 31 },
};

/** Does the gateway have what the entry describes? */
export function isWhole({ outcome, reason }: Pick<ImportResult, "outcome" | "reason">): boolean {
  return outcome !== "left_out" && outcome !== "failed" && reason === null;
}

/** A line for each server, its reasons, and what to do next. */
export function importReport(results: readonly ImportResult[], options: ReportOptions): string {
  const { file, isDryRun, hasColour } = options;
  if (results.length === 0) return `${file} names no servers.`;
  const names = Math.max(...results.map(({ name }) => name.length));
  const state = ({ outcome }: ImportResult) => HEADINGS[outcome][isDryRun ? "planned" : "word"];
  const states = Math.max(...results.map((result) => state(result).length));
  const lines = results.flatMap((result) => {
    const word = state(result).padEnd(states);
    const { colour } = HEADINGS[result.outcome];
    const shown = hasColour && colour > 0 ? `\x1b[${colour}m${word}\x1b[0m` : word;
    return [
      `  ${shown}  ${result.name.padEnd(names)}  ${summaryOf(result)}`.trimEnd(),
      ...[...reasons(result), ...result.warnings]
        .flatMap((text) => wrapped(text, textColumns() - states - 4))
        .map((line) => `  ${" ".repeat(states)}  ${line}`),
    ];
  });
  const counts = counted(results, isDryRun);
  const unread = [...new Set(results.flatMap((result) => result.unread))].sort();
  const notes = unread.length === 0
    ? []
    : ["", ...wrapped(`Fields without effect in a gateway: ${unread.join(", ")}.`, textColumns())];
  return [
    ...wrapped(`${isDryRun ? "Dry run, nothing was changed. " : ""}${counts}`, textColumns()),
    "",
    ...lines,
    ...notes,
    ...nextSteps(results, options),
  ].join("\n");
}

function counted(results: readonly ImportResult[], isDryRun: boolean): string {
  const parts = (Object.keys(HEADINGS) as ImportOutcome[]).flatMap((outcome) => {
    const amount = results.filter((result) => result.outcome === outcome).length;
    return amount === 0 ? [] : [`${amount} ${HEADINGS[outcome][isDryRun ? "planned" : "word"]}`];
  });
  return `${results.length} server${results.length === 1 ? "" : "s"}: ${parts.join(", ")}.`;
}

/** Why an entry is not in the gateway as the file has it, and what to do about that. */
function reasons({ reason, outcome }: ImportResult): string[] {
  const advice = outcome === "failed" && reason !== null ? adviceFor(reason) : null;
  return [reason, advice].filter((text) => text !== null);
}

function summaryOf({ toolCount, isDisabled }: ImportResult): string {
  if (isDisabled) return "switched off, as in the file";
  return toolCount === null ? "" : `${toolCount} tool${toolCount === 1 ? "" : "s"}`;
}

function nextSteps(
  results: readonly ImportResult[],
  { file, gatewayFlags, program, isDryRun }: ReportOptions,
): string[] {
  const missing = [...new Set(results.flatMap((result) => result.missing))];
  const steps: string[] = [];
  const command = (...words: readonly string[]) =>
    [program, ...[...words, ...gatewayFlags].map(word)].join(" ");
  const again = command("import", file);
  if (missing.length > 0) {
    const inputs = missing.map((name) => `--input ${word(name)}=VALUE`).join(" ");
    steps.push("Give the missing values:", `  ${again} ${inputs}`);
  }
  if (results.some(({ reason }) => reason?.includes("STDIO_ENABLED") === true)) {
    steps.push(
      ...wrapped(
        "Start the gateway with STDIO_ENABLED=true, so that administrators may register commands; or " +
          "allow the commands of this file alone:",
        textColumns(),
      ),
      `  ${program} serve --mcp-config ${word(file)}`,
    );
  }
  if (results.some(({ outcome }) => outcome === "failed")) {
    steps.push(...wrapped("Mend the cause of what failed, then import the file again.", textColumns()));
  }
  const isPlanned = results.some(({ outcome }) => outcome === "taken" || outcome === "changed");
  if (isDryRun && isPlanned) steps.push("Register them:", `  ${again}`);
  else if (!isDryRun && steps.length === 0) steps.push(`Connect a client: ${command("connect")}`);
  return steps.length === 0 ? [] : ["", ...steps];
}

/** For a shell. */
function word(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
