import { assertEquals } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  resourceRow,
  serverRow,
  toolRow,
} from "../../tests/support/catalog_rows.ts";
import { MemorySink } from "../../tests/support/fakes.ts";
import { Catalog } from "./snapshot/catalog.ts";
import { createLog } from "../telemetry/log.ts";
import { newSearch, uriConflicts } from "./snapshot/uri_conflicts.ts";
import { Conflicts } from "./conflicts.ts";

Deno.test("Conflicts logs a name conflict once, though it goes and comes back, and counts those that there are", () => {
  const sink = new MemorySink();
  const conflicts = new Conflicts(createLog({ level: "DEBUG", format: "json", sink }));
  const catalog = (naming: "original" | "prefixed") =>
    new Catalog(catalogRows({
      gateways: [gatewayRow("a"), gatewayRow("b")],
      tools: [toolRow("a", "x"), toolRow("b", "x")],
      servers: [serverRow("s", { name: "Small", naming, toolIds: ["a-x", "b-x"] })],
    }));
  const counts = (["original", "original", "prefixed", "original"] as const).map((naming) => {
    conflicts.update(catalog(naming));
    return [conflicts.names, sink.lines.length];
  });
  assertEquals(counts, [[1, 1], [1, 1], [0, 1], [1, 1]]);
  const { level, server, kind, name, keptBy, renamed, renamedTo } = JSON.parse(sink.lines[0]);
  assertEquals([level, server, kind, name], ["WARNING", "Small", "tool", "x"]);
  assertEquals([keptBy, renamed, renamedTo], ["a-x", "b-x", "b-x"]);
});

Deno.test("Conflicts reports resources of one URI, at every endpoint that has both, those of two upstreams together", () => {
  const sink = new MemorySink();
  const conflicts = new Conflicts(createLog({ level: "DEBUG", format: "json", sink }));
  const catalog = (uris: string[], inServer: string[]) =>
    new Catalog(catalogRows({
      gateways: [gatewayRow("a"), gatewayRow("b")],
      resources: ["a", "b"].flatMap((gateway) => uris.map((uri) => resourceRow(gateway, uri))),
      servers: [serverRow("s", { name: "Small", resourceIds: inServer })],
    }));
  conflicts.update(catalog(["r:1"], ["a r:1"]));
  assertEquals([conflicts.uris, conflicts.names, sink.lines.length], [1, 0, 1]);
  conflicts.update(catalog(["r:1"], ["a r:1", "b r:1"]));
  assertEquals([conflicts.uris, sink.lines.length], [2, 2]);
  const said = sink.lines.map((line) => JSON.parse(line));
  assertEquals(
    said.map(({ level, server, kind, uri, keptBy, hidden }) => [level, server, kind, uri, keptBy, hidden]),
    [["WARNING", null, "resource", "r:1", "a", "b"], ["WARNING", "Small", "resource", "r:1", "a", "b"]],
  );
  const many = Array.from({ length: 100 }, (_, i) => `r:${i}`);
  conflicts.update(catalog(many, []));
  assertEquals([conflicts.uris, sink.lines.length], [100, 2]);
  conflicts.update(catalog([], []));
  assertEquals([conflicts.uris, sink.lines.length], [0, 2]);
  const other = new MemorySink();
  new Conflicts(createLog({ level: "DEBUG", format: "json", sink: other })).update(catalog(many, []));
  assertEquals(other.lines.map((line) => JSON.parse(line).others), [99]);
});

Deno.test("Conflicts reports a template that matches what another upstream offers, and who answers", () => {
  const catalog = (...uris: string[]) =>
    new Catalog(catalogRows({
      gateways: [gatewayRow("a"), gatewayRow("b")],
      resources: [
        resourceRow("a", "{+any}"),
        resourceRow("a", "own://1"),
        ...uris.map((uri) => resourceRow("b", uri)),
      ],
    }));
  for (const uri of ["vault://{id}", "vault://2"]) {
    const sink = new MemorySink();
    const conflicts = new Conflicts(createLog({ level: "DEBUG", format: "json", sink }));
    conflicts.update(catalog());
    assertEquals([conflicts.uris, sink.lines.length], [0, 0], "of one upstream");
    conflicts.update(catalog(uri));
    const { kind, uri: kept, keptBy, template, hidden } = JSON.parse(sink.lines.at(-1)!);
    assertEquals([kind, kept, keptBy, template, hidden], ["overlap", uri, "b", "{+any}", "a"]);
  }
});

Deno.test("Conflicts finds overlaps of many templates within a limit", () => {
  const resources = ["a", "b"].flatMap((gateway) =>
    Array.from({ length: 2_000 }, (_, i) => resourceRow(gateway, `${"{+a}y".repeat(20)}${gateway}${i}`))
  );
  const many = new Catalog(catalogRows({ gateways: [gatewayRow("a"), gatewayRow("b")], resources }));
  const { all: { resources: listed, templates } } = many;
  const search = newSearch();
  uriConflicts([...listed.all, ...templates.all], search);
  assertEquals(search.steps <= 0 && search.steps > -100_000, true, `${search.steps}`);
});
