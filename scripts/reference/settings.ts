// Renders the reference of settings: .env.example and the manual's tables.

import { SETTING_GROUPS } from "../../src/config/schema.ts";
import type { Setting } from "../../src/config/settings/setting.ts";

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

/** One heading and one table per group. */
export function settingsPart(): string {
  return SETTING_GROUPS.map(({ title, settings }) =>
    [
      `## ${title}`,
      "",
      "| Setting | Default | Meaning |",
      "|---|---|---|",
      ...settings.map((setting) =>
        `| ${names(setting)} | ${shownDefault(setting)} | ${cell(sentence(setting))} |`
      ),
    ].join("\n")
  ).join("\n\n");
}

function sentence({ doc, kind, state }: Setting): string {
  if (state === "inert") return `No effect: ${doc}.`;
  const unit = {
    s: " Unit: seconds.",
    ms: " Unit: milliseconds.",
    bytes: " Unit: bytes.",
    MiB: " Unit: MiB.",
  };
  return `${doc}${kind.unit === null ? "" : unit[kind.unit]}`;
}

function names({ name, aliases = [] }: Setting): string {
  const also = aliases.map((alias) => `\`${alias}\``).join(", ");
  return `\`${name}\`${also === "" ? "" : ` (also ${also})`}`;
}

function shownDefault(setting: Setting): string {
  if (setting.default === null) return setting.isGenerated ? "random" : "";
  return `\`${setting.default}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "\\<").replaceAll("\n", " ");
}
