// What Linux knows of a process, so that tests and load runs need not believe what the process says of itself.

/** USER_HZ: the unit of the times in /proc/PID/stat. 100 on every architecture that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time that a process and its ended children used so far, user and system, in µs. Steps are 10,000 µs. */
export function cpuMicros(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The second field is the program's name in brackets, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks * (1_000_000 / TICKS_PER_SECOND);
}

/** Resident memory of a process, bytes. */
export function rssBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return Number(kilobytes) * 1024;
}

/** V8 collects what is garbage when it has had nothing to do for about 15 s. */
const COLLECTED_WITHIN_MS = 20_000;

/** Resident memory of a process that is left alone, bytes: what it keeps, without what it has not thrown away yet. Takes 20 s. */
export async function settledRssBytes(pid: number): Promise<number> {
  let lowest = rssBytes(pid);
  for (const end = Date.now() + COLLECTED_WITHIN_MS; Date.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    lowest = Math.min(lowest, rssBytes(pid));
  }
  return lowest;
}

/** How many threads of a process run a worker: Deno names them `worker-N`. */
export function workerThreads(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].filter(({ name }) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/task/${name}/comm`).startsWith("worker-");
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }).length;
}

/** How many file descriptors a process has open. */
export function openFds(pid: number): number {
  // Since Linux 6.2, the size of the folder. Its content is closed where the process keeps secrets from others of its user.
  const folder = `/proc/${pid}/fd`;
  return Deno.statSync(folder).size || [...Deno.readDirSync(folder)].length;
}

/**
 * The inodes of the sockets that listen on an IPv4 TCP `port`, sorted. With `reusePort` each worker has one, so their number is the
 * number of workers, and an inode that went away is a worker that went away.
 */
export function listeningSockets(port: number): string[] {
  const LISTEN = "0A";
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return Deno.readTextFileSync("/proc/net/tcp").split("\n").slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(wanted) && fields[3] === LISTEN)
    .map((fields) => fields[9])
    .sort();
}
