import { assertEquals } from "@std/assert";
import { type Coding, codingFor } from "./accepted.ts";

Deno.test("codingFor() takes the greatest weight, br of equals, and nothing that the client refuses", () => {
  const cases: [header: string | null, coding: Coding | null][] = [
    [null, null],
    ["", null],
    ["identity", null],
    ["deflate, zstd", null],
    ["gzip", "gzip"],
    ["GZIP", "gzip"],
    // Browsers.
    ["gzip, deflate, br, zstd", "br"],
    // Prometheus, Go and Node.
    ["gzip;q=1", "gzip"],
    ["br;q=0.5, gzip;q=0.8", "gzip"],
    ["gzip ; q=0.5 , br ; q=0.5", "br"],
    ["br;q=0, gzip", "gzip"],
    ["gzip;q=0", null],
    ["*", "br"],
    ["*;q=0", null],
    ["br;q=0, *;q=0.1", "gzip"],
    ["gzip;q=0.5, identity", null],
    ["gzip;q=0.5, identity;q=0.4", "gzip"],
    ["identity;q=0, gzip;q=0", null],
    ["gzip;q=2", null],
    ["gzip;q=x", null],
    ["x-gzip", null],
  ];
  for (const [header, coding] of cases) {
    const headers = new Headers(header === null ? {} : { "accept-encoding": header });
    assertEquals([header, codingFor(headers)], [header, coding]);
  }
});
