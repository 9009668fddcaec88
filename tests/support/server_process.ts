// A server of another project as a child process: with its own account where it refuses to be root, and a folder.

import { findProgram } from "./programs.ts";

/** A user's ids, as Deno.Command takes them. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** Who runs the servers that root may not: the account `postgres`, or we ourselves where we are not root. */
export function serverAccount(): Account {
  if (Deno.uid() !== 0) return {};
  const line = Deno.readTextFileSync("/etc/passwd").split("\n").find((each) => each.startsWith("postgres:"));
  if (line === undefined) {
    throw new Error("there is no user postgres; the Debian package postgresql makes one");
  }
  const [, , uid, gid] = line.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** A temporary folder that belongs to the account. */
export async function serverFolder(prefix: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix });
  const { uid, gid } = serverAccount();
  if (uid !== undefined && gid !== undefined) await Deno.chown(folder, uid, gid);
  return folder;
}

/** A running server. What it writes goes to a file, so that it may run on while tests begin and end. */
export class ServerProcess {
  readonly #child: Deno.ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<unknown>;
  #isOver = false;

  /** @throws {Error} when there is no such program */
  constructor(name: string, args: readonly string[], cwd: string) {
    this.#log = `${cwd}/${name}.log`;
    this.#child = new Deno.Command("/bin/sh", {
      args: ["-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", this.#log, pathOf(name), ...args],
      ...commandOptions(cwd),
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#ended = this.#child.status.then(() => this.#isOver = true);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The last of what it wrote, for an error's text. */
  tail(characters = 3000): string {
    return Deno.readTextFileSync(this.#log).slice(-characters);
  }

  signal(signal: Deno.Signal): void {
    if (!this.#isOver) sendSignal(this.#child.pid, signal);
  }

  /** It stands still, with what it has started: connections stay open and nothing is answered. */
  freeze(): void {
    // The parent first: it starts no others then.
    this.signal("SIGSTOP");
    for (const pid of this.#children()) sendSignal(pid, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#children()) sendSignal(pid, "SIGCONT");
    this.signal("SIGCONT");
  }

  /** Sends the signal and waits for its end. */
  async end(signal: Deno.Signal): Promise<void> {
    this.signal(signal);
    // One that stands still would never take it.
    this.thaw();
    await this.#ended;
  }

  /** PostgreSQL has a process for each connection, in a process group of its own. */
  #children(): number[] {
    if (this.#isOver) return [];
    const { pid } = this.#child;
    try {
      return Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ").filter(Boolean)
        .map(Number);
    } catch (error) {
      // It has just ended.
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}

/** To a process that may have ended a moment ago. */
function sendSignal(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Runs a program of the server's to its end. @throws {Error} with its output when it fails */
export async function runAsServer(name: string, args: readonly string[], cwd: string): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(pathOf(name), {
    args: [...args],
    ...commandOptions(cwd),
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${name} failed:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}

function commandOptions(cwd: string) {
  const env = { PATH: Deno.env.get("PATH") ?? "", LC_ALL: "C" };
  return { cwd, ...serverAccount(), clearEnv: true, env, stdin: "null" } as const;
}

function pathOf(name: string): string {
  const path = findProgram(name);
  if (path === null) throw new Error(`${name} is missing; tests/support/programs.ts names its package`);
  return path;
}
