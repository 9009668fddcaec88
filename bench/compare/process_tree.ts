// CPU time and memory of a program with all processes that it has started.
import { cpuMicros } from "../../tests/support/process_stats.ts";

/** The processes below `roots`, and they themselves. @param without a script: the Deno that runs it is left out */
export function treeOf(roots: readonly number[], without?: string): number[] {
  const children = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const parent = /^\d+$/.test(name) ? parentOf(Number(name)) : null;
    if (parent !== null) children.set(parent, [...children.get(parent) ?? [], Number(name)]);
  }
  const found: number[] = [];
  const walk = (pid: number) => {
    if (without !== undefined) {
      // The program that has started it may have its name among its arguments.
      const command = commandOf(pid);
      if (command.startsWith(Deno.execPath()) && command.includes(without)) return;
    }
    found.push(pid);
    for (const child of children.get(pid) ?? []) walk(child);
  };
  roots.forEach(walk);
  return found;
}

/** User and system time, µs, by process. Ended children count for their parents. */
export function cpuByProcess(pids: readonly number[]): ReadonlyMap<number, number> {
  return new Map(pids.flatMap((pid) => {
    const micros = orNull(() => cpuMicros(pid));
    return micros === null ? [] : [[pid, micros] as const];
  }));
}

/** CPU time between two readings, µs. Of a process that has begun meanwhile, all counts. */
export function cpuBetween(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): number {
  return [...after].reduce((sum, [pid, micros]) => sum + micros - (before.get(pid) ?? 0), 0);
}

/** Proportional set size: memory that processes share counts once. Bytes. */
export function pssBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = orNull(() => Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`));
    return sum + Number(/^Pss:\s+(\d+) kB$/m.exec(text ?? "")?.[1] ?? 0) * 1024;
  }, 0);
}

function parentOf(pid: number): number | null {
  const stat = orNull(() => Deno.readTextFileSync(`/proc/${pid}/stat`));
  return stat === null ? null : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function commandOf(pid: number): string {
  return orNull(() => Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ")) ?? "";
}

/** A process may end while it is read. */
function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
