import { assert, assertEquals } from "@std/assert";
import { Metrics } from "../telemetry/metrics.ts";
import { countOpenFiles } from "./kernel/open_files.ts";
import { registerProcessMetrics } from "./process_metrics.ts";

Deno.test("registerProcessMetrics() tells what the process uses, and what it was made from", () => {
  const metrics = new Metrics();
  registerProcessMetrics(metrics);
  const values = new Map(metrics.snapshot().map(({ name, values }) => [name as string, values[0]!]));
  for (
    const name of [
      ...["process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds"],
      ...Deno.build.os === "linux" ? ["process_open_fds", "process_max_fds"] : [],
    ]
  ) assert(values.get(name)![1][0]! > 0, name);
  const [version, commit, deno] = values.get("sluice_build_info")![0].split("\0");
  assert(version !== "" && commit !== "");
  assertEquals(deno, Deno.version.deno);
});

Deno.test({
  name: "countOpenFiles() counts a file while it is open",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    const before = countOpenFiles()!;
    const files = [1, 2, 3].map(() => Deno.openSync("/dev/null"));
    assertEquals(countOpenFiles(), before + 3);
    for (const file of files) file.close();
    assertEquals(countOpenFiles(), before);
  },
});
