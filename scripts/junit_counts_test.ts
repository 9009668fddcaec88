import { assertEquals, assertThrows } from "@std/assert";
import { junitCounts } from "./junit_counts.ts";

Deno.test("junitCounts() counts over all suites, without those left out", () => {
  const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="9" failures="2" errors="1" time="0.013">
    <testsuite name="./a &lt;testsuite disabled=&quot;7&quot;&gt;_test.ts" tests="6" disabled="1" errors="1" failures="2"></testsuite>
    <testsuite name="./b_test.ts" tests="3" disabled="2" errors="0" failures="0"></testsuite>
</testsuites>`;
  assertEquals(junitCounts(report), { passed: 3, failed: 3 });
});

Deno.test("junitCounts() refuses what is no report", () => {
  assertThrows(() => junitCounts(""), Error, "no <testsuites>");
  assertThrows(() => junitCounts('<testsuites tests="1">'), Error, "no failures");
});
