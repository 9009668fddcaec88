// A child process with everything that it starts: a group of its own, which is ended as a whole.
import { type Clock, within } from "../../base/clock.ts";

/** How long a process may take to end by itself, each: once its input is closed, and once it is asked to by SIGTERM. */
const GRACE_MS = 2_000;

/**
 * On Linux, util-linux's `setpriv` has the kernel kill the process when the thread that started it is gone, however that came: a
 * worker that is terminated, a gateway that is killed by SIGKILL. Elsewhere a process then only sees the end of its input.
 */
const DIES_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"];

let hasSetpriv: boolean | undefined;

export interface Spawning {
  /** An absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  /** All that the process gets. */
  readonly env: Readonly<Record<string, string>>;
}

/** @throws whatever Deno.Command does */
export function spawnGroup({ program, args, cwd, env }: Spawning): Deno.ChildProcess {
  const [command, ...rest] = [...(diesWithParent() ? DIES_WITH_PARENT : []), program, ...args];
  return new Deno.Command(command!, {
    args: rest,
    cwd,
    clearEnv: true,
    env: { ...env },
    // A session of its own: signals to our terminal do not reach it, ours reach all that it has started.
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Ends a process whose input has been closed, and its group. Resolves when the process is gone. */
export async function endGroup(child: Deno.ChildProcess, clock: Clock): Promise<void> {
  if (!await within(clock, GRACE_MS, child.status)) {
    signalGroup(child.pid, "SIGTERM");
    if (!await within(clock, GRACE_MS, child.status)) signalGroup(child.pid, "SIGKILL");
  }
  await child.status;
  // What it has left behind has had its time, too.
  signalGroup(child.pid, "SIGKILL");
}

export function signalGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch {
    // There is nobody left in it.
  }
}

function diesWithParent(): boolean {
  return hasSetpriv ??= Deno.build.os === "linux" && tries([...DIES_WITH_PARENT, "true"]);
}

function tries([command, ...args]: readonly string[]): boolean {
  try {
    return new Deno.Command(command!, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}
