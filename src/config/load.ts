// Room `config`: the settings of a process, from defaults, .env files, the environment and flags. Commands use
// `loadProcessConfig`; every other room is given a `Config`. No other file reads the environment.

import { dirname, join, resolve } from "node:path";
import { parse } from "@std/dotenv";
import { CREDENTIAL_HEADERS } from "../base/credential_headers.ts";
import { SluiceError } from "../base/errors.ts";
import { readFault } from "../base/file_error.ts";
import { masked } from "./mask.ts";
import { type Config, configKey, type SettingName, SETTINGS } from "./schema.ts";
import { isGuessable, MAKE_SECRET, SECRET } from "./settings/secret_quality.ts";
import type { Setting } from "./settings/setting.ts";
import { KEY_PAIR_ALGORITHMS } from "./settings/token_keys.ts";
import { traceOptionsOf } from "./trace_options.ts";
import { sqliteFile } from "./sqlite_file.ts";
import { mailRulesOf } from "./mail.ts";
import { ssoProvidersOf } from "./sso_providers.ts";
import {
  byImportance,
  type IgnoredName,
  judgeUnknown,
  listed,
  type NamedLayer,
  warningsAbout,
} from "./unknown_names.ts";

/** Where a value can come from; a later layer wins. */
export type Layer = "default" | "dev" | NamedLayer | "flag";

/** Where a value came from. */
export interface Source {
  readonly from: Layer;
  /** The name that was used: the canonical one, an alias, or a flag. */
  readonly name: string;
  /** The value as it was written; null if the setting is not set. */
  readonly text: string | null;
}

export interface Loaded {
  readonly config: Config;
  readonly sources: Readonly<Record<SettingName, Source>>;
  /** The path of the .env beside the database; null: there is none, or it is ./.env. */
  readonly databaseDotEnv: string | null;
  /** Names that look like settings and are not settings of this gateway; the protections that it lacks come first. */
  readonly ignored: readonly IgnoredName[];
  /** Sentences for the operator: which settings were given without effect, the protections first. */
  readonly warnings: readonly string[];
}

export interface LoadInput {
  readonly environment: Readonly<Record<string, string>>;
  /** The text of ./.env; null if there is no such file. */
  readonly dotEnv: string | null;
  /** Reads the .env in the folder of the database that DATABASE_URL names; null: there is none, or it is ./.env. */
  readonly readDatabaseDotEnv?: (databaseUrl: string) => DotEnvFile | null;
  /** Use the development defaults. */
  readonly dev: boolean;
  /** Values of command-line flags, by canonical name. */
  readonly overrides: Readonly<Partial<Record<SettingName, string>>>;
  readonly cores: number;
}

export interface DotEnvFile {
  readonly path: string;
  readonly text: string;
}

const BY_NAME: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.flatMap((row) => [row.name, ...(row.aliases ?? [])].map((name) => [name, row] as const)),
);

/** The values of one layer: for each setting the names and texts, the canonical name first. */
type Given = Map<Setting, Array<{ name: string; text: string }>>;

/**
 * The effective settings of this process: .env beside the database, ./.env, the environment and `overrides`.
 * @throws {SluiceError} SETTINGS_INVALID with every mistake, one a line (also in `data`)
 */
export function loadProcessConfig(options: Pick<LoadInput, "dev" | "overrides">): Loaded {
  return loadConfig({
    ...options,
    environment: Deno.env.toObject(),
    dotEnv: readDotEnv(".env"),
    readDatabaseDotEnv,
    cores: navigator.hardwareConcurrency,
  });
}

/** @throws {SluiceError} SETTINGS_INVALID with every mistake, one a line (also in `data`) */
export function loadConfig(input: LoadInput): Loaded {
  const mistakes: string[] = [];
  const ignored: IgnoredName[] = [];
  const layers: Array<readonly [Layer, Given]> = [
    ["flag", flagLayer(input)],
    ["environment", namedLayer("environment", input.environment, mistakes, ignored)],
    [".env", namedLayer(".env", input.dotEnv === null ? {} : parse(input.dotEnv), mistakes, ignored)],
  ];
  const databaseUrl = sourceOf(BY_NAME.get("DATABASE_URL")!, layers, input).text!;
  const databaseDotEnv = input.readDatabaseDotEnv?.(databaseUrl) ?? null;
  if (databaseDotEnv !== null) {
    const layer = ".env beside the database";
    layers.push([layer, namedLayer(layer, parse(databaseDotEnv.text), mistakes, ignored)]);
  }
  const config: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const setting of SETTINGS) {
    for (const [layer, given] of layers) findContradiction(setting, layer, given, input.cores, mistakes);
    const source = sourceOf(setting, layers, input);
    sources[setting.name] = source;
    const value = source.text === null ? { value: null } : read(setting, source.text, input.cores);
    const isFollowed = source.name === (setting as Setting).follows; // its mistakes are reported where it is read
    if ("mistake" in value && !isFollowed) mistakes.push(`${describe(setting, source)} ${value.mistake}`);
    const key = configKey(setting);
    if (key !== null && "value" in value) config[key] = value.value;
  }
  mistakes.push(...ownIssuerTwice(config));
  if (typeof config.auditWebhookUrl === "string" && config.auditWebhookSecret === null) {
    mistakes.push(
      "AUDIT_WEBHOOK_URL needs AUDIT_WEBHOOK_SECRET, which signs what is posted (openssl rand -base64 32)",
    );
  }
  const guessable = guessableSecrets(config, sources);
  if (mistakes.length === 0) mistakes.push(...traceOptionsOf(config as unknown as Config)?.mistakes ?? []);
  if (isClustered(config)) mistakes.push(...guessable);
  // The list is made of settings that are valid each for itself.
  const signOn = mistakes.length > 0 ? null : ssoProvidersOf(config as unknown as Config);
  mistakes.push(...signOn?.mistakes ?? []);
  const mail = mistakes.length > 0 ? null : mailRulesOf(config as unknown as Config);
  mistakes.push(...mail?.mistakes ?? []);
  if (mistakes.length > 0) {
    throw new SluiceError("SETTINGS_INVALID", { mistakes: mistakes.join("\n") }, { data: mistakes });
  }
  return {
    // The loop above has set every key of Config, which the type checker cannot see.
    config: config as unknown as Config,
    sources: sources as Record<SettingName, Source>,
    databaseDotEnv: databaseDotEnv?.path ?? null,
    ignored: byImportance(ignored),
    warnings: [
      ...guessable,
      ...withheldHeaders(config as unknown as Config),
      ...unusedKeyFiles(config as unknown as Config),
      ...signOn!.warnings,
      ...mail!.warnings,
      ...warningsOf(sources, byImportance(ignored)),
    ],
  };
}

function flagLayer(input: LoadInput): Given {
  const given: Given = new Map();
  for (const [name, text] of Object.entries(input.overrides)) {
    const flag = `--${name.toLowerCase().replaceAll("_", "-")}`;
    if (text !== undefined) given.set(BY_NAME.get(name)!, [{ name: flag, text }]);
  }
  return given;
}

function namedLayer(
  layer: NamedLayer,
  values: Readonly<Record<string, string>>,
  mistakes: string[],
  ignored: IgnoredName[],
): Given {
  const given: Given = new Map();
  for (const [name, text] of Object.entries(values)) {
    const upper = name.toUpperCase();
    const setting = BY_NAME.get(upper);
    if (setting !== undefined) {
      // Compose files write `NAME=` for a variable that is not set.
      if (text.trim() === "") continue;
      const entry = { name, text };
      const others = given.get(setting) ?? [];
      given.set(setting, upper === setting.name ? [entry, ...others] : [...others, entry]);
      continue;
    }
    const verdict = judgeUnknown({ name, text, from: layer }, BY_NAME.keys());
    if (verdict === null) continue;
    if ("mistake" in verdict) mistakes.push(verdict.mistake);
    else ignored.push(verdict);
  }
  return given;
}

/** Two names of one setting must have the same value if one layer has both. */
function findContradiction(
  setting: Setting,
  layer: Layer,
  given: Given,
  cores: number,
  mistakes: string[],
): void {
  const [first, ...others] = given.get(setting) ?? [];
  for (const other of others) {
    const [a, b] = [first, other].map(({ text }) => JSON.stringify(read(setting, text, cores)));
    if (a === b) continue;
    const [one, two] = [first, other].map(({ name, text }) => `${name}=${masked(setting, text, false)}`);
    mistakes.push(`${one} and ${two} (${layer}): both set ${setting.name}, to different values`);
  }
}

function sourceOf(
  setting: Setting,
  layers: ReadonlyArray<readonly [Layer, Given]>,
  input: LoadInput,
): Source {
  for (const [from, given] of layers) {
    const entry = given.get(setting)?.[0];
    if (entry !== undefined) return { from, ...entry };
  }
  const followed = setting.follows === undefined
    ? null
    : sourceOf(BY_NAME.get(setting.follows)!, layers, input);
  if (followed !== null && followed.from !== "default") return { ...followed, name: setting.follows! };
  const { devDefault } = setting;
  if (input.dev && devDefault !== undefined) {
    const text = typeof devDefault === "string" ? devDefault : devDefault(input.cores);
    return { from: "dev", name: setting.name, text };
  }
  return { from: "default", name: setting.name, text: setting.default };
}

function read(setting: Setting, text: string, cores: number): { value: unknown } | { mistake: string } {
  const isAuto = setting.auto !== undefined && text.trim().toLowerCase() === "auto";
  const result = setting.kind.schema.safeParse(isAuto ? String(setting.auto!(cores)) : text);
  return result.success ? { value: result.data } : { mistake: result.error.issues[0].message };
}

function describe(setting: Setting, source: Source): string {
  const alias = source.name.toUpperCase() === setting.name || source.from === "flag"
    ? ""
    : `, alias of ${setting.name}`;
  return `${source.name}=${masked(setting, source.text, false)} (${source.from}${alias}):`;
}

/** A sentence for each secret that can be guessed. */
function guessableSecrets(
  config: Readonly<Record<string, unknown>>,
  sources: Readonly<Record<string, Source>>,
): string[] {
  return SETTINGS.filter((row: Setting) => row.kind === SECRET).flatMap((row) => {
    const secret = config[configKey(row)!];
    if (typeof secret !== "string" || !isGuessable(secret)) return [];
    return `${describe(row, sources[row.name])} can be guessed, because it consists of words, sequences or ` +
      `repetitions; ${MAKE_SECRET}`;
  });
}

/** A sentence about headers of DEFAULT_PASSTHROUGH_HEADERS that are not passed, because another setting is missing. */
function withheldHeaders(
  { enableHeaderPassthrough, enableSensitiveHeaderPassthrough, defaultPassthroughHeaders }: Config,
): string[] {
  const say = (names: readonly string[], setting: string) =>
    names.length === 0 ? [] : [
      `DEFAULT_PASSTHROUGH_HEADERS: ${listed(names)} not passed to upstreams, because ${setting} is false`,
    ];
  if (!enableHeaderPassthrough) return say(defaultPassthroughHeaders, "ENABLE_HEADER_PASSTHROUGH");
  if (enableSensitiveHeaderPassthrough) return [];
  const credentials = defaultPassthroughHeaders.filter((name) => CREDENTIAL_HEADERS.has(name.toLowerCase()));
  return say(credentials, "ENABLE_SENSITIVE_HEADER_PASSTHROUGH");
}

/** A sentence about an entry of JWT_ISSUERS that could never be used. */
function ownIssuerTwice({ jwtIssuer, jwtIssuers }: Readonly<Partial<Config>>): string[] {
  if (jwtIssuers?.some(({ issuer }) => issuer === jwtIssuer) !== true) return [];
  return [
    `JWT_ISSUERS has ${jwtIssuer}, which is JWT_ISSUER, the gateway's own name; give one of them another name`,
  ];
}

/** A sentence about the files of a key pair that JWT_ALGORITHM does not use. */
function unusedKeyFiles({ jwtAlgorithm, jwtPrivateKeyPath, jwtPublicKeyPath }: Config): string[] {
  if (KEY_PAIR_ALGORITHMS.some((each) => each === jwtAlgorithm)) return [];
  const given = [
    ...(jwtPrivateKeyPath === null ? [] : ["JWT_PRIVATE_KEY_PATH"]),
    ...(jwtPublicKeyPath === null ? [] : ["JWT_PUBLIC_KEY_PATH"]),
  ];
  if (given.length === 0) return [];
  return [`${listed(given)}: not used, because JWT_ALGORITHM=${jwtAlgorithm} signs with JWT_SECRET_KEY`];
}

/** Does the gateway share a database server or Redis with others? Then more people reach it than those of one machine. */
function isClustered({ cacheType, databaseUrl }: Readonly<Record<string, unknown>>): boolean {
  return cacheType === "redis" || (typeof databaseUrl === "string" && sqliteFile(databaseUrl, "/") === null);
}

function warningsOf(
  sources: Readonly<Record<string, Source>>,
  ignored: Loaded["ignored"],
): string[] {
  const inert = SETTINGS.filter((row) => row.state === "inert" && !isDefault(sources[row.name]))
    .map((row) => `${sources[row.name].name} has no effect: ${row.doc}`);
  const about = warningsAbout(ignored);
  return [
    ...about.first,
    ...inert,
    ...about.last,
  ];
}

function isDefault(source: Source): boolean {
  return source.from === "default" || source.from === "dev";
}

/** The text of a .env file; null: there is none. @throws {SluiceError} SETTINGS_INVALID */
function readDotEnv(path: string): string | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    // A gateway that lacks Deno's permission for the file refuses to start.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return null;
    throw unreadable(path, readFault(error));
  }
  // Some shells write UTF-16, of which the parser would find no name.
  if (text.includes("\0")) throw unreadable(path, "it is not UTF-8 text. Save it as UTF-8");
  return text;
}

function unreadable(path: string, reason: string): SluiceError {
  const mistake = `Cannot read ${path}: ${reason}`;
  return new SluiceError("SETTINGS_INVALID", { mistakes: mistake }, { data: [mistake] });
}

function mayEnter(folder: string): boolean {
  try {
    Deno.statSync(join(folder, "."));
    return true;
  } catch (error) {
    // A process that serves has given up looking at folders, but not at this file.
    return error instanceof Deno.errors.NotCapable;
  }
}

function readDatabaseDotEnv(databaseUrl: string): DotEnvFile | null {
  const database = sqliteFile(databaseUrl, Deno.cwd());
  if (database === null) return null;
  const folder = dirname(database);
  const path = join(folder, ".env");
  // A folder that this user may not enter is the database's fault, and is reported as such when it is opened.
  if (path === resolve(".env") || !mayEnter(folder)) return null;
  const text = readDotEnv(path);
  return text === null ? null : { path, text };
}
