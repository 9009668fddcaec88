// The program as a shell starts it: run to its end, or in a terminal of its own.

import { PERMISSION_FLAGS } from "../../scripts/permission_flags.ts";
import { ChildOutput } from "./child_output.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The command line of the program from source. */
export const FROM_SOURCE: readonly string[] = [
  Deno.execPath(),
  "run",
  ...PERMISSION_FLAGS,
  "--quiet",
  "--config",
  `${ROOT}deno.json`,
  `${ROOT}src/main.ts`,
];

export interface CliOptions {
  readonly cwd: string;
  /** Added to what a program needs of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end, without a terminal. */
export async function runCli(args: readonly string[], { cwd, env, input }: CliOptions): Promise<CliResult> {
  const [program, ...before] = FROM_SOURCE;
  const child = new Deno.Command(program, {
    args: [...before, ...args],
    cwd,
    env: environment(env),
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input ?? ""));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** The commands that a message tells to run, without what stands before each line of a message. */
export function printedCommands(err: string): string {
  return [...err.matchAll(/^sluice: {3}(\S.*)$/gm)].map(([, line]) => line).join("\n");
}

/** A shell command in a terminal of its own. */
export class Terminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #output: ChildOutput;

  constructor(command: string, { cwd, env }: CliOptions) {
    // `exec`: the signal of close() is for the program, not for a shell before it.
    this.#child = new Deno.Command("script", {
      args: ["--quiet", "--return", "--flush", "--command", `echo "pid $$"; exec ${command}`, "/dev/null"],
      cwd,
      env: { ...environment(env), SHELL: "/bin/sh" },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#output = new ChildOutput(this.#child.stdout);
  }

  /** What the terminal shows so far. */
  get text(): string {
    return this.#output.lines.map((line) => line.replace(/\r$/, "")).join("\n");
  }

  /** The exit code of the program, when it has ended by itself. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#output.ended;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pid = /^pid (\d+)$/m.exec(this.text)?.[1];
    try {
      if (pid !== undefined) Deno.kill(Number(pid), "SIGTERM");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await this.ended();
  }
}

/** Runs the commands that a terminal shows in another shell. @returns the answer of the last one */
export async function follow(
  shown: string,
  { cwd, env }: { cwd: string; env: Record<string, string> },
  // deno-lint-ignore no-explicit-any -- a JSON-RPC answer; what is read is asserted
): Promise<any> {
  // An address in a line of its own is for a browser.
  const commands = shown.split("\n").filter((line) => /^ {2}(?!https?:)/.test(line)).join("\n");
  const shell = new Deno.Command("sh", { args: ["-ec", commands], cwd, env: { ...env, NO_COLOR: "1" } });
  const { code, stdout, stderr } = await shell.output();
  const decoder = new TextDecoder();
  if (code !== 0) throw new Error(`Exit code ${code} of:\n${commands}\n${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout).trim().split("\n").at(-1)!);
}

/** `words` for a shell. */
export function shellWords(...words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}

function environment(given: CliOptions["env"] = {}): Record<string, string> {
  const inherited = ["PATH", "HOME", "DENO_DIR", "TMPDIR"].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(inherited), NO_COLOR: "1", ...given };
}
