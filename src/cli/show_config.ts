// `sluice config`: shows every setting with its value, its source, and the reason if it has no effect.

import { type Layer, type Loaded, loadProcessConfig } from "../config/load.ts";
import { masked } from "../config/mask.ts";
import { type Config, configKey, SETTING_GROUPS, type SettingName, SETTINGS } from "../config/schema.ts";
import type { Setting } from "../config/settings/setting.ts";
import type { ConfigArgs } from "./commands/command_arguments.ts";
import { wrapped } from "./command_line/help_text.ts";

/** A terminal that is narrower breaks the lines. */
const TERMINAL_COLUMNS = 80;
/** Values in a terminal: wide enough for most numbers and words. */
const TERMINAL_VALUE_COLUMNS = 18;

/** Prints the settings. @returns the exit code */
export function config(args: ConfigArgs): number {
  const loaded = loadProcessConfig({ dev: args.dev, overrides: {} });
  const columns = Deno.stdout.isTerminal() ? TERMINAL_COLUMNS : null;
  console.log(args.json ? JSON.stringify(configJson(loaded), null, 2) : configText(loaded, columns));
  return 0;
}

/** The settings for people. @param columns the width at which lines are continued on the next; null: one line each */
export function configText(loaded: Loaded, columns: number | null = null): string {
  const rows = SETTINGS.map((setting) => ({
    name: setting.name,
    value: shownValue(setting, loaded),
    remark: [origin(setting, loaded), effect(setting)].filter((part) => part !== null).join("; "),
  }));
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const valueWidth = columns === null
    ? Math.min(40, Math.max(...rows.map((row) => row.value.length)))
    : TERMINAL_VALUE_COLUMNS;
  const continued = (lead: string, text: string) => {
    if (columns === null || lead.length + text.length <= columns) return (lead + text).trimEnd();
    const rest = `\n${" ".repeat(lead.length)}`;
    return lead + wrapped(text, columns - lead.length).map((line) => line.trimEnd()).join(rest);
  };
  const lines = SETTING_GROUPS.flatMap(({ title, settings }) => [
    title,
    ...rows.filter((row) => settings.some(({ name }) => name === row.name)).map(
      (row) =>
        continued(`  ${row.name.padEnd(nameWidth)}  `, `${row.value.padEnd(valueWidth)}  ${row.remark}`),
    ),
    "",
  ]);
  const totals = totalsOf(loaded.config).map(({ what, total, from }) =>
    continued("  ", `${what}: ${total} (${from})`)
  );
  const ignored = loaded.ignored.map(({ name, from, reason }) =>
    continued("  ", `${name} (${fileOf(from, loaded) ?? from})${reason === null ? "" : `: ${reason}`}`)
  );
  return [
    ...lines,
    "Totals of this process",
    ...totals,
    ...(ignored.length > 0 ? ["", "Given, but without effect", ...ignored] : []),
  ].join("\n");
}

/** The settings for programs: values as in Config (durations in ms), secrets masked. */
export function configJson(loaded: Loaded): unknown {
  return {
    settings: SETTING_GROUPS.flatMap(({ title, settings }) =>
      settings.map((setting) => {
        const source = loaded.sources[setting.name as SettingName];
        const key = configKey(setting);
        const isPlain = key !== null && setting.secret === undefined;
        return {
          name: setting.name,
          group: title,
          key,
          value: isPlain ? loaded.config[key] : source.text === null ? null : masked(setting, source.text),
          source: source.from,
          given_as: source.name,
          file: fileOf(source.from, loaded),
          state: setting.state,
          note: effect(setting),
          scope: setting.scope,
          reloadable: setting.reloadable,
          doc: setting.doc,
        };
      })
    ),
    totals: totalsOf(loaded.config),
    ignored: loaded.ignored,
    warnings: loaded.warnings,
  };
}

function shownValue(setting: Setting, loaded: Loaded): string {
  const { text } = loaded.sources[setting.name as SettingName];
  const key = configKey(setting);
  if (text === null && setting.isGenerated) return "(random, kept beside the database)";
  if (key === null || text === null || setting.secret !== undefined) return masked(setting, text);
  const value: unknown = loaded.config[key];
  switch (setting.kind.unit) {
    case "s":
      return `${Number(value) / 1000} s`;
    case null:
      return Array.isArray(value) ? value.join(",") || "(none)" : String(value);
    default:
      return `${value} ${setting.kind.unit}`;
  }
}

/** The .env file that a layer stands for; null: the layer is not a file. */
function fileOf(layer: Layer, { databaseDotEnv }: Loaded): string | null {
  if (layer === ".env beside the database") return databaseDotEnv;
  return layer === ".env" ? layer : null;
}

function origin(setting: Setting, loaded: Loaded): string {
  const { from, name, text } = loaded.sources[setting.name as SettingName];
  const layer = from === "dev" ? "development default" : fileOf(from, loaded) ?? from;
  const alias = from !== "flag" && name.toUpperCase() !== setting.name ? ` as ${name}` : "";
  return `${layer}${alias}${text?.trim().toLowerCase() === "auto" && setting.auto ? " (auto)" : ""}`;
}

/** Why the setting has no effect; null if it has one. */
function effect(setting: Setting): string | null {
  return setting.state === "inert" ? `no effect: ${setting.doc}` : null;
}

/** The per-worker limits, multiplied by the number of workers. */
function totalsOf(config: Config): Array<{ what: string; total: number | "auto"; from: string }> {
  const { workers } = config;
  const perWorker = (what: string, name: SettingName, limit: number | "auto") => ({
    what: `${what}${
      SETTINGS.some((row) => row.name === name && row.state !== "active") ? ", not in effect yet" : ""
    }`,
    total: limit === "auto" ? limit : workers * limit,
    from: `WORKERS ${workers} x ${name} ${limit}`,
  });
  return [
    perWorker("requests at once", "BACKPRESSURE", config.backpressure),
    perWorker("event streams at once", "MAX_STREAMS", config.maxStreams),
    perWorker("outbound connections", "HTTP_CLIENT_MAX_CONNECTIONS", config.httpClientMaxConnections),
    ...waitingOf(config),
    perWorker("pooled sessions per key", "MCP_SESSION_POOL_MAX_PER_KEY", config.mcpSessionPoolMaxPerKey),
    perWorker("database connections kept", "DB_POOL_SIZE", config.dbPoolSize),
    {
      what: "Redis connections",
      total: config.cacheType === "redis" ? workers + 1 : 0,
      from: config.cacheType === "redis"
        ? `WORKERS ${workers} x 1, of the ${config.redisMaxConnections} that REDIS_MAX_CONNECTIONS allows, and 1 that listens`
        : `CACHE_TYPE ${config.cacheType}`,
    },
  ];
}

/** Calls that BACKPRESSURE admits beyond the outbound connections wait; above BACKPRESSURE they are refused at once. */
function waitingOf({ workers, backpressure, httpClientMaxConnections, httpClientPoolTimeoutMs }: Config) {
  if (backpressure === "auto" || backpressure <= httpClientMaxConnections) return [];
  return [{
    what: `calls that may wait for an outbound connection, ${httpClientPoolTimeoutMs / 1000} s at most`,
    total: workers * (backpressure - httpClientMaxConnections),
    from:
      `WORKERS ${workers} x (BACKPRESSURE ${backpressure} - HTTP_CLIENT_MAX_CONNECTIONS ${httpClientMaxConnections})`,
  }];
}
