// The commands `sluice doctor` and `sluice tune`: their flags, the texts of their help, and their arguments.
import { type Load, type Surroundings, USUAL_LATENCY_MS, USUAL_THINK_MS } from "../../tuning/demand.ts";
import type { Command, GivenFlags } from "./command.ts";
import { isHttpUrl, isWebSocketUrl } from "./flag_values.ts";

export const FITNESS_COMMANDS = {
  doctor: {
    summary: "Examine machine, settings, database and Redis; say what to mend.",
    topic: "doctor",
    notes: [
      "Run this command in the gateway's folder, with the gateway's environment and as its user. It changes nothing without --fix, and the " +
      "gateway may run meanwhile. Each finding has its reason, the line that mends it, and a page of the manual.",
      "The exit code is 0 if all is well (notes do not count), 1 with warnings, and 2 with errors.",
    ],
    examples: [
      "sluice doctor",
      "sluice doctor --json",
      "sluice doctor --upstream https://mcp.example.com/mcp",
    ],
    flags: {
      upstream: {
        value: "URL",
        doc: "examine one MCP server instead, step by step, and say how to register it",
      },
      header: { value: "LINE", isRepeated: true, doc: 'header of every request to it: "Name: value"' },
      ca: { value: "FILE", doc: "PEM file of the authority of its certificate" },
      "pgbouncer-ini": {
        value: "FILE",
        doc:
          "the settings of PgBouncer, if its console does not tell them (default: /etc/pgbouncer/pgbouncer.ini)",
      },
      fix: { doc: "write the lines of .env that are certain, and keep a copy of the former file" },
      json: { doc: "print the findings as JSON" },
    },
  },
  tune: {
    summary: "Compute a configuration for a number of users.",
    topic: "tune",
    notes: [
      "The command prints the files, or writes them into the folder of --out: .env, the lines of PostgreSQL, PgBouncer and Redis, " +
      "sysctl, a systemd unit, nginx, Compose and Kubernetes. Each number has its formula in a comment.",
      "With --check the command compares the plan with the settings, the machine and the servers that `serve` would use here. The exit " +
      "code is 1 if something does not serve the users.",
    ],
    examples: [
      "sluice tune --users 3000 --pgbouncer --redis --out tuned",
      "sluice tune --users 3000 --check",
    ],
    flags: {
      users: {
        value: "N",
        min: 1,
        max: 1_000_000,
        doc: "people or agents that are connected at the same time",
      },
      replicas: { value: "R", min: 1, max: 1_000, doc: "processes that share the users (default: 1)" },
      vcpu: { value: "C", doc: "processors of each replica, such as 2 or 0.5 (default: this machine's)" },
      ram: { value: "GB", doc: "memory of each replica, such as 4 or 0.5 (default: this machine's)" },
      "latency-ms": {
        value: "L",
        min: 1,
        max: 3_600_000,
        doc: "time that upstreams take for a call (default: 200)",
      },
      "think-ms": {
        value: "P",
        max: 86_400_000,
        doc: "pause of a user between an answer and the next call; 0: none (default: 3000)",
      },
      postgres: { doc: "with PostgreSQL (several replicas imply it; default: SQLite)" },
      pgbouncer: { doc: "with PgBouncer before PostgreSQL" },
      redis: { doc: "with Redis" },
      out: { value: "DIR", doc: "write the files into this folder" },
      check: { doc: "compare the plan with what is here, and write nothing" },
      probe: { doc: "measure for 10 s what a call costs on this machine, instead of assuming it" },
      json: { doc: "print the plan, or the comparison, as JSON" },
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

export interface DoctorArgs {
  /** One MCP server to examine; null: everything that `serve` would use. */
  readonly upstream: {
    readonly url: string;
    /** As given: `Name: value`. */
    readonly headers: readonly string[];
    /** A PEM file of an authority; null: the system's. */
    readonly ca: string | null;
  } | null;
  /** The file with the settings of PgBouncer; null: the usual one. */
  readonly pgbouncerIni: string | null;
  /** Write the lines of .env that findings name. */
  readonly fix: boolean;
  readonly json: boolean;
}

export interface TuneArgs {
  /** null in `vcpu` and `ramMb`: as this machine has. */
  readonly load: Omit<Load, "vcpu" | "ramMb" | "callMicros"> & {
    readonly vcpu: number | null;
    readonly ramMb: number | null;
  };
  readonly surroundings: Omit<Surroundings, "fileMax">;
  /** The folder for the files; null: they are printed. */
  readonly out: string | null;
  readonly check: boolean;
  readonly probe: boolean;
  readonly json: boolean;
}

export type FitnessInvocation =
  | { readonly command: "doctor"; readonly args: DoctorArgs }
  | { readonly command: "tune"; readonly args: TuneArgs };

export function isFitnessCommand(command: string): command is FitnessInvocation["command"] {
  return Object.hasOwn(FITNESS_COMMANDS, command);
}

/** @returns the invocation, or the mistakes as sentences */
export function fitnessInvocation(
  command: FitnessInvocation["command"],
  given: GivenFlags,
): FitnessInvocation | readonly string[] {
  return command === "doctor" ? doctorInvocation(given) : tuneInvocation(given);
}

function doctorInvocation({ text, texts, has }: GivenFlags): FitnessInvocation | readonly string[] {
  const [url, ca, headers] = [text("upstream"), text("ca"), texts("header")];
  const mistakes = [
    ...(url === null || isHttpUrl(url) || isWebSocketUrl(url)
      ? []
      : [`--upstream must be an http://, https://, ws:// or wss:// address, not "${url}"`]),
    ...(url === null && headers.length > 0 ? ["--header needs --upstream"] : []),
    ...(url === null && ca !== null ? ["--ca needs --upstream"] : []),
    ...(url !== null && has("fix") ? ["--fix stands without --upstream"] : []),
    ...(url !== null && text("pgbouncer-ini") !== null ? ["--pgbouncer-ini stands without --upstream"] : []),
    // The value may be a secret.
    ...headers.flatMap((line, index) =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[ \t]*[\t\x20-\x7e]+$/.test(line)
        ? []
        : [`--header ${index + 1} must be "Name: value"`]
    ),
  ];
  if (mistakes.length > 0) return mistakes;
  const upstream = url === null ? null : { url, headers, ca };
  return {
    command: "doctor",
    args: { upstream, pgbouncerIni: text("pgbouncer-ini"), fix: has("fix"), json: has("json") },
  };
}

function tuneInvocation({ text, has }: GivenFlags): FitnessInvocation | readonly string[] {
  const command = "tune";
  const mistakes: string[] = [];
  const whole = (name: string, preset: number): number => Number(text(name) ?? preset);
  if (text("users") === null) mistakes.push("--users is missing");
  const fraction = (name: string, most: number): number | null => {
    const given = text(name);
    if (given === null) return null;
    const value = /^\d+(\.\d+)?$/.test(given) ? Number(given) : 0;
    if (value >= 0.1 && value <= most) return value;
    mistakes.push(`--${name} must be a number from 0.1 to ${most}, not "${given}"`);
    return null;
  };
  const ram = fraction("ram", 4_096);
  const load = {
    users: whole("users", 1),
    replicas: whole("replicas", 1),
    vcpu: fraction("vcpu", 256),
    ramMb: ram === null ? null : Math.floor(ram * 1024),
    latencyMs: whole("latency-ms", USUAL_LATENCY_MS),
    thinkMs: whole("think-ms", USUAL_THINK_MS),
  };
  if (has("check") && text("out") !== null) mistakes.push("--check writes nothing: leave --out away");
  if (mistakes.length > 0) return mistakes;
  const isPostgres = has("postgres") || load.replicas > 1;
  const args: TuneArgs = {
    load,
    surroundings: {
      database: has("pgbouncer") ? "pgbouncer" : isPostgres ? "postgres" : "sqlite",
      redis: has("redis"),
    },
    out: text("out"),
    check: has("check"),
    probe: has("probe"),
    json: has("json"),
  };
  return { command, args };
}
