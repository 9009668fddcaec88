// The kernel's settings of a machine that serves many connections: the rows of ContextForge's tuning guide, and two of this program.
import { atLeast, type Figure, suggested } from "./figure.ts";

const GUIDE_FILES = 2_097_152;

/**
 * @param files open files that all programs are allowed
 * @param backlog BACKLOG of the gateway
 * @param fileMax what the machine has now; null: unknown
 */
export function kernelFigures(
  { files, backlog, fileMax }: { files: number; backlog: number; fileMax: number | null },
): Figure[] {
  return [
    atLeast("net.core.somaxconn", 65_535, `The guide's value: BACKLOG ${backlog} is not cut.`, backlog),
    suggested(
      "net.core.netdev_max_backlog",
      65_535,
      "The guide's value: packets that wait for the kernel are not dropped.",
    ),
    suggested(
      "net.ipv4.tcp_max_syn_backlog",
      65_535,
      "The guide's value. With SYN cookies, which Linux has by default, no connection depends on it.",
    ),
    suggested(
      "net.ipv4.tcp_fin_timeout",
      15,
      "The guide's value, s. It shortens FIN_WAIT_2, the wait for a client that closes half; TIME_WAIT stays a minute.",
    ),
    suggested(
      "net.ipv4.tcp_tw_reuse",
      1,
      "The guide's value: ports of closed connections to upstreams are used again.",
    ),
    suggested(
      "net.ipv4.ip_local_port_range",
      "1024 65535",
      "The guide's value: ports for connections to upstreams.",
    ),
    suggested(
      "net.ipv4.ip_local_reserved_ports",
      "4444,5432,6379,6432",
      "Corrects the range above: it contains the ports of the servers, which a connection to an upstream could take before they start.",
    ),
    atLeast(
      "fs.file-max",
      Math.max(GUIDE_FILES, 2 * files, Math.min(fileMax ?? 0, Number.MAX_SAFE_INTEGER)),
      fileMax !== null && fileMax > GUIDE_FILES
        ? "What this machine has already: the guide's 2097152 would lower it."
        : `max(the guide's ${GUIDE_FILES}, twice the open files of all programs).`,
      files,
    ),
    suggested(
      "net.ipv4.tcp_migrate_req",
      1,
      "This program's own row: a connection that waits for a worker which ends goes to another one.",
    ),
  ];
}
