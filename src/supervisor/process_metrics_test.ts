import { assert, assertEquals } from "@std/assert";
import { waitFor } from "../../tests/support/wait_for.ts";
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
  fn: async () => {
    // Other tests open and close files in the same process, so the differences are right in a quiet moment.
    await waitFor(() => {
      const before = countOpenFiles()!;
      const files = [1, 2, 3].map(() => Deno.openSync("/dev/null"));
      const meanwhile = countOpenFiles()!;
      for (const file of files) file.close();
      return meanwhile === before + 3 && countOpenFiles() === before;
    }, { what: "three more files to be counted while they are open" });
  },
});
