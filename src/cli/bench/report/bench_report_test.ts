import {
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { SluiceError } from "../../../base/errors.ts";
import { Measurement } from "../measurement.ts";
import { type Assertion, judge, judgeChange, parseAssertion } from "./assertions.ts";
import { type BenchReport, FORMAT, metricsOf, readReport } from "./bench_report.ts";
import { changesOf, changeText, comparisonText } from "./report_changes.ts";
import { comparisonHtml, reportHtml } from "./html_report.ts";
import { benchText } from "./report_text.ts";
import { logarithmicTicks, ticks } from "./svg_chart.ts";

/** A report of 1,000 calls of 0.1 to 100 ms times `factor`, 10 lists of 5 ms, and failures. */
function report(
  { factor = 1, failures = 0, unsent = 0, url = "http://localhost:4444/mcp" } = {},
): BenchReport {
  const measurement = new Measurement(10_000);
  for (let index = 1; index <= 1_000; index++) {
    measurement.record("tools/call", { kind: "right" }, index / 10 * factor, index);
  }
  for (let index = 0; index < 10; index++) measurement.record("tools/list", { kind: "right" }, 5, index);
  for (let index = 0; index < failures; index++) {
    measurement.record("tools/call", { kind: "wrong", what: "<b>HTTP 503</b>" }, 1, 1_000);
  }
  measurement.record("initialize", { kind: "right" }, 3_000, 1);
  for (let index = 0; index < unsent; index++) measurement.unsent("tools/call", 100);
  measurement.closeInterval(5_000, 510);
  measurement.closeInterval(10_000, 500);
  return {
    format: FORMAT,
    program: "sluice",
    machine: { os: "linux", cores: 2, cpu: "a CPU" },
    startedAt: "2026-11-30T00:00:00Z",
    url,
    load: {
      pace: "101 requests a second, constant",
      users: 10,
      protocol: "2025-11-25",
      sessions: "one for each user",
      methods: "tools/call 99 %, tools/list 1 %",
      tool: "echo",
      payload: null,
      streams: 0,
      churn: 0,
      warmup: "1 s",
      timeout: "30 s",
    },
    seconds: 10,
    isInterrupted: false,
    requests: measurement.requests,
    errors: measurement.errors,
    unsent: measurement.unsentCount,
    rate: measurement.rate(10_000),
    latency: measurement.latencies.summary,
    methods: measurement.methods,
    failures: measurement.failures,
    points: measurement.points,
    events: 0,
    generator: { cores: 0.2, lagMs: 0.5 },
    assertions: [],
  };
}

function rule(text: string): Assertion {
  const parsed = parseAssertion(text);
  if (typeof parsed === "string") throw new Error(parsed);
  return parsed;
}

for (
  const [text, holds] of [
    ["p99<100ms", true],
    ["p99 < 98ms", false],
    ["p99.9<=100ms", true],
    ["p50>=49ms", true],
    ["max<0.2s", true],
    ["min=100us", true],
    ["mean<50ms", true],
    ["tools/list:p99<6ms", true],
    ["tools/list:p99>50ms", false],
    ["errors=0", false],
    ["errors==10", true],
    ["errors<1%", true],
    ["errors<0.9%", false],
    ["unsent=0", true],
    ["requests=1020", true],
    ["rate>100", true],
    ["rate>102", false],
    ["prompts/list:p99<1s", false],
  ] as const
) {
  Deno.test(`judge() of ${text}`, () => {
    assertEquals(judge(rule(text), metricsOf(report({ failures: 10 }))).holds, holds);
  });
}

Deno.test("parseAssertion() names the mistake", () => {
  for (
    const [text, words] of [
      ["fast", "is no rule"],
      ["p99", "is no rule"],
      ["p99<50", "needs a unit"],
      ["errors<5ms", "is no time"],
      ["latency<5ms", 'no known measure "latency"'],
    ] as const
  ) assertStringIncludes(String(parseAssertion(text)), words);
});

Deno.test("judgeChange() compares with the base, in percent of it", () => {
  const [base, slower] = [metricsOf(report()), metricsOf(report({ factor: 1.2, failures: 3 }))];
  assertEquals(judgeChange(rule("p99<110%"), base, slower).holds, false);
  assertAlmostEquals(judgeChange(rule("p99<125%"), base, slower).value!, 120, 1);
  assertEquals(judgeChange(rule("p99<=100%"), base, base).holds, true);
  // Three errors are more than any share of none.
  assertEquals(judgeChange(rule("errors<1000%"), base, slower).holds, false);
  assertEquals(judgeChange(rule("errors<=100%"), base, base).holds, true);
});

Deno.test("opening a session is measured, and counts for no total", () => {
  const { requests, latency, methods, points } = report();
  assertEquals([requests, latency.max, methods.initialize!.requests], [1_010, 100, 1]);
  assertEquals(points.map(({ at, due, rate }) => [at, due, rate]), [[5, 102, 202], [10, 100, 0]]);
});

Deno.test("the text shows counts, latencies by method, failures and what they mean", () => {
  const text = benchText({ ...report({ failures: 10, unsent: 2 }), isInterrupted: true });
  for (const part of ["requests   1,020 in 10 s", "errors     10", "not sent   2", "10  <b>HTTP 503</b>"]) {
    assertStringIncludes(text, part);
  }
  assertMatch(text, /^tools\/list +5 +5 /m);
  assertMatch(text, /^initialize +3,000 /m);
  assertStringIncludes(text, "The load was interrupted after 10 s.");
  assertStringIncludes(text, "2 requests were due and not sent: all 10 users waited for answers.");
  const busy = benchText({ ...report(), generator: { cores: 0.99, lagMs: 80 } });
  assertStringIncludes(busy, "used 0.99 cores");
  assertStringIncludes(busy, "80 ms late");
});

Deno.test("the pages load nothing, run nothing, and show foreign text as text", () => {
  const one = reportHtml(report({ failures: 5 }));
  const two = comparisonHtml(report(), report({ factor: 2 }), ["a<i>.json", "b.json"], [
    { text: "p99<110%", holds: false, value: 200, unit: "%" },
  ]);
  for (const page of [one, two]) {
    assertEquals(
      page.match(/<script|<link|<img|https?:(?!\/\/localhost)|url\(|<b>|<i>|NaN|undefined/g),
      null,
    );
    assertStringIncludes(page, "default-src 'none'");
    assertEquals(page.match(/<figure>/g)!.length, 3);
  }
  assertStringIncludes(one, "&lt;b&gt;HTTP 503&lt;/b&gt;");
  assertStringIncludes(two, "a&lt;i&gt;.json");
});

Deno.test("a comparison shows each figure with its change, and warns of loads that differ", () => {
  const [base, other] = [report(), report({ factor: 2, failures: 1 })];
  const changes = Object.fromEntries(
    changesOf(base, other).map((change) => [change.name, changeText(change)]),
  );
  assertEquals([changes["max, ms"], changes["answered a second"], changes["errors"]], ["+100 %", "same", ""]);
  assertEquals(comparisonText(base, other, ["a", "b"]).includes("The loads differ"), false);
  const differing = { ...other, load: { ...other.load, users: 20 } };
  assertStringIncludes(comparisonText(base, differing, ["a", "b"]), "The loads differ: users (10; 20).");
});

Deno.test("readReport() reads what was written, and refuses other files by name", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${folder}/a.json`, JSON.stringify(report()));
    assertEquals(readReport(`${folder}/a.json`).requests, 1_010);
    Deno.writeTextFileSync(`${folder}/b.json`, '{"format":1,"methods":{"tools/call":{"histogram":"none"}}}');
    for (const name of ["b.json", "absent.json"]) {
      const error = assertThrows(() => readReport(`${folder}/${name}`), SluiceError);
      assertEquals([error.code, error.params.file], ["CONFIG_FILE_UNUSABLE", `${folder}/${name}`]);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("axes have round numbers around all values", () => {
  assertEquals(ticks(0, 1_037, 5), [0, 500, 1_000, 1_500]);
  assertEquals(ticks(0, 0, 5), [0, 0.2]);
  assertEquals(ticks(1, 10, 6).slice(0, 3), [0, 2, 4]);
  assertEquals(logarithmicTicks([0.3, 7]), [0.2, 0.5, 1, 2, 5, 10]);
  assertEquals(logarithmicTicks([0.02, 900]), [0.01, 0.1, 1, 10, 100, 1_000]);
  assertEquals(logarithmicTicks([1]), [1, 2]);
});
