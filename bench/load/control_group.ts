// A control group of Linux with limits, as Docker, Kubernetes and systemd make it: version 2, or 1. It needs root.
import { dirname } from "node:path";
import { waitFor } from "../../tests/support/wait_for.ts";

const ROOT = "/sys/fs/cgroup";

/** The share of a group beside the rest of the machine, where 1 is usual: other work shall not decide what is measured. */
const WEIGHT = 16;

/** Docker's and Kubernetes' own period of the quota, µs. */
const PERIOD_US = 100_000;

export interface Limits {
  readonly cpus: number;
  readonly memoryMb: number;
}

/** The files of a group: one folder in version 2, one for each controller in version 1. */
interface Files {
  readonly folders: readonly string[];
  readonly weight: readonly [path: string, value: string];
  readonly limits: (limits: Limits) => readonly (readonly [path: string, value: string])[];
  readonly statistics: string;
  /** The key of anonymous memory in `statistics`. */
  readonly memoryKey: string;
  readonly events: string;
  /** Processor time, µs. */
  readonly cpuMicros: () => number;
}

export class ControlGroup implements AsyncDisposable {
  private constructor(private readonly files: Files) {}

  /** @param limits null: none. @throws {Error} if this machine allows no such group */
  static create(name: string, limits: Limits | null): ControlGroup {
    const folder = `sluice_${name}_${Deno.pid}`;
    const files = isUnified() ? unified(`${ROOT}/${folder}`) : separate(folder);
    for (const folder of files.folders) Deno.mkdirSync(folder);
    for (const [path, value] of [files.weight, ...limits === null ? [] : files.limits(limits)]) {
      Deno.writeTextFileSync(path, value);
    }
    return new ControlGroup(files);
  }

  /** This process, and what it starts from now on, runs in the group until the end. */
  enter(): void {
    for (const folder of this.files.folders) {
      Deno.writeTextFileSync(`${folder}/cgroup.procs`, String(Deno.pid));
    }
  }

  /** Words in front of a command line: a shell that enters the group and becomes the program. */
  get launcher(): readonly string[] {
    const enter = this.files.folders.map((folder) => `echo $$ > ${folder}/cgroup.procs`).join(" && ");
    return ["/bin/sh", "-c", `${enter} && exec "$@"`, "sh"];
  }

  /** Memory that its programs have for themselves, bytes: without cached files, which the kernel takes away at need. */
  get memoryBytes(): number {
    return valueIn(this.files.statistics, this.files.memoryKey);
  }

  /** Processor time of its programs so far, µs. */
  get cpuMicros(): number {
    return this.files.cpuMicros();
  }

  /** Programs that the kernel has ended because the memory was full. */
  get kills(): number {
    return valueIn(this.files.events, "oom_kill");
  }

  /** After its programs have ended. This process leaves the group. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.files.folders) {
      Deno.writeTextFileSync(`${folder}/../cgroup.procs`, String(Deno.pid));
    }
    for (const folder of this.files.folders) {
      await waitFor(() => (Deno.removeSync(folder), true), { what: `the end of ${folder}` });
    }
  }
}

function isUnified(): boolean {
  try {
    return Deno.readTextFileSync(`${ROOT}/cgroup.controllers`).includes("memory");
  } catch {
    return false;
  }
}

function unified(folder: string): Files {
  return {
    folders: [folder],
    weight: [`${folder}/cpu.weight`, String(100 * WEIGHT)],
    limits: ({ cpus, memoryMb }) => [
      [`${folder}/cpu.max`, `${cpus * PERIOD_US} ${PERIOD_US}`],
      [`${folder}/memory.max`, String(memoryMb * 1024 * 1024)],
      [`${folder}/memory.swap.max`, "0"],
    ],
    statistics: `${folder}/memory.stat`,
    memoryKey: "anon",
    events: `${folder}/memory.events`,
    cpuMicros: () => valueIn(`${folder}/cpu.stat`, "usage_usec"),
  };
}

function separate(name: string): Files {
  const [cpu, account, memory] = ["cpu", "cpuacct", "memory"].map((controller) =>
    `${ROOT}/${controller}/${name}`
  );
  return {
    folders: [
      ...new Set([cpu, account, memory].map((folder) => Deno.realPathSync(dirname(folder)) + `/${name}`)),
    ],
    weight: [`${cpu}/cpu.shares`, String(1024 * WEIGHT)],
    limits: ({ cpus, memoryMb }) => [
      [`${cpu}/cpu.cfs_period_us`, String(PERIOD_US)],
      [`${cpu}/cpu.cfs_quota_us`, String(cpus * PERIOD_US)],
      [`${memory}/memory.limit_in_bytes`, String(memoryMb * 1024 * 1024)],
    ],
    statistics: `${memory}/memory.stat`,
    memoryKey: "rss",
    events: `${memory}/memory.oom_control`,
    // In ns.
    cpuMicros: () => Number(Deno.readTextFileSync(`${account}/cpuacct.usage`)) / 1_000,
  };
}

function valueIn(path: string, key: string): number {
  return Number(new RegExp(`^${key} (\\d+)$`, "m").exec(Deno.readTextFileSync(path))?.[1] ?? 0);
}
