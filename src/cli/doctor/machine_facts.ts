// Reads the machine: processors, memory, open files, and the kernel's settings.
import { openFilesLimit, openLibc, readSystemFile } from "../../supervisor/kernel/libc.ts";
import { cgroupLimits } from "./cgroup.ts";

export interface MachineFacts {
  /** Processors that this process may use. */
  readonly cores: number;
  /** Memory of the container or unit; null: no limit, or unknown. */
  readonly memoryLimitBytes: number | null;
  /** Memory of the machine; null: unknown. */
  readonly memoryBytes: number | null;
  /** The hard limit of open files, which `serve` makes its own; null: unlimited or unknown. */
  readonly openFiles: number | null;
  /** Packets since the start of the kernel: taken, and dropped because its queue was full; null: unknown. */
  readonly packets: { readonly taken: number; readonly dropped: number } | null;
  /** The kernel's settings by name; a missing one is unknown. */
  readonly sysctl: Readonly<Partial<Record<SysctlName, string>>>;
}

const SYSCTL_NAMES = [
  "net.core.somaxconn",
  "net.core.netdev_max_backlog",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_tw_reuse",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_max_syn_backlog",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_migrate_req",
  "fs.file-max",
] as const;

export type SysctlName = (typeof SYSCTL_NAMES)[number];

export function readMachine(): MachineFacts {
  const cgroup = cgroupLimits(readSystemFile);
  const kibibytes = /^MemTotal:\s+(\d+) kB$/m.exec(readSystemFile("/proc/meminfo") ?? "")?.[1];
  return {
    cores: Math.min(navigator.hardwareConcurrency, Math.ceil(cgroup.cpus ?? Infinity)),
    memoryLimitBytes: cgroup.memoryBytes,
    memoryBytes: kibibytes === undefined ? null : Number(kibibytes) * 1024,
    openFiles: hardLimit(),
    packets: packetsIn(readSystemFile("/proc/net/softnet_stat")),
    sysctl: Object.fromEntries(SYSCTL_NAMES.flatMap((name) => {
      const text = readSystemFile(`/proc/sys/${name.replaceAll(".", "/")}`)?.trim().replace(/\s+/g, " ");
      return text === undefined || text === "" ? [] : [[name, text]];
    })),
  };
}

/** @param text a line for each processor, of hexadecimal numbers: packets that were taken, dropped ones, … */
export function packetsIn(text: string | null): MachineFacts["packets"] {
  const lines = (text ?? "").trim().split("\n").map((line) =>
    line.split(/\s+/).map((word) => parseInt(word, 16))
  );
  const sum = (column: number) => lines.reduce((total, numbers) => total + (numbers[column] ?? NaN), 0);
  const packets = { taken: sum(0), dropped: sum(1) };
  return Number.isNaN(packets.taken + packets.dropped) ? null : packets;
}

const MIB = 1024 * 1024;

/** Where the machine does not tell its memory. */
const UNKNOWN_RAM_MB = 4_096;

/** What the gateway can fill: the memory of the machine, or the limit of the container. */
export function ramMbOf({ memoryLimitBytes, memoryBytes }: MachineFacts): number {
  const bytes = Math.min(memoryLimitBytes ?? Infinity, memoryBytes ?? Infinity);
  return bytes === Infinity ? UNKNOWN_RAM_MB : Math.floor(bytes / MIB);
}

function hardLimit(): number | null {
  const libc = openLibc();
  const hard = libc === null ? null : openFilesLimit(libc)?.hard ?? null;
  return hard === null || hard > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(hard);
}
