// Compares the machine with what the settings need of it.
import type { Config } from "../../config/schema.ts";
import { type DescriptorConfig, descriptorsNeeded } from "../../tuning/sums.ts";
import { counted, type Finding } from "./finding.ts";
import type { MachineFacts, SysctlName } from "./machine_facts.ts";

export type MachineConfig =
  & DescriptorConfig
  & Pick<Config, "backlog" | "workerMaxHeapMb" | "maxRequests">;

const MIB = 1024 * 1024;

/** The share of the memory that heaps may fill: buffers, code and the main thread need the rest. */
const HEAP_SHARE = 0.75;

/** The least heap that a worker serves with. */
const LEAST_HEAP_MIB = 128;

const RECOMMENDED_FILES = 65_536;

/** Packets that may wait for the kernel, as ContextForge's tuning guide has it. */
const RECOMMENDED_QUEUE = 65_535;

/** A smaller share of lost packets costs nobody a noticeable wait. */
const RARE_DROPS = 0.000_01;

export function checkMachine(config: MachineConfig, machine: MachineFacts): Finding[] {
  return [
    ...checkCores(config, machine),
    ...checkMemory(config, machine),
    ...checkOpenFiles(config, machine),
    ...checkKernel(config, machine),
  ];
}

function checkCores({ workers }: MachineConfig, { cores }: MachineFacts): Finding[] {
  if (workers <= cores) return [];
  return [{
    id: "machine.cores",
    severity: "warning",
    found: `WORKERS is ${workers}, and this machine has ${counted(cores, "processor")} for them.`,
    why: "More workers than processors take turns: calls take longer, and each worker takes its memory.",
    fix: `WORKERS=${cores}`,
    page: "sizing#settings-that-follow",
  }];
}

function checkMemory(
  { workers, workerMaxHeapMb }: MachineConfig,
  { memoryLimitBytes, memoryBytes }: MachineFacts,
): Finding[] {
  const isLimited = memoryLimitBytes !== null && memoryLimitBytes <= (memoryBytes ?? Infinity);
  const bytes = isLimited ? memoryLimitBytes : memoryBytes;
  if (bytes === null) return [];
  const memory = Math.floor(bytes / MIB);
  const share = Math.floor(HEAP_SHARE * memory / workers);
  const fix = `WORKER_MAX_HEAP_MB=${Math.max(LEAST_HEAP_MIB, share)}`;
  const whose = isLimited ? "the container or unit" : "the machine";
  // Other programs and swap share the memory of a machine, so that its size alone proves nothing.
  const severity = isLimited ? "warning" : "note";
  if (workerMaxHeapMb === 0) {
    return [{
      id: "machine.memory",
      severity: "warning",
      found: `WORKER_MAX_HEAP_MB is 0: no worker has a limit, and ${whose} has ${memory} MiB.`,
      why: "A worker that outgrows the memory ends the whole process instead of itself.",
      fix,
      page: "sizing#settings-that-follow",
    }];
  }
  if (workers * workerMaxHeapMb <= memory) return [];
  return [{
    id: "machine.memory",
    severity,
    found: `${counted(workers, "worker")} of WORKER_MAX_HEAP_MB=${workerMaxHeapMb} may take ${
      workers * workerMaxHeapMb
    } MiB, and ${whose} has ${memory} MiB.`,
    why:
      "The kernel ends the whole process before a worker reaches its own limit, which would end that worker alone.",
    fix,
    page: "sizing#settings-that-follow",
  }];
}

function checkOpenFiles(config: MachineConfig, { openFiles, sysctl }: MachineFacts): Finding[] {
  const needed = descriptorsNeeded(config);
  const findings: Finding[] = [];
  if (openFiles !== null && openFiles < needed) {
    findings.push({
      id: "machine.open_files",
      severity: "warning",
      found: `${openFiles} open files are allowed here (ulimit -Hn), and these settings can need ${needed}.`,
      why: "Without a free descriptor the gateway accepts no connection and opens none to an upstream.",
      fix: `LimitNOFILE=${Math.max(RECOMMENDED_FILES, needed)}`,
      remark: "in the unit of systemd; nofile in ulimits of Docker Compose",
      page: "deploy#systemd",
    });
  }
  const fileMax = numberOf(sysctl, "fs.file-max");
  if (fileMax !== null && fileMax < needed) {
    findings.push({
      id: "machine.file_max",
      severity: "warning",
      found:
        `The kernel allows ${fileMax} open files to all programs, and these settings can need ${needed}.`,
      why: "Without a free descriptor no program of this machine opens a file or a connection.",
      fix: "sysctl -w fs.file-max=2097152",
      page: "doctor#the-kernel",
    });
  }
  return findings;
}

function checkKernel(config: MachineConfig, { sysctl, packets }: MachineFacts): Finding[] {
  const { workers, backlog, httpClientMaxConnections, maxRequests } = config;
  const findings: Finding[] = [];
  const add = (name: SysctlName, severity: Finding["severity"], found: string, why: string, value: string) =>
    findings.push({
      id: `machine.${name.replace(/^.*\./, "")}`,
      severity,
      found,
      why,
      fix: `sysctl -w ${name}=${value}`,
      page: "doctor#the-kernel",
    });
  const somaxconn = numberOf(sysctl, "net.core.somaxconn");
  if (somaxconn !== null && somaxconn < backlog) {
    add(
      "net.core.somaxconn",
      "warning",
      `BACKLOG is ${backlog}, and the kernel cuts it to net.core.somaxconn=${somaxconn}.`,
      "Connections that arrive together above that number are dropped, and their clients wait a second or longer.",
      String(backlog),
    );
  }
  const queue = numberOf(sysctl, "net.core.netdev_max_backlog");
  if (
    packets !== null && packets.dropped > RARE_DROPS * packets.taken && queue !== null &&
    queue < RECOMMENDED_QUEUE
  ) {
    add(
      "net.core.netdev_max_backlog",
      "note",
      `The kernel has dropped ${packets.dropped} of ${packets.taken} packets since its start: its queue was full (net.core.netdev_max_backlog=${queue}).`,
      "A dropped packet is sent again after 200 ms or more, for which its call waits.",
      String(RECOMMENDED_QUEUE),
    );
  }
  const synBacklog = numberOf(sysctl, "net.ipv4.tcp_max_syn_backlog");
  if (sysctl["net.ipv4.tcp_syncookies"] === "0" && synBacklog !== null && synBacklog < backlog) {
    add(
      "net.ipv4.tcp_max_syn_backlog",
      "warning",
      `BACKLOG is ${backlog}, SYN cookies are off, and net.ipv4.tcp_max_syn_backlog is ${synBacklog}.`,
      "Connections that are being opened above that number are dropped.",
      String(backlog),
    );
  }
  const [low, high] = (sysctl["net.ipv4.ip_local_port_range"] ?? "").split(" ").map(Number);
  const outbound = workers * httpClientMaxConnections;
  // A closed connection keeps its port for a minute (TIME_WAIT), so that as many again are needed.
  if (high - low + 1 < 2 * outbound) {
    add(
      "net.ipv4.ip_local_port_range",
      "warning",
      `The kernel has ${
        high - low + 1
      } ports for connections to one address, and the workers may open ${outbound}.`,
      "Without a free port no connection to an upstream can be opened. A closed one keeps its port for a minute.",
      '"1024 65535"',
    );
  }
  if (sysctl["net.ipv4.tcp_tw_reuse"] === "0") {
    add(
      "net.ipv4.tcp_tw_reuse",
      "note",
      "net.ipv4.tcp_tw_reuse is 0: a port of a closed connection to an upstream stays taken for a minute.",
      "Ports run out if upstreams close each connection after its answer and there are hundreds of calls a second.",
      "1",
    );
  }
  const finTimeout = numberOf(sysctl, "net.ipv4.tcp_fin_timeout");
  if (finTimeout !== null && finTimeout > 60) {
    add(
      "net.ipv4.tcp_fin_timeout",
      "note",
      `net.ipv4.tcp_fin_timeout is ${finTimeout} s, above the kernel's own 60.`,
      "Connections that a client leaves half closed take memory for that long.",
      "60",
    );
  }
  if (maxRequests > 0 && sysctl["net.ipv4.tcp_migrate_req"] === "0") {
    add(
      "net.ipv4.tcp_migrate_req",
      "note",
      `MAX_REQUESTS=${maxRequests} replaces workers, and net.ipv4.tcp_migrate_req is 0.`,
      "A client that opens a connection at that moment may wait a second.",
      "1",
    );
  }
  return findings;
}

function numberOf(sysctl: MachineFacts["sysctl"], name: SysctlName): number | null {
  const text = sysctl[name];
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text);
}
