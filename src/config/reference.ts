// Renders the reference of settings and errors: .env.example and the README's tables.

import type { ErrorRow } from "../base/error_row.ts";
import { ERRORS } from "../base/errors.ts";
import { SETTING_GROUPS } from "./schema.ts";
import type { Setting } from "./settings/setting.ts";

/** The text of .env.example: every setting but the inert ones, commented out, at its default. */
export function envExample(): string {
  const head = [
    "# Settings of Sluice, at their defaults. Copy to .env and change what you need; the environment wins over .env.",
    "# Written by `deno task reference` from src/config: change it there.",
  ];
  const groups = SETTING_GROUPS.map(({ title, settings }) => ({
    title,
    rows: settings.filter((setting) => setting.state !== "inert"),
  })).filter(({ rows }) => rows.length > 0);
  const lines = groups.flatMap(({ title, rows }) => [
    "",
    `# ---- ${title} ----`,
    ...rows.flatMap((setting) => [
      "",
      `# ${sentence(setting)}`,
      `# ${setting.name}=${setting.default ?? ""}`,
    ]),
  ]);
  return `${[...head, ...lines].join("\n")}\n`;
}

/** The README's table of settings: one heading and one table per group. */
export function settingsTable(): string {
  return SETTING_GROUPS.map(({ title, settings }) =>
    [
      `#### ${title}`,
      "",
      "| Setting | Default | Meaning |",
      "|---|---|---|",
      ...settings.map((setting) =>
        `| ${names(setting)} | ${shownDefault(setting)} | ${cell(sentence(setting))} |`
      ),
    ].join("\n")
  ).join("\n\n");
}

/** The README's table of errors. */
export function errorTable(): string {
  const rows = Object.entries<ErrorRow>(ERRORS).map(([code, row]) =>
    `| \`${code}\` | ${row.source} | ${row.http} | ${row.rpc} | ${row.retry} | ${cell(row.text)} |`
  );
  return [
    "| Error | Source | HTTP | JSON-RPC | Retry | Text |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

function sentence({ doc, kind, state }: Setting): string {
  if (state === "inert") return `No effect: ${doc}.`;
  const unit = {
    s: " Unit: seconds.",
    ms: " Unit: milliseconds.",
    bytes: " Unit: bytes.",
    MiB: " Unit: MiB.",
  };
  const effect = state === "planned" ? " No effect in this version." : "";
  return `${doc}${kind.unit === null ? "" : unit[kind.unit]}${effect}`;
}

function names({ name, aliases = [] }: Setting): string {
  return [`\`${name}\``, ...aliases.map((alias) => `(\`${alias}\`)`)].join("<br>");
}

function shownDefault(setting: Setting): string {
  if (setting.default === null) return setting.isGenerated ? "random" : "";
  return `\`${setting.default}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
}
