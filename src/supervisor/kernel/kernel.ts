// Facts about our port from /proc, on Linux only.
import { readSystemFile } from "./libc.ts";

/** net.ipv4.tcp_migrate_req=1: the queue of a closing listener goes to the other listeners of its port. */
export function migratesConnections(): boolean {
  return readSystemFile("/proc/sys/net/ipv4/tcp_migrate_req")?.trim() === "1";
}

/** How many sockets in this network namespace listen on the port, in any process. */
export function listenersOf(port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const tables = [readSystemFile("/proc/net/tcp"), readSystemFile("/proc/net/tcp6")];
  const lines = tables.flatMap((table) => table?.split("\n") ?? []);
  return lines.filter((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return local?.endsWith(suffix) && state === LISTEN;
  }).length;
}

const LISTEN = "0A";
