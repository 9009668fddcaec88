import { assert, assertEquals } from "@std/assert";
import { seriesOf } from "../../../scripts/manual_rules.ts";
import { METRICS } from "../../telemetry/metric_table.ts";
import type { MetricRow } from "../../telemetry/metric_values.ts";

const ROWS: readonly [string, MetricRow][] = Object.entries(METRICS);
const SERIES = new Set(ROWS.flatMap(([name, { kind }]) => seriesOf(name, kind)));
/** What Prometheus adds, and the bounds of buckets. */
const LABELS = new Set([...ROWS.flatMap(([, { labels }]) => labels), "instance", "job", "le"]);

async function textOf(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(name, import.meta.url));
}

for (const file of ["alerts.yml", "dashboard.json"]) {
  Deno.test(`${file} asks for metrics and labels that there are`, async () => {
    const text = (await textOf(file)).replaceAll('\\"', '"');
    const names = [...text.matchAll(/\b(?:sluice|mcp|process)_[a-z_]+/g)].map(([name]) => name);
    assert(names.length > 15);
    // `mcp_method_name` is a label.
    assertEquals(names.filter((name) => !SERIES.has(name) && !LABELS.has(name)), []);
    const matched = [...text.matchAll(/\b([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label!);
    const grouped = [...text.matchAll(/\bby \(([a-z_, ]+)\)/g)].flatMap(([, labels]) => labels!.split(", "));
    assertEquals([...matched, ...grouped].filter((label) => !LABELS.has(label)), []);
  });
}

Deno.test("dashboard.json has panels of different ids that do not overlap", async () => {
  const { panels } = JSON.parse(await textOf("dashboard.json"));
  const taken = new Set<string>();
  for (const { gridPos: { x, y, w, h } } of panels) {
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        assert(!taken.has(`${column} ${row}`));
        taken.add(`${column} ${row}`);
      }
    }
  }
  assertEquals(new Set(panels.map(({ id }: { id: number }) => id)).size, panels.length);
});
