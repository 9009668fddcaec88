// How much of the processors nothing used for a while, as Linux counts it.

const STAT = "/proc/stat";

/** Measures for `ms`. @returns the share of all processors' time, 0 to 1; 0 where nothing tells: not Linux, or not all of the machine is ours */
export async function idleShare(ms: number): Promise<number> {
  const before = await Deno.readTextFile(STAT).catch(() => "");
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = await Deno.readTextFile(STAT).catch(() => "");
  // A container shows the processors of its host.
  return processorsIn(after) === navigator.hardwareConcurrency ? idleShareBetween(before, after) : 0;
}

/** @param before, after two texts of /proc/stat */
export function idleShareBetween(before: string, after: string): number {
  const [from, to] = [timesIn(before), timesIn(after)];
  const passed = to.all - from.all;
  return passed > 0 ? (to.idle - from.idle) / passed : 0;
}

/** Of all processors since the machine was started. Waiting for a disk is idle, too. */
function timesIn(stat: string): { readonly idle: number; readonly all: number } {
  const [, user, nice, system, idle, disk, ...more] = (/^cpu .*$/m.exec(stat)?.[0] ?? "").split(/\s+/).map(
    Number,
  );
  if (user === undefined) return { idle: 0, all: 0 };
  // irq, softirq and steal; what follows is part of the others.
  const others = more.slice(0, 3).reduce((sum, ticks) => sum + ticks, 0);
  const nothing = idle! + disk!;
  return { idle: nothing, all: user + nice! + system! + nothing + others };
}

function processorsIn(stat: string): number {
  return stat.match(/^cpu\d+ /gm)?.length ?? 0;
}
