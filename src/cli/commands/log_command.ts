// The command `sluice logs`: its flags, the texts of its help, and its arguments.
import type { Command, GivenFlags } from "./command.ts";

/** The conditions of GET /logs, by their flags. */
const CONDITIONS = {
  caller: {
    value: "SUBJECT",
    doc: "only lines of this caller: the subject of the token, often an email address",
  },
  tool: { value: "NAME", doc: "only calls of this tool or prompt, as the client names it" },
  upstream: { value: "NAME", doc: "only lines of this upstream" },
  "correlation-id": { value: "ID", doc: "only lines of this request: errors name its id" },
  level: {
    value: "LEVEL",
    doc: "only lines of this level and above: DEBUG, INFO, WARNING, ERROR or CRITICAL",
  },
  text: { value: "TEXT", doc: "only lines with this text" },
  since: {
    value: "TIME",
    doc: "only lines from this time on: ISO 8601, or a span before now such as 15m or 2h",
  },
} as const;

const PARAMETERS: Readonly<Record<string, string>> = { "correlation-id": "correlation_id", text: "q" };

const MAX_LINES = 1_000;

export const LOG_COMMANDS = {
  logs: {
    summary: "Show the latest lines of a running gateway's log, and follow it.",
    topic: "logs",
    notes: [
      "The gateway keeps its latest lines in memory (LOG_BUFFER_SIZE_MB). Calls have lines with DISABLE_ACCESS_LOG=false.",
      "The gateway must be running. Run this command in its folder, or name its address and a token with the permission " +
      "admin.system_config. Of several replicas, the one that answers shows its lines.",
    ],
    examples: [
      "sluice logs --follow",
      "sluice logs --upstream github --failed --since 1h",
      "sluice logs --correlation-id 0f6e4c1a9b7d4c55a2b8 --json",
    ],
    flags: {
      follow: { doc: "go on with the lines that are written from now on" },
      ...CONDITIONS,
      failed: { doc: "only calls that failed, and warnings and errors" },
      limit: {
        value: "N",
        min: 1,
        max: MAX_LINES,
        doc: `show so many lines at first (default: 100, at most ${MAX_LINES})`,
      },
      json: { doc: "print each line as JSON, in the format of the REST API" },
      url: { value: "URL", doc: "address of the gateway (default: the one of this folder)" },
      "token-file": {
        value: "FILE",
        doc: "file with the bearer token for --url (default: the variable SLUICE_TOKEN)",
      },
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

export interface LogsArgs {
  readonly url: string | null;
  readonly tokenFile: string | null;
  readonly follow: boolean;
  readonly json: boolean;
  /** The query of GET /logs. */
  readonly query: URLSearchParams;
}

export interface LogInvocation {
  readonly command: "logs";
  readonly args: LogsArgs;
}

/** @param gateway the gateway that the flags name */
export function logInvocation(
  { text, has }: GivenFlags,
  gateway: Pick<LogsArgs, "url" | "tokenFile">,
): LogInvocation {
  const query = new URLSearchParams({ failed: String(has("failed")), limit: text("limit") ?? "100" });
  for (const name of Object.keys(CONDITIONS)) {
    const value = text(name);
    if (value !== null) query.set(PARAMETERS[name] ?? name, value);
  }
  return { command: "logs", args: { ...gateway, follow: has("follow"), json: has("json"), query } };
}

/** The flag of a parameter of GET /logs. */
export function flagOf(parameter: string): string {
  return Object.keys(PARAMETERS).find((flag) => PARAMETERS[flag] === parameter) ?? parameter;
}
