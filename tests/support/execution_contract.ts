// What the store promises of executions, whichever database is under it.
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { ExecutionCounts } from "../../src/telemetry/executions.ts";
import type { RegistryTest } from "./people_contract.ts";
import { newServer } from "./registry_rows.ts";

const HOUR_MS = 3_600_000;
const DAY = 20_000;

/** @param hour of the day */
function counts(id: string, hour: number, given: Partial<ExecutionCounts> = {}): ExecutionCounts {
  return {
    ...{ kind: "server", id, hour: DAY * 24 + hour, count: 2, failed: 1, seconds: 0.5, least: 0.1 },
    greatest: 0.4,
    lastMs: (DAY * 24 + hour) * HOUR_MS + 5,
    ...given,
  };
}

export function executionContract(registryTest: RegistryTest): void {
  registryTest("executions add up in all, by day and by hour, each batch once", async ({ executions }) => {
    const batch = {
      writer: "w1",
      sequence: 1,
      counts: [
        counts("a", 1),
        counts("a", 2, { count: 1, failed: 0, seconds: 2, least: 2, greatest: 2 }),
        counts("b", 1),
      ],
    };
    const now = (DAY * 24 + 3) * HOUR_MS;
    await executions.add(batch, now);
    await executions.add(batch, now);
    await executions.add({ ...batch, writer: "w2", counts: [counts("a", 25, { least: 0.05 })] }, now);
    const all = (await executions.of("server", "a"))!;
    assertEquals(
      [all.count, all.failed, all.least, all.greatest, all.lastMs],
      [5, 2, 0.05, 2, (DAY * 24 + 25) * HOUR_MS + 5],
    );
    assertAlmostEquals(all.seconds, 3);
    const shown = async (span: "day" | "hour", from: number) =>
      (await executions.spans("server", "a", span, from)).map((
        { start, count, greatest },
      ) => [start, count, greatest]);
    assertEquals(await shown("day", 0), [[DAY, 3, 2], [DAY + 1, 2, 0.4]]);
    assertEquals(await shown("hour", DAY * 24 + 2), [[DAY * 24 + 2, 1, 2], [DAY * 24 + 25, 2, 0.4]]);
    assertEquals((await executions.ofAll("server"))!.count, 7);
    assertEquals([await executions.of("tool", "a"), await executions.ofAll("tool")], [null, null]);
    // The next batch of the same process, and one that comes too late.
    await executions.add({ writer: "w1", sequence: 2, counts: [counts("b", 1)] }, now);
    await executions.add({ writer: "w1", sequence: 1, counts: [counts("b", 1)] }, now);
    assertEquals((await executions.of("server", "b"))!.count, 4);
  });

  registryTest("executions of many entries are written in one batch", async ({ executions }) => {
    const all = Array.from({ length: 500 }, (_, i) => counts(`e${i}`, i % 3, { kind: "tool" }));
    await executions.add({ writer: "w", sequence: 1, counts: all }, 0);
    assertEquals((await executions.ofAll("tool"))!.count, 1_000);
  });

  registryTest(
    "executions are reset, and swept when they are old or their entry is gone",
    async (registry) => {
      const { executions, servers } = registry;
      const { id } = await servers.insert(newServer({ id: "kept", name: "a server" }));
      const now = (DAY * 24 + 30) * HOUR_MS;
      await executions.add({
        writer: "w",
        sequence: 1,
        counts: [counts("a", 1), counts("a", 29), counts("b", 29), counts("t", 29, { kind: "tool" })],
      }, now);
      await executions.reset("server", "b");
      assertEquals([await executions.of("server", "b"), (await executions.of("server", "a"))!.count], [
        null,
        4,
      ]);
      await executions.reset("tool", null);
      assertEquals(await executions.of("tool", "t"), null);
      await executions.add({ writer: "w", sequence: 2, counts: [counts(id, 1), counts(id, 29)] }, now);
      await executions.sweep(now, { hours: 24, days: 2 });
      assertEquals(await executions.of("server", "a"), null);
      assertEquals((await executions.spans("server", id, "hour", 0)).map(({ start }) => start), [
        DAY * 24 + 29,
      ]);
      assertEquals((await executions.spans("server", id, "day", 0)).length, 2);
      assertEquals(
        (await executions.top("server", 3)).map(({ id, name, count }) => [id, name, count]),
        [[id, "a server", 4]],
      );
      assertEquals([await executions.top("tool", 3), await executions.top("resource", 3)], [[], []]);
      await executions.sweep(now, { hours: 24, days: 1 });
      assertEquals((await executions.spans("server", id, "day", 0)).map(({ start }) => start), [DAY + 1]);
      await executions.reset(null, null);
      assertEquals(await executions.ofAll("server"), null);
    },
  );
}
