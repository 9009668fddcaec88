import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../tests/support/catalog_rows.ts";
import { MemorySink } from "../../tests/support/fakes.ts";
import { Catalog } from "../catalog/catalog.ts";
import { createLog } from "../telemetry/log.ts";
import { NameConflicts } from "./name_conflicts.ts";

Deno.test("NameConflicts logs a conflict once, and again when it comes back, and counts those that there are", () => {
  const sink = new MemorySink();
  const conflicts = new NameConflicts(createLog({ level: "DEBUG", format: "json", sink }));
  const catalog = (naming: "original" | "prefixed") =>
    new Catalog(catalogRows({
      gateways: [gatewayRow("a"), gatewayRow("b")],
      tools: [toolRow("a", "x"), toolRow("b", "x")],
      servers: [serverRow("s", { name: "Small", naming, toolIds: ["a-x", "b-x"] })],
    }));
  const counts = (["original", "original", "prefixed", "original"] as const).map((naming) => {
    conflicts.update(catalog(naming));
    return [conflicts.size, sink.lines.length];
  });
  assertEquals(counts, [[1, 1], [1, 1], [0, 1], [1, 2]]);
  const { level, server, kind, name, keptBy, renamed, renamedTo } = JSON.parse(sink.lines[0]);
  assertEquals([level, server, kind, name], ["WARNING", "Small", "tool", "x"]);
  assertEquals([keptBy, renamed, renamedTo], ["a-x", "b-x", "b-x"]);
});
