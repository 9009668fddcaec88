// The limits of the control group that this process runs in: those of a container, or of a systemd unit.

export type ReadFile = (path: `/proc/${string}` | `/sys/${string}`) => string | null;

export interface CgroupLimits {
  /** null: no limit. */
  readonly memoryBytes: number | null;
  /** Processors, as a fraction; null: no limit. */
  readonly cpus: number | null;
}

/** Version 1 writes "no limit" as a number that no machine has. */
const NO_LIMIT = 2 ** 60;

/** The lowest limits of the group and the groups that it is in. */
export function cgroupLimits(read: ReadFile): CgroupLimits {
  const groups = (read("/proc/self/cgroup") ?? "").split("\n").flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    return path === undefined ? [] : [{ controllers: controllers.split(","), path }];
  });
  const pathsOf = (controller: string) =>
    upwards(groups.find(({ controllers }) => controllers.includes(controller))?.path ?? "/");
  const memory = [
    ...pathsOf("").map((path) => read(`/sys/fs/cgroup${path}/memory.max`)),
    ...pathsOf("memory").map((path) => read(`/sys/fs/cgroup/memory${path}/memory.limit_in_bytes`)),
  ].map(Number).filter((bytes) => bytes > 0 && bytes < NO_LIMIT);
  const cpus = [
    ...pathsOf("").map((path) => read(`/sys/fs/cgroup${path}/cpu.max`)?.trim().split(" ") ?? []),
    ...pathsOf("cpu").map((path) =>
      ["quota", "period"].map((name) => read(`/sys/fs/cgroup/cpu${path}/cpu.cfs_${name}_us`) ?? "")
    ),
  ].map(([quota, period]) => Number(quota) / Number(period)).filter((share) => share > 0 && share < Infinity);
  return { memoryBytes: leastOf(memory), cpus: leastOf(cpus) };
}

/** A group and the groups around it; the root is "". In a container the path may be one of the host, which is not there. */
function upwards(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return Array.from(
    { length: parts.length + 1 },
    (_, at) => ["", ...parts.slice(0, parts.length - at)].join("/"),
  );
}

function leastOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.min(...values);
}
