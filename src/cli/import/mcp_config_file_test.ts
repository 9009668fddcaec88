import { assertEquals, assertThrows } from "@std/assert";
import type { ConfigFileContent } from "../../admin/imports/config_file_sync.ts";
import { SluiceError } from "../../base/errors.ts";
import { createLog } from "../../telemetry/log.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MemorySink } from "../../../tests/support/fakes.ts";
import { McpConfigFile } from "./mcp_config_file.ts";

Deno.test("McpConfigFile applies the file at once and after each change, and keeps what there is while it cannot be read", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/mcp.json`;
    const write = (servers: Record<string, unknown>) =>
      Deno.writeTextFileSync(file, JSON.stringify({ mcpServers: servers }));
    const applied: ConfigFileContent[] = [];
    let answers = true;
    const supervisor = {
      askOne: ({ content }: { content: ConfigFileContent }) => {
        if (!answers) return Promise.resolve(null);
        applied.push(content);
        return Promise.resolve({ registered: [], changed: [], removed: [], leftOut: [] });
      },
    };
    const clock = new FakeClock();
    const sink = new MemorySink();
    const log = createLog({ level: "INFO", format: "json", sink });
    const ending = new AbortController();

    assertEquals(assertThrows(() => McpConfigFile.open(file), SluiceError).code, "CONFIG_FILE_UNUSABLE");
    write({ a: { command: "a", args: ["${HOME}", "${input:NOT_THERE}"] } });
    await McpConfigFile.open(file).follow({ supervisor, log, clock, signal: ending.signal });
    assertEquals(applied.map(({ source, entries }) => [source, entries.length]), [[`mcp-config:${file}`, 1]]);
    assertEquals(applied[0]!.values, { HOME: Deno.env.get("HOME")! });
    await clock.tick(5_000);
    assertEquals(applied.length, 1);

    write({ a: { command: "a" }, b: { command: "b" } });
    await clock.tick(1_000);
    assertEquals(applied.at(-1)!.entries.map(({ name }) => name), ["a", "b"]);

    Deno.writeTextFileSync(file, '{"mcpServers": {');
    await clock.tick(3_000);
    Deno.removeSync(file);
    await clock.tick(3_000);
    assertEquals(applied.length, 2);
    assertEquals(sink.lines.filter((line) => line.includes("stay as they were")).length, 2);

    // A worker that does not answer is asked again.
    answers = false;
    write({});
    await clock.tick(2_000);
    Deno.writeTextFileSync(file, "");
    await clock.tick(2_000);
    answers = true;
    await clock.tick(1_000);
    assertEquals(applied.at(-1)!.entries, []);
    ending.abort();
    await clock.tick(0);
    assertEquals(clock.timers, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
