import { assertEquals } from "@std/assert";
import { bytesOf, rounded, timeOf } from "./charts.tsx";

Deno.test("a rate that is not zero is not shown as zero, and large ones have no decimals", () => {
  const shown = [0, 0.0001, 0.05, 0.1, 99.94, 100, 1_234_567.8].map(rounded);
  assertEquals(shown, ["0", "< 0.1", "0.1", "0.1", "99.9", "100", "1,234,568"]);
});

Deno.test("times are shown in milliseconds below a second", () => {
  const shown = [null, 0, 0.000_001, 0.0012, 0.0123, 0.9994, 1, 99.9, 250.4, Infinity].map(timeOf);
  assertEquals(shown, [
    ...["–", "0.0 ms", "< 0.1 ms", "1.2 ms", "12 ms", "999 ms", "1.0 s", "99.9 s", "250 s", "> 300 s"],
  ]);
});

Deno.test("sizes are shown in gigabytes from one on", () => {
  assertEquals([0, 300 * 1024 ** 2, 12.5 * 1024 ** 3].map(bytesOf), ["0 MB", "300 MB", "12.5 GB"]);
});
