// Upstreams that are started as processes: the bodies that register them, and what is left of them afterwards.

const COUNTER = new URL("./stdio_counter.sh", import.meta.url).pathname;

export type Misbehaviour = "sound" | "dies" | "stubborn" | "deaf" | "slow" | "strict" | "mute";

/** The counter of stdio_counter.sh; `mark` is in the command line of its processes. */
export function counterLaunch(mark: string, how: Misbehaviour = "sound") {
  return { command: "/bin/sh", args: [COUNTER, how, mark] };
}

/** The conformance-complete upstream over stdio, of 2026-07-28 alone or of all revisions; `mark` is as above. */
export function conformanceLaunch(
  mark: string,
  revisions: "stateless" | "both" = "stateless",
  more: readonly string[] = [],
) {
  const script = new URL("../conformance/upstream/stdio_main.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--quiet", script, "--revisions", revisions, "--mark", mark, ...more];
  return { command: Deno.execPath(), args };
}

/** The ids of the living processes with `mark` in their command line. Zombies have no command line. */
export function processesWith(mark: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      if (Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(mark)) found.push(Number(name));
    } catch {
      // It has just ended.
    }
  }
  return found;
}

/** The living processes of the groups that these processes led. */
export function groupMembers(leaders: readonly number[]): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      // The second field is the program's name in brackets, which may hold spaces.
      const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state !== "Z" && leaders.includes(Number(group))) found.push(Number(name));
    } catch {
      // It has just ended.
    }
  }
  return found;
}
