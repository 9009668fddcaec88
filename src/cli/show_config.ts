// `sluice config`: shows every setting with its value, its source, and the reason if it has no effect.

import { type Loaded, loadProcessConfig } from "../config/load.ts";
import { SETTING_GROUPS } from "../config/schema.ts";
import { fileOf, type SettingReport, settingsReport } from "../config/settings_report.ts";
import type { ConfigArgs } from "./commands/command_arguments.ts";
import { textColumns, wrapped } from "./command_line/help_text.ts";

/** Room for the words beside a name, where the terminal is narrower. */
const FEWEST_BESIDE = 20;
/** Values in a terminal: wide enough for most numbers and words. */
const TERMINAL_VALUE_COLUMNS = 18;

/** Prints the settings. @returns the exit code */
export function config(args: ConfigArgs): number {
  const loaded = loadProcessConfig({ dev: args.dev, overrides: {} });
  const columns = Deno.stdout.isTerminal() ? textColumns() : null;
  console.log(args.json ? JSON.stringify(settingsReport(loaded), null, 2) : configText(loaded, columns));
  return 0;
}

/** The settings for people. @param columns the width at which lines are continued on the next; null: one line each */
export function configText(loaded: Loaded, columns: number | null = null): string {
  const report = settingsReport(loaded);
  const rows = report.settings.map((setting) => ({
    ...{ name: setting.name, group: setting.group, value: setting.shown },
    remark: [origin(setting), setting.note].filter((part) => part !== null).join("; "),
  }));
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const valueWidth = columns === null
    ? Math.min(40, Math.max(...rows.map((row) => row.value.length)))
    : TERMINAL_VALUE_COLUMNS;
  const continued = (lead: string, text: string) => {
    if (columns === null || lead.length + text.length <= columns) return (lead + text).trimEnd();
    const rest = `\n${" ".repeat(lead.length)}`;
    return lead +
      wrapped(text, Math.max(FEWEST_BESIDE, columns - lead.length)).map((line) => line.trimEnd()).join(rest);
  };
  const lines = SETTING_GROUPS.flatMap(({ title }) => [
    title,
    ...rows.filter(({ group }) => group === title).map(
      (row) =>
        continued(`  ${row.name.padEnd(nameWidth)}  `, `${row.value.padEnd(valueWidth)}  ${row.remark}`),
    ),
    "",
  ]);
  const totals = report.totals.map(({ what, total, from }) => continued("  ", `${what}: ${total} (${from})`));
  const ignored = report.ignored.map(({ name, from, reason }) =>
    continued("  ", `${name} (${fileOf(from, loaded) ?? from})${reason === null ? "" : `: ${reason}`}`)
  );
  return [
    ...lines,
    "Totals of this process",
    ...totals,
    ...(ignored.length > 0 ? ["", "Given, but without effect", ...ignored] : []),
  ].join("\n");
}

function origin({ name, source, given_as: given, file, is_automatic: isAutomatic }: SettingReport): string {
  const layer = source === "dev" ? "development default" : file ?? source;
  const alias = source !== "flag" && given.toUpperCase() !== name ? ` as ${given}` : "";
  return `${layer}${alias}${isAutomatic ? " (auto)" : ""}`;
}
