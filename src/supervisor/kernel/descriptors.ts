// What the operating system allows this process, against what its settings can need.
import type { Config } from "../../config/schema.ts";
import { MAX_LIMIT as AUTO_BACKPRESSURE } from "../../http/admission_gradient.ts";
import { type Libc, openFilesLimit, openLibc, setOpenFilesLimit } from "./libc.ts";

export type DescriptorConfig = Pick<
  Config,
  | "workers"
  | "backpressure"
  | "maxStreams"
  | "httpClientMaxConnections"
  | "databaseUrl"
  | "dbPoolSize"
  | "dbMaxOverflow"
  | "cacheType"
>;

/** What a worker has open besides connections: its listener (two while a certificate is replaced), event loop, timers. */
const WORKER_OVERHEAD = 16;

/** Standard streams, the main thread's event loop, signals, the program's own files. */
const PROCESS_OVERHEAD = 64;

/** A SQLite connection: the database, its log and its shared index. */
const SQLITE_DESCRIPTORS = 3;

/** How many descriptors the settings allow the process to need at once: a connection, or a file, each. Idle connections come on top. */
export function descriptorsNeeded(config: DescriptorConfig): number {
  const requests = config.backpressure === "auto" ? AUTO_BACKPRESSURE : config.backpressure;
  const database = config.databaseUrl.startsWith("sqlite")
    ? SQLITE_DESCRIPTORS
    : config.dbPoolSize + config.dbMaxOverflow;
  const redis = config.cacheType === "redis" ? 1 : 0;
  const perWorker = requests + config.maxStreams + config.httpClientMaxConnections + database + redis +
    WORKER_OVERHEAD;
  return config.workers * perWorker + PROCESS_OVERHEAD;
}

/** One sentence for the operator; null: the limit is high enough. `limit` null: there is none. */
export function descriptorWarning(config: DescriptorConfig, limit: number | null): string | null {
  const needed = descriptorsNeeded(config);
  if (limit === null || limit >= needed) return null;
  return `${limit} open files are allowed (ulimit -n), and these settings can need ${needed}, and one more for each idle ` +
    "connection: raise the limit (`ulimit -Hn 65536`, LimitNOFILE= of systemd, ulimits of Docker Compose) or lower WORKERS, " +
    "BACKPRESSURE or MAX_STREAMS";
}

/** One sentence for the operator; null: the kernel's bound is high enough, or unknown (null). */
export function backlogWarning(
  { backlog }: Pick<Config, "backlog">,
  somaxconn: number | null,
): string | null {
  if (somaxconn === null || somaxconn >= backlog) return null;
  return `BACKLOG=${backlog} is cut to ${somaxconn} by the kernel: raise net.core.somaxconn`;
}

/** As most servers do: the soft limit is there for programs that use select(2). `deno run` does it too, the compiled program does not. */
export function raiseOpenFilesLimit(libc: Pick<Libc, "getrlimit" | "setrlimit"> | null = openLibc()): void {
  const limit = libc === null ? null : openFilesLimit(libc);
  if (libc === null || limit === null || limit.soft === limit.hard) return;
  // Where it is refused, the old limit holds, and the warning tells of that.
  setOpenFilesLimit(libc, { soft: limit.hard, hard: limit.hard });
}

/** The soft limit of open files, from the text of /proc/self/limits; null: unlimited, or not said. */
export function parseOpenFilesLimit(limits: string): number | null {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? null : Number(soft);
}

/** What this process should be warned of. Empty where /proc does not say, as on other systems than Linux. */
export function systemLimitWarnings(config: DescriptorConfig & Pick<Config, "backlog">): string[] {
  const limits = readIfThere("/proc/self/limits");
  const somaxconn = readIfThere("/proc/sys/net/core/somaxconn");
  return [
    limits === null ? null : descriptorWarning(config, parseOpenFilesLimit(limits)),
    backlogWarning(config, somaxconn === null ? null : Number(somaxconn)),
  ].filter((warning) => warning !== null);
}

function readIfThere(file: string): string | null {
  try {
    return Deno.readTextFileSync(file);
  } catch {
    return null;
  }
}
