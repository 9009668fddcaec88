import { assert, assertEquals } from "@std/assert";
import type { BenchArgs } from "../commands/bench_commands.ts";
import { parseInvocation } from "../command_line/flags.ts";
import { durationMs, type Plan, planOf } from "./load_plan.ts";

function argsOf(...words: string[]): BenchArgs {
  const invocation = parseInvocation(["bench", ...words]);
  if (invocation.command !== "bench") throw new Error(invocation.command);
  return invocation.args;
}

function plan(...words: string[]): Plan {
  const read = planOf(argsOf("http://localhost:4444/mcp", ...words));
  if (!("url" in read)) throw new Error(read.join());
  return read;
}

function mistakes(...words: string[]) {
  const read = planOf(argsOf("http://localhost:4444/mcp", ...words));
  assert(!("url" in read));
  return read;
}

Deno.test("planOf() has a load for an address alone: 100 requests a second of 10 users, for 10 s", () => {
  const { users, pace, durationMs, warmupMs, timeoutMs, protocol, mix } = plan();
  assertEquals([users, durationMs, warmupMs, timeoutMs, protocol], [10, 10_000, 1_000, 30_000, "2025-11-25"]);
  assertEquals(pace, { kind: "rate", rate: { from: 100, to: 100, arrivals: "constant" } });
  assertEquals(mix, [{ method: "tools/call", weight: 1 }]);
});

Deno.test("planOf() reads rates, pauses, times, mixes, payloads, headers", () => {
  assertEquals(plan("--rate", "0..2.5", "--arrivals", "poisson").pace, {
    kind: "rate",
    rate: { from: 0, to: 2.5, arrivals: "poisson" },
  });
  assertEquals(plan("--think", "1.5s").pace, { kind: "think", meanMs: 1_500 });
  assertEquals(plan("--mix", "tools/call=9, tools/list").mix, [
    { method: "tools/call", weight: 9 },
    { method: "tools/list", weight: 1 },
  ]);
  assertEquals(plan("--payload", "10..20").payload, { min: 10, max: 20 });
  assertEquals(plan("--header", "X-Team: a: b").headers, [["x-team", "a: b"]]);
  assertEquals(["500ms", "1.5", "2m", "1h"].map(durationMs), [500, 1_500, 120_000, 3_600_000]);
  assertEquals(["", "1d", "-1", "s", "1e3"].map(durationMs), [null, null, null, null, null]);
  const rpc = planOf(argsOf("http://localhost:4444/base/rpc"));
  assertEquals("url" in rpc && rpc.protocol, "rpc");
});

for (
  const [words, expected] of [
    [["--rate", "fast"], '--rate must be a number above 0, or A..B, up to 1000000, not "fast"'],
    [["--rate", "0"], '--rate must be a number above 0, or A..B, up to 1000000, not "0"'],
    [["--rate", "5", "--think", "1s"], "--rate and --think exclude each other"],
    [["--users", "0"], '--users must be at least 1, not "0"'],
    [["--duration", "2d"], '--duration must be a time from 1 ms to 24h, such as 500ms, 30s or 5m, not "2d"'],
    [
      ["--protocol", "2024-11-05"],
      '--protocol must be rpc, 2025-11-25, 2025-06-18, 2025-03-26 or 2026-07-28, not "2024-11-05"',
    ],
    [["--protocol", "2026-07-28", "--churn", "5"], "--churn needs a --protocol with sessions"],
    [["--protocol", "2026-07-28", "--mix", "ping"], "2026-07-28 has no ping: leave it out of --mix"],
    [["--protocol", "rpc", "--streams", "5"], "--streams needs a --protocol other than rpc"],
    [["--streams", "11"], '--streams must be at most --users (10), not "11"'],
    [
      ["--mix", "tools/cal=1"],
      '--mix must be METHOD=WEIGHT,… of tools/call, tools/list, prompts/list, resources/list, resources/templates/list, ping, not "tools/cal=1"',
    ],
    [["--args", "{}"], "--args needs --tool"],
    [["--tool", "t", "--args", "[1]"], '--args must be a JSON object, not "[1]"'],
    [
      ["--tool", "t", "--args", "{}", "--payload", "5"],
      "--payload has no place: write {payload} into a text of --args",
    ],
    [["--tool", "t", "--args", '{"a":"{payload}"}'], "{payload} in --args needs --payload"],
    [["--payload", "20..10"], '--payload must be a number of bytes, or A..B, up to 67108864, not "20..10"'],
    [["--header", "secret"], '--header must be NAME:VALUE, not "secret"'],
    [["--assert", "p99<5"], '--assert "p99<5" needs a unit: us, ms or s'],
    [["--assert", "p99<5%"], '--assert "p99<5%": only errors and unsent have a share of the requests'],
  ] as const
) {
  Deno.test(`planOf() refuses ${words.join(" ")}`, () => assertEquals(mistakes(...words), [expected]));
}
