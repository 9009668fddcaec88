import { assertEquals, assertStringIncludes } from "@std/assert";
import { loadConfig } from "../../config/load.ts";
import { cgroupLimits } from "./cgroup.ts";
import { checkMachine, type MachineConfig } from "./machine_checks.ts";
import { type MachineFacts, packetsIn } from "./machine_facts.ts";

const GIB = 2 ** 30;

const WELL: MachineFacts = {
  packets: { taken: 345_000_000, dropped: 12 },
  cores: 2,
  memoryLimitBytes: null,
  memoryBytes: 8 * GIB,
  openFiles: 65_536,
  sysctl: {
    "net.core.somaxconn": "4096",
    "net.ipv4.ip_local_port_range": "32768 60999",
    "net.ipv4.tcp_tw_reuse": "2",
    "net.ipv4.tcp_fin_timeout": "60",
    "net.ipv4.tcp_max_syn_backlog": "512",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv4.tcp_migrate_req": "0",
    "fs.file-max": "9223372036854775807",
  },
};
const UNKNOWN: MachineFacts = { ...WELL, memoryBytes: null, openFiles: null, packets: null, sysctl: {} };

function config(environment: Record<string, string> = {}): MachineConfig {
  return loadConfig({ environment, dotEnv: null, dev: false, overrides: {}, cores: 2 }).config;
}

Deno.test("checkMachine() finds nothing on a usual machine, nor where nothing is known", () => {
  assertEquals(checkMachine(config(), WELL), []);
  assertEquals(checkMachine(config(), UNKNOWN), []);
});

Deno.test("checkMachine() finds each thing that does not suffice, and names a line that mends it", () => {
  const sysctl = (name: string, value: string) => ({ ...WELL, sysctl: { ...WELL.sysctl, [name]: value } });
  const cases: [environment: Record<string, string>, facts: MachineFacts, finding: string][] = [
    [{ WORKERS: "3" }, WELL, "warning machine.cores WORKERS=2"],
    [{}, { ...WELL, memoryLimitBytes: 2 * GIB }, "warning machine.memory WORKER_MAX_HEAP_MB=768"],
    [{}, { ...WELL, memoryBytes: 2 * GIB }, "note machine.memory WORKER_MAX_HEAP_MB=768"],
    [{ WORKER_MAX_HEAP_MB: "0" }, WELL, "warning machine.memory WORKER_MAX_HEAP_MB=3072"],
    [{}, { ...WELL, openFiles: 1024 }, "warning machine.open_files LimitNOFILE=65536"],
    [{}, sysctl("fs.file-max", "1024"), "warning machine.file_max sysctl -w fs.file-max=2097152"],
    [
      {},
      {
        ...WELL,
        packets: { taken: 1_000_000, dropped: 900 },
        sysctl: { ...WELL.sysctl, "net.core.netdev_max_backlog": "1000" },
      },
      "note machine.netdev_max_backlog sysctl -w net.core.netdev_max_backlog=65535",
    ],
    [{}, sysctl("net.core.somaxconn", "128"), "warning machine.somaxconn sysctl -w net.core.somaxconn=2048"],
    [
      {},
      sysctl("net.ipv4.tcp_syncookies", "0"),
      "warning machine.tcp_max_syn_backlog sysctl -w net.ipv4.tcp_max_syn_backlog=2048",
    ],
    [
      {},
      sysctl("net.ipv4.ip_local_port_range", "60800 60999"),
      'warning machine.ip_local_port_range sysctl -w net.ipv4.ip_local_port_range="1024 65535"',
    ],
    [{}, sysctl("net.ipv4.tcp_tw_reuse", "0"), "note machine.tcp_tw_reuse sysctl -w net.ipv4.tcp_tw_reuse=1"],
    [
      {},
      sysctl("net.ipv4.tcp_fin_timeout", "120"),
      "note machine.tcp_fin_timeout sysctl -w net.ipv4.tcp_fin_timeout=60",
    ],
    [
      { MAX_REQUESTS: "1000" },
      WELL,
      "note machine.tcp_migrate_req sysctl -w net.ipv4.tcp_migrate_req=1",
    ],
  ];
  for (const [environment, facts, finding] of cases) {
    const found = checkMachine(config(environment), facts);
    assertEquals(found.map(({ severity, id, fix }) => `${severity} ${id} ${fix}`), [finding]);
  }
});

Deno.test("checkMachine() adds up what the settings of all workers need", () => {
  const [{ found }] = checkMachine(config(), { ...WELL, openFiles: 1024 });
  // Two workers of 512 requests, 4096 streams, 100 outbound connections, SQLite and their own, and the process.
  assertStringIncludes(found, "can need 9518.");
});

Deno.test("cgroupLimits() takes the lowest limit of the group and those around it", () => {
  const limits = (files: Record<string, string>) => cgroupLimits((path) => files[path] ?? null);
  assertEquals(limits({}), { memoryBytes: null, cpus: null });
  const unit = {
    "/proc/self/cgroup": "0::/system.slice/sluice.service\n",
    "/sys/fs/cgroup/system.slice/sluice.service/memory.max": "max\n",
    "/sys/fs/cgroup/system.slice/memory.max": "1073741824\n",
    "/sys/fs/cgroup/system.slice/sluice.service/cpu.max": "150000 100000\n",
    "/sys/fs/cgroup/cpu.max": "max 100000\n",
  };
  assertEquals(limits(unit), { memoryBytes: GIB, cpus: 1.5 });
  // In a container the root of the mount is the container's own group.
  const container = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "536870912\n" };
  assertEquals(limits(container), { memoryBytes: GIB / 2, cpus: null });
  const first = {
    "/proc/self/cgroup": "4:memory:/docker/abc\n3:cpuacct,cpu:/docker/abc\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
    "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "50000\n",
    "/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
  };
  assertEquals(limits(first), { memoryBytes: 2 * GIB, cpus: 0.5 });
});

Deno.test("packetsIn() adds up what all processors have taken and dropped", () => {
  const text = "148709e3 0000000c 00000055 00000000\n0000001d 00000001 00000065 00000000\n";
  assertEquals(packetsIn(text), { taken: 0x148709e3 + 0x1d, dropped: 13 });
  assertEquals([packetsIn(null), packetsIn("")], [null, null]);
});
