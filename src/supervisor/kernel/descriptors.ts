// Compares the limits of the operating system with what the settings can need.
import type { Config } from "../../config/schema.ts";
import { type DescriptorConfig, descriptorsNeeded } from "../../tuning/sums.ts";
import {
  type Libc,
  openFilesLimit,
  openLibc,
  ownOpenFilesLimit,
  readSystemFile,
  setOpenFilesLimit,
} from "./libc.ts";

/**
 * How many connections of clients the process can hold and still have descriptors for everything else.
 * @param limit null: unlimited
 */
export function maxClientConnections(config: DescriptorConfig, limit: number | null): number {
  if (limit === null) return Infinity;
  const others = descriptorsNeeded({ ...config, backpressure: 0, maxStreams: 0 });
  // Other descriptors are rarely all in use.
  return Math.max(Math.floor(limit / 2), limit - others);
}

/** @param limit null: unlimited. @returns a sentence for the operator; null: the limit is high enough */
export function descriptorWarning(config: DescriptorConfig, limit: number | null): string | null {
  const needed = descriptorsNeeded(config);
  if (limit === null || limit >= needed) return null;
  return `${limit} open files are allowed (ulimit -n), and these settings can need ${needed}, and one more for each idle ` +
    "connection: raise the limit (`ulimit -Hn 65536`, LimitNOFILE= of systemd, ulimits of Docker Compose) or lower WORKERS, " +
    "BACKPRESSURE or MAX_STREAMS";
}

/** @returns a sentence for the operator; null: the kernel's bound is high enough, or unknown (null) */
export function backlogWarning(
  { backlog }: Pick<Config, "backlog">,
  somaxconn: number | null,
): string | null {
  if (somaxconn === null || somaxconn >= backlog) return null;
  return `BACKLOG=${backlog} is cut to ${somaxconn} by the kernel: raise net.core.somaxconn`;
}

/** Raises the soft limit, which exists for programs that use select(2). `deno run` does so by itself, the compiled program does not. */
export function raiseOpenFilesLimit(libc: Pick<Libc, "getrlimit" | "setrlimit"> | null = openLibc()): void {
  const limit = libc === null ? null : openFilesLimit(libc);
  if (libc === null || limit === null || limit.soft === limit.hard) return;
  // If the system refuses, the old limit stays, and a warning names it.
  setOpenFilesLimit(libc, { soft: limit.hard, hard: limit.hard });
}

/** Warnings for the operator. Empty where the system's limits are unknown. */
export function systemLimitWarnings(config: DescriptorConfig & Pick<Config, "backlog">): string[] {
  const limit = ownOpenFilesLimit();
  const somaxconn = readSystemFile("/proc/sys/net/core/somaxconn");
  return [
    descriptorWarning(config, limit),
    backlogWarning(config, somaxconn === null ? null : Number(somaxconn)),
  ].filter((warning) => warning !== null);
}
