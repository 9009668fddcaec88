// Starts a child process in a process group of its own, and ends the group as a whole.
import { type Clock, within } from "../../base/clock.ts";
import type { Account } from "./account.ts";

/** Time for a process to end by itself, first after its input is closed, then after SIGTERM. */
const GRACE_MS = 2_000;

/**
 * On Linux, util-linux's `setpriv` makes the kernel kill the process when its parent thread ends for any reason: a terminated
 * worker, or a gateway killed by SIGKILL. On other systems the process only sees the end of its input.
 */
const DIES_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"];

let hasSetpriv: boolean | undefined;

export interface Spawning {
  /** An absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  /** The complete environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  /** The user of the process; null: the gateway's own. */
  readonly account: Account | null;
}

/** @throws errors of Deno.Command */
export function spawnGroup({ program, args, cwd, env, account }: Spawning): Deno.ChildProcess {
  const [command, ...rest] = [...launcher(account), program, ...args];
  return new Deno.Command(command!, {
    args: rest,
    cwd,
    clearEnv: true,
    env: { ...env },
    // The process gets a session of its own. Terminal signals do not reach it, and ours reach the whole group.
    detached: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The command line in front of a program that makes its process die with the gateway and run as `account`. */
export function launcher(account: Account | null): string[] {
  if (account === null) return diesWithParent() ? [...DIES_WITH_PARENT, "--"] : [];
  const { uid, gid } = account;
  const identity = ["--reuid", String(uid), "--regid", String(gid), "--clear-groups", "--inh-caps=-all"];
  return [...DIES_WITH_PARENT, ...identity, "--"];
}

/** Ends a process whose input is closed, and its group. Resolves when the process is gone. */
export async function endGroup(child: Deno.ChildProcess, clock: Clock): Promise<void> {
  if (!await within(clock, GRACE_MS, child.status)) {
    signalGroup(child.pid, "SIGTERM");
    if (!await within(clock, GRACE_MS, child.status)) signalGroup(child.pid, "SIGKILL");
  }
  await child.status;
  // Remaining processes of the group have had the same time.
  signalGroup(child.pid, "SIGKILL");
}

export function signalGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch {
    // The group is empty.
  }
}

function diesWithParent(): boolean {
  return hasSetpriv ??= Deno.build.os === "linux" && tries([...DIES_WITH_PARENT, "--", "true"]);
}

function tries([command, ...args]: readonly string[]): boolean {
  try {
    return new Deno.Command(command!, { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}
