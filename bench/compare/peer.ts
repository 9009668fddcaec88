// What the comparison needs of a program: how it starts, where it listens, how its version and settings read.
import { waitFor } from "../../tests/support/wait_for.ts";
import type { LoadRequest } from "../load/load_client.ts";
import type { Installation } from "./install.ts";

/** One way to call the tool. */
export interface Lane {
  readonly name: string;
  readonly load:
    /** `sluice bench` with these flags. */
    | { readonly by: "bench"; readonly url: string; readonly flags: readonly string[] }
    /** wrk: the program's calls are no JSON-RPC. */
    | { readonly by: "wrk"; readonly request: LoadRequest };
}

export interface Running {
  /** The processes that count, with all that they have started. */
  readonly roots: readonly number[];
  readonly lanes: readonly Lane[];
  /** From the start of the program to its first HTTP answer. */
  readonly coldStartMs: number;
}

export interface Start {
  /** The upstream over streamable HTTP. */
  readonly upstreamUrl: string;
  /** An empty folder. */
  readonly folder: string;
  /** Ends what was started. */
  readonly stack: AsyncDisposableStack;
}

export interface Peer {
  readonly name: string;
  /** null: it is a part of this repository. */
  readonly installation: Installation | null;
  readonly version: () => string;
  /** How it is configured, and by which of its documents. */
  readonly settings: string;
  readonly start: (start: Start) => Promise<Running>;
}

/** The worker processes of programs that have any: as many as this machine has cores. */
export const WORKERS = 2;

export const ARGUMENTS = {
  time: "2026-01-15T09:00",
  source_timezone: "Europe/Berlin",
  target_timezone: "Europe/Dublin",
};

/** Part of every right answer's text. */
export const EXPECTED = '"datetime":"2026-01-15T08:00:00+00:00"';

/** Part of the command line of the upstream that bridges start. Its CPU and memory are not theirs. */
export const STDIO_UPSTREAM = "bench/compare/fast_stdio.ts";

export function stdioUpstream(): string[] {
  const root = new URL("../../", import.meta.url).pathname;
  return [
    Deno.execPath(),
    "run",
    "-A",
    "--quiet",
    "--config",
    `${root}deno.json`,
    `${root}${STDIO_UPSTREAM}`,
  ];
}

/** Lanes over streamable HTTP: a session for each client, and one for all. */
export function mcpLanes(url: string, tool: string, headers: readonly string[] = []): Lane[] {
  return [
    benchLane("/mcp, a session each", url, tool, [...headers, "--sessions", "each"]),
    benchLane("/mcp, one session", url, tool, [...headers, "--sessions", "one"]),
  ];
}

export function benchLane(name: string, url: string, tool: string, flags: readonly string[]): Lane {
  const call = ["--tool", tool, "--args", JSON.stringify(ARGUMENTS), "--expect", EXPECTED];
  return { name, load: { by: "bench", url, flags: [...call, ...flags] } };
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program that listens on `port`. @throws {Error} with the end of its output, if it does not answer */
export async function startProgram(
  { command, args, env = {} }: Command,
  { folder, stack }: Start,
  port: number,
): Promise<{ readonly pid: number; readonly coldStartMs: number }> {
  const log = `${folder}/output.log`;
  const begun = performance.now();
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$@" >"$0" 2>&1', log, command, ...args],
    cwd: folder,
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH")!, HOME: folder, DENO_DIR: denoDir(), NO_COLOR: "1", ...env },
    stdin: "null",
  }).spawn();
  let isOver = false;
  const ended = child.status.then(() => isOver = true);
  stack.defer(async () => {
    if (!isOver) child.kill("SIGTERM");
    const late = setTimeout(() => isOver || child.kill("SIGKILL"), 15_000);
    await ended;
    clearTimeout(late);
  });
  try {
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        async (answer) => (await answer.body?.cancel(), true),
        () => false,
      );
    await waitFor(async () => isOver || await answers(), { what: "its first answer", deadlineMs: 180_000 });
    if (isOver) throw new Error("it has ended");
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")}: ${error}\n${Deno.readTextFileSync(log).slice(-3_000)}`, {
      cause: error,
    });
  }
  return { pid: child.pid, coldStartMs: performance.now() - begun };
}

function denoDir(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
}
