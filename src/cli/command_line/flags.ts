// The strict parser of the command line: which command, with which arguments.

import { parseArgs } from "node:util";
import type { SettingName } from "../../config/schema.ts";
import type {
  AuditArgs,
  BackupArgs,
  ConfigArgs,
  ConnectArgs,
  DemoArgs,
  GatewayArgs,
  HealthArgs,
  HelpArgs,
  ImportArgs,
  KeysRotateArgs,
  ServeArgs,
  StdioArgs,
  TokenArgs,
  TokenRevokeArgs,
  ToolsArgs,
} from "../commands/command_arguments.ts";
import { type BenchInvocation, benchInvocation, isBenchCommand } from "../commands/bench_commands.ts";
import { type FitnessInvocation, fitnessInvocation, isFitnessCommand } from "../commands/fitness_commands.ts";
import { type LogInvocation, logInvocation } from "../commands/log_command.ts";
import { type MovingInvocation, movingInvocation } from "../commands/moving_commands.ts";
import { isTokenCommand, type TokenInvocation, tokenInvocation } from "../commands/token_commands.ts";
import { type PeopleInvocation, peopleInvocation } from "../commands/people_commands.ts";
import type { GivenFlags } from "../commands/command.ts";
import { type Command, type CommandName, COMMANDS, type Flag } from "./commands.ts";
import { groupSummary } from "../commands/command_groups.ts";
import { isHttpUrl, isWholeNumber, listOf, teamsOf } from "../commands/flag_values.ts";
import { commandHelp, overview, wordHelp } from "./help_text.ts";
import {
  isCommand,
  isMistypedPair,
  unexpected,
  unknownCommand,
  unknownFlag,
  unknownSecond,
} from "./unknown_words.ts";
import { usage } from "./usage.ts";

export type Invocation =
  | { readonly command: "serve"; readonly args: ServeArgs }
  | { readonly command: "stdio"; readonly args: StdioArgs }
  | { readonly command: "import"; readonly args: ImportArgs }
  | MovingInvocation
  | LogInvocation
  | { readonly command: "connect"; readonly args: ConnectArgs }
  | { readonly command: "demo"; readonly args: DemoArgs }
  | { readonly command: "token"; readonly args: TokenArgs }
  | { readonly command: "token revoke"; readonly args: TokenRevokeArgs }
  | PeopleInvocation
  | TokenInvocation
  | { readonly command: "keys rotate"; readonly args: KeysRotateArgs }
  | { readonly command: "audit verify" | "audit export"; readonly args: AuditArgs }
  | { readonly command: "tools held" | "tools approve" | "tools reject"; readonly args: ToolsArgs }
  | { readonly command: "backup" | "restore"; readonly args: BackupArgs }
  | { readonly command: "config"; readonly args: ConfigArgs }
  | { readonly command: "health"; readonly args: HealthArgs }
  | FitnessInvocation
  | BenchInvocation
  | { readonly command: "help"; readonly args: HelpArgs }
  | { readonly command: "metrics alerts" | "metrics dashboard" | "version" }
  | { readonly command: "usage"; readonly text: string; readonly exitCode: number };

const DEMO_PORT = 9000;
const EXP_MINUTES = 60;
/** A client's file is written once. */
const CONNECT_EXP_MINUTES = 30 * 24 * 60;

/**
 * Parses `args` (Deno.args).
 * @throws {SluiceError} USAGE_INVALID with every mistake, one a line, each with the nearest known name
 */
export function parseInvocation(args: readonly string[]): Invocation {
  const [first, ...rest] = args;
  switch (first) {
    case undefined:
      return { command: "usage", text: overview(), exitCode: 2 };
    case "--version":
    case "-V":
      return rest.length === 0 ? { command: "version" } : fail(unexpected(rest));
    case "--help":
    case "-h":
      return rest.length === 0 ? usageOf(overview()) : parseInvocation(["help", ...rest]);
  }
  const two = `${first} ${rest[0]}`;
  const needsSecond = groupSummary(first) !== null;
  if (needsSecond && ["--help", "-h"].includes(rest[0]!)) return usageOf(wordHelp(first));
  if (isMistypedPair(two)) {
    throw usage([unknownCommand(two)], isCommand(first) || needsSecond ? first : undefined);
  }
  const command = [two, first].find(isCommand);
  if (command === undefined && needsSecond) throw usage([unknownSecond(first, rest[0])], first);
  if (command === undefined) throw usage([unknownCommand(first)]);
  const given = readFlags(command, command === two ? rest.slice(1) : rest);
  if (given === "help") return usageOf(commandHelp(command));
  return invocation(command, readersOf(given));
}

/** The values by flag, a list for one that may be repeated; the operand stands under its own name. */
type Given = Readonly<Record<string, string | true | string[]>>;

/** Reads the flags of one command. Every mistake is collected before it throws. */
function readFlags(command: CommandName, args: readonly string[]): Given | "help" {
  const { flags, operand, isOperandOptional, isOperandRepeated }: Command = COMMANDS[command];
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
  const given: Record<string, string | true | string[]> = {};
  const mistakes: string[] = [];
  let unknownAt = -2;
  for (const token of tokens) {
    // The word after an unknown flag may be that flag's value, so it is not a mistake of its own.
    if (token.kind === "positional" && token.index !== unknownAt + 1) {
      if (operand === undefined || operand in given && !isOperandRepeated) {
        mistakes.push(unexpected([token.value]));
      } else if (isOperandRepeated) given[operand] = [...given[operand] as string[] ?? [], token.value];
      else given[operand] = token.value;
    }
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (rawName === "--help" || rawName === "-h") return "help";
    const flag = rawName === `--${name}` && Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      unknownAt = token.index;
      mistakes.push(unknownFlag(command, rawName));
    } else if (name in given && flag.isRepeated === undefined) mistakes.push(`${rawName} is given twice`);
    else if (flag.value === undefined && value !== undefined) mistakes.push(`${rawName} takes no value`);
    else if (flag.value !== undefined && !value) {
      mistakes.push(`${rawName} needs a value: ${rawName} ${flag.value}`);
    } else if (
      flag.max !== undefined && !(isWholeNumber(value!, flag.max) && Number(value) >= (flag.min ?? 0))
    ) {
      mistakes.push(`${rawName} must be a whole number from ${flag.min ?? 0} to ${flag.max}, not "${value}"`);
    } else if (flag.isRepeated) given[name] = [...given[name] as string[] ?? [], value!];
    else given[name] = value ?? true;
  }
  if (operand !== undefined && !isOperandOptional && !(operand in given)) {
    mistakes.push(`${operand} is missing`);
  }
  if (mistakes.length > 0) throw usage(mistakes, command);
  return given;
}

function readersOf(given: Given): GivenFlags {
  return {
    text: (name) => typeof given[name] === "string" ? given[name] : null,
    texts: (name) => (given[name] ?? []) as string[],
    has: (name) => name in given,
  };
}

function invocation(command: CommandName, given: GivenFlags): Invocation {
  const { text, texts, has } = given;
  switch (command) {
    case "serve":
      return { command, args: serveArgs(given) };
    case "stdio":
      return { command, args: { server: text("server"), ...gatewayOf(command, given) } };
    case "import": {
      const args = {
        file: text(COMMANDS[command].operand)!,
        inputs: texts("input"),
        toolApproval: text("tool-approval"),
        ...{ dryRun: has("dry-run"), json: has("json") },
        ...gatewayOf(command, given),
      };
      return { command, args };
    }
    case "import contextforge":
      return movingInvocation(given);
    case "connect":
      return { command, args: connectArgs(given) };
    case "demo":
      return {
        command,
        args: { host: text("host") ?? "127.0.0.1", port: Number(text("port") ?? DEMO_PORT) },
      };
    case "token":
      return { command, args: tokenArgs(given) };
    case "token revoke":
      return { command, args: tokenRevokeArgs(given) };
    case "keys rotate":
      return { command, args: { now: has("now") } };
    case "audit verify":
    case "audit export":
      return { command, args: { noted: text("noted"), after: Number(text("after") ?? 0) } };
    case "tools held":
      return { command, args: { hashes: [], ...toolsArgs(command, given) } };
    case "tools approve":
    case "tools reject":
      return {
        command,
        args: { hashes: texts(COMMANDS[command].operand), ...toolsArgs(command, given) },
      };
    case "logs":
      return logInvocation(given, gatewayOf(command, given));
    case "backup":
    case "restore":
      return { command, args: { file: text(COMMANDS[command].operand)!, force: has("force") } };
    case "config":
      return { command, args: { json: has("json"), dev: has("dev") } };
    case "health":
      return { command, args: { url: urlOf(command, text("url")), isReady: has("ready") } };
    case "help": {
      const operands = texts(COMMANDS[command].operand);
      const word = text("search");
      const subject = word === null && operands.length > 0 ? operands.join(" ") : null;
      return {
        command,
        args: { subject, words: word === null ? [] : [word, ...operands], list: has("list") },
      };
    }
    case "metrics alerts":
    case "metrics dashboard":
    case "version":
      return { command };
    default:
      return checkedInvocation(command, given);
  }
}

type CheckedCommand = (BenchInvocation | PeopleInvocation | TokenInvocation | FitnessInvocation)["command"];

/** Reads the arguments of the commands that are described in `commands`. @throws {SluiceError} USAGE_INVALID */
function checkedInvocation(command: CheckedCommand, given: GivenFlags): Invocation {
  if (isBenchCommand(command)) return benchInvocation(command, given);
  const read = isTokenCommand(command)
    ? tokenInvocation(command, given)
    : isFitnessCommand(command)
    ? fitnessInvocation(command, given)
    : peopleInvocation(command, given, Date.now());
  if ("command" in read) return read;
  throw usage(read, command);
}

const SETTING_BY_FLAG = {
  host: "HOST",
  port: "PORT",
  workers: "WORKERS",
  "mcp-config": "MCP_CONFIG",
} as const;

function serveArgs({ text, has }: GivenFlags): ServeArgs {
  const overrides: Partial<Record<SettingName, string>> = {};
  for (const [flag, setting] of Object.entries(SETTING_BY_FLAG)) {
    const value = text(flag);
    if (value !== null) overrides[setting] = value;
  }
  return { demo: has("demo"), dev: has("dev"), takeover: has("takeover"), overrides };
}

function connectArgs({ text, has }: GivenFlags): ConnectArgs {
  return {
    client: text(COMMANDS.connect.operand),
    server: text("server"),
    write: has("write"),
    file: text("file"),
    name: text("name"),
    login: has("login"),
    username: text("username"),
    expMinutes: Number(text("exp") ?? CONNECT_EXP_MINUTES),
    teams: listOf(text("teams")),
    url: urlOf("connect", text("url")),
    tokenFile: text("token-file"),
  };
}

function tokenArgs({ text, has }: GivenFlags): TokenArgs {
  return {
    username: text("username"),
    name: text("name"),
    expMinutes: Number(text("exp") ?? EXP_MINUTES),
    admin: has("admin"),
    teams: teamsOf(text("teams")),
    server: text("server"),
    permissions: listOf(text("permissions")),
    secret: text("secret"),
  };
}

/** @throws {SluiceError} USAGE_INVALID */
function tokenRevokeArgs({ text }: GivenFlags): TokenRevokeArgs {
  const command = "token revoke";
  const { operand: noun } = COMMANDS[command];
  const args = { operand: text(noun), user: text("user"), reason: text("reason") };
  if (args.operand === null && args.user === null) throw usage([`${noun} or --user is missing`], command);
  if (args.user !== null && (args.operand ?? args.reason) !== null) {
    throw usage([`--user stands alone, without ${noun} and --reason`], command);
  }
  return args;
}

function toolsArgs(command: CommandName, given: GivenFlags): Omit<ToolsArgs, "hashes"> {
  const { text, has } = given;
  return { gateway: text("gateway"), json: has("json"), ...gatewayOf(command, given) };
}

/** @throws {SluiceError} USAGE_INVALID */
function gatewayOf(command: CommandName, { text }: GivenFlags): GatewayArgs {
  const [url, tokenFile] = [urlOf(command, text("url")), text("token-file")];
  if (tokenFile !== null && url === null) throw usage(["--token-file needs --url"], command);
  return { url, tokenFile };
}

/** @throws {SluiceError} USAGE_INVALID */
function urlOf(command: CommandName, url: string | null): string | null {
  if (url === null || isHttpUrl(url)) return url;
  throw usage([`--url must be an http:// or https:// address, not "${url}"`], command);
}

function usageOf(text: string): Invocation {
  return { command: "usage", text, exitCode: 0 };
}

/** Is `arg` a flag that needs a value, and is the next word a flag or absent? Then the parser must not take that word. */
function lacksValue(flags: Readonly<Record<string, Flag>>, arg: string, next: string | undefined): boolean {
  const name = arg.replace(/^--/, "");
  return arg.startsWith("--") && Object.hasOwn(flags, name) && flags[name].value !== undefined &&
    (next === undefined || next.startsWith("--"));
}

function fail(mistake: string): never {
  throw usage([mistake]);
}
