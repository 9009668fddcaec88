// Commands and their flags: what there is, strict reading of the command line, and the help texts.

import { parseArgs } from "node:util";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { SluiceError } from "../../base/errors.ts";
import type { SettingName } from "../../config/schema.ts";

export interface ServeArgs {
  /** Start the built-in demo upstream and register it where the catalog is empty; implies the development defaults. */
  readonly demo: boolean;
  /** Use the development defaults. */
  readonly dev: boolean;
  /** Share the port with the process that serves it now, which is to be stopped then. */
  readonly takeover: boolean;
  /** Settings given by flags, as text, for config/load.ts. */
  readonly overrides: Readonly<Partial<Record<SettingName, string>>>;
}

export interface StdioArgs {
  /** The virtual server to show; null: everything. */
  readonly server: string | null;
  /** A running gateway to speak to; null: run one in this process. */
  readonly url: string | null;
  /** Holds the token for `url`; null: none is sent. */
  readonly tokenFile: string | null;
}

export interface DemoArgs {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface TokenArgs {
  /** null: PLATFORM_ADMIN_EMAIL. */
  readonly username: string | null;
  /** 0: never expires. */
  readonly expMinutes: number;
  readonly admin: boolean;
  /** null: from the settings, or the secrets kept beside the database. */
  readonly secret: string | null;
  /** null: not given. */
  readonly teams: readonly string[] | null;
}

export interface TokenRevokeArgs {
  /** A token, its id (`jti`), or "-": either of them from standard input. */
  readonly operand: string;
  readonly reason: string | null;
}

export interface ConfigArgs {
  readonly json: boolean;
  readonly dev: boolean;
}

/** What the command line asks for. */
export type Invocation =
  | { readonly command: "serve"; readonly args: ServeArgs }
  | { readonly command: "stdio"; readonly args: StdioArgs }
  | { readonly command: "demo"; readonly args: DemoArgs }
  | { readonly command: "token"; readonly args: TokenArgs }
  | { readonly command: "token revoke"; readonly args: TokenRevokeArgs }
  | { readonly command: "config"; readonly args: ConfigArgs }
  | { readonly command: "version" }
  | { readonly command: "help"; readonly text: string };

interface Flag {
  /** What its value is called in the help; absent: the flag takes none. */
  readonly value?: string;
  /** Its value is a whole number from 0 to this. */
  readonly max?: number;
  readonly doc: string;
}

interface Command {
  readonly summary: string;
  /** What the one word is called that it wants beside its flags. */
  readonly operand?: string;
  readonly flags: Readonly<Record<string, Flag>>;
}

const COMMANDS = {
  serve: {
    summary: "Run the gateway.",
    flags: {
      demo: { doc: "with the demo upstream where the catalog is empty; brings the development defaults" },
      dev: {
        doc: "development defaults: upstreams on localhost allowed, two workers or more, the demo upstream",
      },
      takeover: {
        doc: "share the port with the process that serves it now; stop that one when this one is ready",
      },
      host: { value: "HOST", doc: "listen on this address (HOST)" },
      port: { value: "N", doc: "listen on this port (PORT)" },
      workers: { value: "N", doc: "how many workers, or auto (WORKERS)" },
    },
  },
  stdio: {
    summary: "Be the one MCP server of a desktop client, on standard input and output.",
    flags: {
      server: { value: "ID", doc: "show this virtual server (default: everything)" },
      url: { value: "URL", doc: "speak to the gateway that runs there, instead of being one" },
      "token-file": { value: "FILE", doc: "the bearer token for --url" },
    },
  },
  token: {
    summary: "Print a bearer token for the gateway.",
    flags: {
      username: { value: "EMAIL", doc: "who the token is for (default: PLATFORM_ADMIN_EMAIL)" },
      exp: {
        value: "MINUTES",
        max: 100 * 365 * 24 * 60,
        doc: "how long it is valid; 0: for ever (default: 60)",
      },
      admin: { doc: "an administrator's token" },
      teams: { value: "A,B", doc: "the teams it is limited to" },
      secret: { value: "SECRET", doc: "sign with this key instead of the gateway's" },
    },
  },
  "token revoke": {
    summary: "Refuse a token from now on, on every worker and replica; - reads it from standard input.",
    operand: "TOKEN|JTI",
    flags: {
      reason: { value: "TEXT", doc: "why, for the list of revoked tokens" },
    },
  },
  config: {
    summary: "Show every setting: its value, where it came from, whether it has an effect.",
    flags: {
      json: { doc: "as JSON" },
      dev: { doc: "as `serve --dev` would have them" },
    },
  },
  demo: {
    summary: "Run the demo upstream alone: an MCP server that tells the time.",
    flags: {
      host: { value: "HOST", doc: "listen on this address (default: 127.0.0.1)" },
      port: { value: "N", max: 65_535, doc: "listen on this port; 0: any free one (default: 9000)" },
    },
  },
} as const satisfies Record<string, Command>;

type CommandName = keyof typeof COMMANDS;

const DEMO_PORT = 9000;

const EXP_MINUTES = 60;

/** Flags before or instead of a command. */
const GLOBAL_FLAGS = ["help", "version"];

/**
 * What `args` (Deno.args) asks for.
 * @throws {SluiceError} USAGE_INVALID naming every mistake, one a line, with the nearest right name
 */
export function parseInvocation(args: readonly string[]): Invocation {
  const [first, ...rest] = args;
  switch (first) {
    case undefined:
      throw usage(["no command given"]);
    case "--version":
    case "-V":
    case "version":
      return rest.length === 0 ? { command: "version" } : fail(unexpected(rest));
    case "--help":
    case "-h":
      return rest.length === 0 ? { command: "help", text: overview() } : fail(unexpected(rest));
    case "help":
      return help(rest);
  }
  if (!isCommand(first)) throw usage([unknownCommand(first)]);
  const two = `${first} ${rest[0]}`;
  const [command, words] = isCommand(two) ? [two, rest.slice(1)] : [first, rest];
  const given = readFlags(command, words);
  if (given === "help") return { command: "help", text: commandHelp(command) };
  return invocation(command, given);
}

/** By flag; the operand under its own name. */
type Given = Readonly<Record<string, string | true>>;

/** The flags of one command; every mistake is collected before it throws. */
function readFlags(command: CommandName, args: readonly string[]): Given | "help" {
  const { flags, operand }: Command = COMMANDS[command];
  const { tokens } = parseArgs({
    args: args.map((arg, index) => lacksValue(flags, arg, args[index + 1]) ? `${arg}=` : arg),
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(flags).map((
        [name, flag],
      ) => [name, { type: flag.value ? "string" : "boolean" } as const]),
    ),
  });
  const given: Record<string, string | true> = {};
  const mistakes: string[] = [];
  let unknownAt = -2;
  for (const token of tokens) {
    // What follows an unknown flag is its value, as far as anybody can tell.
    if (token.kind === "positional" && token.index !== unknownAt + 1) {
      if (operand === undefined || operand in given) mistakes.push(unexpected([token.value]));
      else given[operand] = token.value;
    }
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (rawName === "--help" || rawName === "-h") return "help";
    const flag = rawName === `--${name}` && Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      unknownAt = token.index;
      mistakes.push(unknownFlag(command, rawName));
    } else if (name in given) mistakes.push(`${rawName} is given twice`);
    else if (flag.value === undefined && value !== undefined) mistakes.push(`${rawName} takes no value`);
    else if (flag.value !== undefined && !value) {
      mistakes.push(`${rawName} needs a value: ${rawName} ${flag.value}`);
    } else if (flag.max !== undefined && !isWholeNumber(value!, flag.max)) {
      mistakes.push(`${rawName} must be a whole number from 0 to ${flag.max}, not "${value}"`);
    } else given[name] = value ?? true;
  }
  if (operand !== undefined && !(operand in given)) mistakes.push(`${operand} is missing`);
  if (mistakes.length > 0) throw usage(mistakes, command);
  return given;
}

function invocation(command: CommandName, given: Given): Invocation {
  const text = (name: string) => typeof given[name] === "string" ? given[name] : null;
  switch (command) {
    case "serve": {
      const overrides: Partial<Record<SettingName, string>> = {};
      for (const [flag, setting] of [["host", "HOST"], ["port", "PORT"], ["workers", "WORKERS"]] as const) {
        const value = text(flag);
        if (value !== null) overrides[setting] = value;
      }
      return {
        command,
        args: { demo: "demo" in given, dev: "dev" in given, takeover: "takeover" in given, overrides },
      };
    }
    case "stdio": {
      const args = { server: text("server"), url: text("url"), tokenFile: text("token-file") };
      if (args.tokenFile !== null && args.url === null) throw usage(["--token-file needs --url"], command);
      if (args.url !== null && !isHttpUrl(args.url)) {
        throw usage([`--url must be an http:// or https:// address, not "${args.url}"`], command);
      }
      return { command, args };
    }
    case "demo": {
      return {
        command,
        args: { host: text("host") ?? "127.0.0.1", port: Number(text("port") ?? DEMO_PORT) },
      };
    }
    case "token": {
      const teams = text("teams")?.split(",").map((team) => team.trim()).filter((team) => team !== "") ??
        null;
      const args = {
        username: text("username"),
        expMinutes: Number(text("exp") ?? EXP_MINUTES),
        admin: "admin" in given,
        secret: text("secret"),
        teams,
      };
      return { command, args };
    }
    case "token revoke":
      return { command, args: { operand: text(COMMANDS[command].operand)!, reason: text("reason") } };
    case "config":
      return { command, args: { json: "json" in given, dev: "dev" in given } };
  }
}

function help(rest: readonly string[]): Invocation {
  const two = rest.slice(0, 2).join(" ");
  const [command, ...more] = isCommand(two) ? [two, ...rest.slice(2)] : rest;
  if (command === undefined) return { command: "help", text: overview() };
  if (!isCommand(command)) throw usage([unknownCommand(command)]);
  if (more.length > 0) throw usage([unexpected(more)]);
  return { command: "help", text: commandHelp(command) };
}

function overview(): string {
  const names = Object.keys(COMMANDS) as CommandName[];
  const width = Math.max(...names.map((name) => name.length));
  return [
    "Sluice, an MCP gateway: one authenticated address in front of many MCP servers.",
    "",
    "Usage: sluice COMMAND [FLAGS]",
    "",
    ...names.map((name) => `  ${name.padEnd(width)} ${COMMANDS[name].summary}`),
    "",
    "  --help, COMMAND --help   this text, or a command's flags",
    "  --version                version, commit, Deno, protocol revisions",
    "",
    "Settings come from the environment and ./.env; `sluice config` shows them all.",
  ].join("\n");
}

function commandHelp(command: CommandName): string {
  const { summary, operand, flags: its }: Command = COMMANDS[command];
  const flags = Object.entries(its)
    .map(([name, flag]) => [flag.value ? `--${name} ${flag.value}` : `--${name}`, flag.doc] as const);
  const width = Math.max(...flags.map(([left]) => left.length));
  return [
    `Usage: sluice ${command}${operand === undefined ? "" : ` ${operand}`} [FLAGS]`,
    "",
    summary,
    "",
    ...flags.map(([left, doc]) => `  ${left.padEnd(width)}  ${doc}`),
  ].join("\n");
}

/** Would `arg`, a flag that takes a value, swallow the flag after it? */
function lacksValue(flags: Readonly<Record<string, Flag>>, arg: string, next: string | undefined): boolean {
  const name = arg.replace(/^--/, "");
  return arg.startsWith("--") && Object.hasOwn(flags, name) && flags[name].value !== undefined &&
    (next === undefined || next.startsWith("--"));
}

function isHttpUrl(text: string): boolean {
  const protocol = URL.parse(text)?.protocol;
  return protocol === "http:" || protocol === "https:";
}

function isWholeNumber(text: string, max: number): boolean {
  return /^\d{1,9}$/.test(text) && Number(text) <= max;
}

function isCommand(word: string): word is CommandName {
  return Object.hasOwn(COMMANDS, word);
}

function unknownCommand(word: string): string {
  if (word.startsWith("-")) {
    return `unknown flag ${word}${didYouMean(word, GLOBAL_FLAGS.map((name) => `--${name}`))}`;
  }
  return `unknown command "${word}"${didYouMean(word, [...Object.keys(COMMANDS), "help", "version"])}`;
}

function unknownFlag(command: CommandName, rawName: string): string {
  const known = [...Object.keys(COMMANDS[command].flags), "help"].map((name) => `--${name}`);
  return `unknown flag ${rawName}${didYouMean(rawName, known)}`;
}

function unexpected(words: readonly string[]): string {
  return `unexpected ${words.map((word) => `"${word}"`).join(", ")}`;
}

function didYouMean(given: string, known: readonly string[]): string {
  // The package comes without types.
  const distance: (a: string, b: string) => number = levenshteinDistance;
  const [nearest] = known.map((name) => [name, distance(given, name)] as const).sort((a, b) => a[1] - b[1]);
  return nearest[1] <= Math.max(2, given.replace(/^-+/, "").length / 3)
    ? `; did you mean ${nearest[0]}?`
    : "";
}

function usage(mistakes: readonly string[], command?: CommandName): SluiceError {
  const help = `Try: sluice ${command === undefined ? "--help" : `${command} --help`}`;
  return new SluiceError("USAGE_INVALID", { mistakes: [...mistakes, help].join("\n") }, { data: mistakes });
}

function fail(mistake: string): never {
  throw usage([mistake]);
}
