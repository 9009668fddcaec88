import { assertEquals, assertThrows } from "@std/assert";
import { failures, readReport, slowest, type TestResult } from "./test_report.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="9" failures="2" errors="1" time="0.013">
    <testsuite name="./a &lt;testsuite disabled=&quot;7&quot;&gt;_test.ts" tests="6" disabled="1" errors="1" failures="2">
        <testcase name="one&apos;s &gt; way" classname="./tests/support/a.ts" time="1.250" line="1" col="1">
        </testcase>
        <testcase name="left out" classname="./tests/support/a.ts" time="0.000" line="2" col="1">
            <skipped/>
        </testcase>
        <testcase name="two" classname="./tests/support/a.ts" time="2.000" line="3" col="1">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="two &gt; step" classname="./tests/a_test.ts" time="1.900" line="4" col="1">
            <failure message="Uncaught Error: &lt;no&gt;&#10;
  at once">Error: &lt;no&gt;
    at file:///a_test.ts</failure>
        </testcase>
    </testsuite>
    <testsuite name="./b_test.ts" tests="3" disabled="2" errors="0" failures="0"></testsuite>
</testsuites>`;

Deno.test("readReport() counts over all suites, without those left out", () => {
  const { passed, failed } = readReport(REPORT);
  assertEquals({ passed, failed }, { passed: 3, failed: 3 });
});

Deno.test("readReport() gives each test with its file: as reported, or the one that was run", () => {
  assertEquals(readReport(REPORT).results[0], {
    file: "tests/support/a.ts",
    name: "one's > way",
    seconds: 1.25,
    failure: null,
  });
  const files = readReport(REPORT, "tests/a_test.ts").results.map(({ file, name }) => `${file} ${name}`);
  assertEquals(files, ["one's > way", "two", "two > step"].map((name) => `tests/a_test.ts ${name}`));
});

Deno.test("readReport() refuses what is no report", () => {
  assertThrows(() => readReport(""), Error, "no <testsuites>");
  assertThrows(() => readReport('<testsuites tests="1">'), Error, "no failures");
});

Deno.test("slowest() names whole tests, not their steps", () => {
  const { results } = readReport(REPORT, "a_test.ts");
  assertEquals(slowest(results, 10), ["    2.0 s  a_test.ts: two", "    1.3 s  a_test.ts: one's > way"]);
  assertEquals(slowest(results, 1).length, 1);
});

Deno.test("failures() names the failed step with its message, and not its test again", () => {
  const { results } = readReport(REPORT, "a_test.ts");
  assertEquals(failures(results), ["a_test.ts: two > step\n    Error: <no>\n      at once"]);
  const own: TestResult = { file: "a_test.ts", name: "three", seconds: 0, failure: "Uncaught Error: no" };
  assertEquals(failures([own]), ["a_test.ts: three\n    Error: no"]);
});
