// The effective settings as people and programs are shown them: values with secrets masked, where each comes from, and what a change
// of it takes.
import type { Layer, Loaded } from "./load.ts";
import { masked } from "./mask.ts";
import { type Config, configKey, SETTING_GROUPS, type SettingName, SETTINGS } from "./schema.ts";
import type { Setting } from "./settings/setting.ts";

/** One setting. The names are those of `sluice config --json`. */
export interface SettingReport {
  readonly name: string;
  readonly group: string;
  /** In Config; null: the setting has no effect. */
  readonly key: string | null;
  /** As in Config (durations in ms); a secret is masked. */
  readonly value: unknown;
  /** The value for people, with its unit. */
  readonly shown: string;
  /** The default as text; null: none. */
  readonly default: string | null;
  readonly source: Layer;
  /** The name that was used: the canonical one, an alias, or a flag. */
  readonly given_as: string;
  readonly file: string | null;
  /** The value is `auto`: the gateway chooses. */
  readonly is_automatic: boolean;
  readonly state: Setting["state"];
  /** Why it has no effect; null: it has one. */
  readonly note: string | null;
  readonly scope: Setting["scope"];
  /** Does a reload (SIGHUP) take a change? Otherwise it needs a restart. */
  readonly reloadable: boolean;
  readonly doc: string;
}

export interface SettingsReport {
  readonly settings: readonly SettingReport[];
  /** Limits of each worker, multiplied by their number. */
  readonly totals: readonly SettingTotal[];
  readonly ignored: Loaded["ignored"];
  readonly warnings: Loaded["warnings"];
}

/** The settings of a running gateway. */
export interface RunningSettings extends SettingsReport {
  /** Settings that have another value where they are given than in the process: a reload does not take it. */
  readonly needs_restart: readonly string[];
}

export interface SettingTotal {
  readonly what: string;
  readonly total: number | "auto";
  readonly from: string;
}

export function settingsReport(loaded: Loaded): SettingsReport {
  return {
    settings: SETTING_GROUPS.flatMap(({ title, settings }) =>
      settings.map((setting) => reportOf(setting, title, loaded))
    ),
    totals: totalsOf(loaded.config),
    ignored: loaded.ignored,
    warnings: loaded.warnings,
  };
}

function reportOf(setting: Setting, group: string, loaded: Loaded): SettingReport {
  const source = loaded.sources[setting.name as SettingName];
  const key = configKey(setting);
  const isPlain = key !== null && setting.secret === undefined;
  return {
    name: setting.name,
    group,
    key,
    value: isPlain ? loaded.config[key] : source.text === null ? null : masked(setting, source.text),
    shown: shownValue(setting, loaded),
    default: setting.default,
    source: source.from,
    given_as: source.name,
    file: fileOf(source.from, loaded),
    is_automatic: setting.auto !== undefined && source.text?.trim().toLowerCase() === "auto",
    state: setting.state,
    note: setting.state === "inert" ? `no effect: ${setting.doc}` : null,
    scope: setting.scope,
    reloadable: setting.reloadable,
    doc: setting.doc,
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
      return plainValue(value);
    default:
      return `${value} ${setting.kind.unit}`;
  }
}

/** Lists of words as in .env; objects and lists of objects as JSON. */
function plainValue(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const parts = Array.isArray(value) ? value : Object.keys(value);
  if (parts.length === 0) return "(none)";
  const isPlain = Array.isArray(value) && value.every((each) => typeof each !== "object");
  return isPlain ? value.join(",") : JSON.stringify(value);
}

/** The .env file that a layer stands for; null: the layer is not a file. */
export function fileOf(layer: Layer, { databaseDotEnv }: Loaded): string | null {
  if (layer === ".env beside the database") return databaseDotEnv;
  return layer === ".env" ? layer : null;
}

/** The per-worker limits, multiplied by the number of workers. */
function totalsOf(config: Config): SettingTotal[] {
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
