import { assertEquals, assertThrows } from "@std/assert";
import { makePlan, QUICK_S } from "./test_plan.ts";

const FILES = [
  "tests/a/one_test.ts",
  "tests/a/two_test.ts",
  "tests/b/new_test.ts",
  "tests/b/three_test.ts",
  "tests/published/four_test.ts",
];
const TIMES = { "tests/a/one_test.ts": QUICK_S, "tests/a/two_test.ts": 40, "tests/b/three_test.ts": 1 };

const plan = (...args: string[]) => makePlan(args, FILES, TIMES, { jobs: 2, further: 1 });

Deno.test("makePlan() without paths has all tests, the longest file first and unknown ones before", () => {
  assertEquals(plan(), {
    unit: ["src", "scripts"],
    integration: [
      "tests/b/new_test.ts",
      "tests/a/two_test.ts",
      "tests/a/one_test.ts",
      "tests/b/three_test.ts",
    ],
    checked: ["src", "tests", "bench", "scripts"],
    jobs: 2,
    further: 1,
    options: [],
    isLong: false,
    isRecorded: false,
  });
});

Deno.test("makePlan() takes the tests with published programs where --long or a path asks for them", () => {
  const long = "tests/published/four_test.ts";
  for (const args of [["--long"], ["--long", "tests"], ["tests/published"], [long]]) {
    const { integration, isLong, options } = plan(...args);
    assertEquals([integration.includes(long), isLong, options], [true, true, []], args.join(" "));
  }
  assertEquals([plan("tests").isLong, plan("tests").integration.includes(long)], [false, false]);
  assertEquals(plan("tests/published").integration, [long]);
});

Deno.test("makePlan() takes files and folders, and passes options on", () => {
  const { unit, integration, options } = plan(
    "./src/auth/",
    "--filter",
    "JWT",
    "tests/b",
    "tests/b/three_test.ts",
  );
  assertEquals(unit, ["src/auth"]);
  assertEquals(integration, ["tests/b/new_test.ts", "tests/b/three_test.ts"]);
  assertEquals(options, ["--filter", "JWT"]);
  assertEquals(plan("src").integration, []);
  assertEquals(plan("tests/a/one_test.ts").unit, []);
  assertEquals(plan("tests/a/one_test.ts").checked, ["tests/a/one_test.ts"]);
});

Deno.test("makePlan() --quick leaves out integration files that take long or have no time yet", () => {
  const { unit, integration, checked, options } = plan("--quick");
  assertEquals(unit, ["src", "scripts"]);
  assertEquals(integration, ["tests/a/one_test.ts", "tests/b/three_test.ts"]);
  assertEquals(checked, [...unit, ...integration]);
  assertEquals(options, []);
});

Deno.test("makePlan() reads --jobs and --record", () => {
  const { jobs, further, isRecorded, options } = plan("--jobs=3", "--record", "--fail-fast");
  assertEquals([jobs, further, isRecorded, options], [3, 0, true, ["--fail-fast"]]);
});

Deno.test("makePlan() refuses a path without tests", () => {
  assertThrows(() => plan("tests/c"), Error, "No test file at tests/c");
});
