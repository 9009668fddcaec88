import { assertEquals } from "@std/assert";
import { wantedType } from "./wanted_type.ts";

const [TEXT, OPEN, JSON_TYPE] = ["text/plain", "application/openmetrics-text", "application/json"];

Deno.test("wantedType() takes the greatest weight, the most specific range, and the first of equals", () => {
  const offered = [JSON_TYPE!, TEXT!, OPEN!];
  const cases: [accept: string | null, wanted: string | null][] = [
    [null, JSON_TYPE!],
    ["", JSON_TYPE!],
    ["*/*", JSON_TYPE!],
    ["text/html,application/xhtml+xml,*/*;q=0.8", JSON_TYPE!],
    ["text/plain", TEXT!],
    ["text/*", TEXT!],
    ["TEXT/PLAIN;version=0.0.4", TEXT!],
    ["text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT!],
    ["application/json;q=0.1, text/plain;q=0.2", TEXT!],
    ["*/*;q=0.5, application/json;q=0", TEXT!],
    ["image/png", null],
    ["text/plain;q=0", null],
    // Prometheus 2.42.
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      OPEN!,
    ],
  ];
  for (const [accept, wanted] of cases) assertEquals([accept, wantedType(accept, offered)], [accept, wanted]);
});
