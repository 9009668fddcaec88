// Room `bench`: `sluice bench` puts load on any MCP server and measures it; `sluice bench compare` compares two reports.
import { existsSync } from "node:fs";
import { SluiceError } from "../../base/errors.ts";
import { writeFault } from "../../base/file_error.ts";
import type { BenchArgs, BenchCompareArgs } from "../commands/bench_commands.ts";
import { tokenFor } from "../command_line/gateway_client.ts";
import { stopSignal } from "../command_line/stop_signal.ts";
import { usage } from "../command_line/usage.ts";
import { runBench } from "./bench_run.ts";
import { LiveLine } from "./live_line.ts";
import { planOf } from "./load_plan.ts";
import { judge, judgeChange, parseAssertion, type Verdict } from "./report/assertions.ts";
import { metricsOf, readReport } from "./report/bench_report.ts";
import { comparisonText } from "./report/report_changes.ts";
import { comparisonHtml, reportHtml } from "./report/html_report.ts";
import { benchText, verdictLine } from "./report/report_text.ts";

/**
 * @returns the exit code: 1 if an assertion does not hold, or if no request was answered
 * @throws {SluiceError} USAGE_INVALID, GATEWAY_UNREACHABLE, CONFIG_FILE_UNUSABLE: a report cannot be written
 */
export async function bench(args: BenchArgs): Promise<number> {
  const plan = planOf(args);
  if (!("url" in plan)) throw usage(plan, "bench");
  const files = [args.json, args.html].flatMap((file) => file === null || file === "-" ? [] : [file]);
  // Nobody should wait for a load whose report cannot be kept.
  for (const file of files) ensureWritable(file);
  const stop = new AbortController();
  void stopSignal().then(() => stop.abort());
  const measured = await runBench(plan, {
    tokens: tokensOf(args),
    signal: stop.signal,
    live: new LiveLine({
      write: (text) => Deno.stderr.writeSync(new TextEncoder().encode(text)),
      columns: Deno.stderr.isTerminal() ? Deno.consoleSize().columns : null,
    }),
  });
  const assertions = plan.assertions.map((assertion) => judge(assertion, metricsOf(measured)));
  const report = { ...measured, assertions };
  const json = JSON.stringify(report, null, 2);
  console.log(args.json === "-" ? json : benchText(report));
  if (args.json !== null && args.json !== "-") write(args.json, `${json}\n`);
  if (args.html !== null) write(args.html, reportHtml(report));
  return report.rate > 0 && holds(assertions) ? 0 : 1;
}

/**
 * @returns the exit code: 1 if an assertion does not hold
 * @throws {SluiceError} USAGE_INVALID, CONFIG_FILE_UNUSABLE
 */
export function benchCompare({ files, asserts, html }: BenchCompareArgs): number {
  const mistakes = files.length === 2 ? [] : [`two reports are needed, not ${files.length}`];
  const rules = asserts.map((text) => {
    const rule = parseAssertion(text);
    if (typeof rule === "string") mistakes.push(rule);
    else if (!rule.isShare) {
      mistakes.push(`--assert "${text}" needs percent of the base, for example p99<110%`);
    }
    return rule;
  });
  if (mistakes.length > 0) throw usage(mistakes, "bench compare");
  const names = files as unknown as readonly [string, string];
  const [base, report] = [readReport(names[0]), readReport(names[1])];
  const verdicts = rules.map((rule) =>
    judgeChange(rule as Exclude<typeof rule, string>, metricsOf(base), metricsOf(report))
  );
  if (html !== null) write(html, comparisonHtml(base, report, names, verdicts));
  console.log(comparisonText(base, report, names));
  if (verdicts.length > 0) console.log(["", ...verdicts.map(verdictLine)].join("\n"));
  return holds(verdicts) ? 0 : 1;
}

function holds(verdicts: readonly Verdict[]): boolean {
  return verdicts.every((verdict) => verdict.holds);
}

/** Of a file with several lines, each line is a token. @throws {SluiceError} USAGE_INVALID */
function tokensOf({ token, tokenFile }: BenchArgs): string[] {
  if (token !== null && tokenFile !== null) {
    throw usage(["--token and --token-file exclude each other"], "bench");
  }
  const text = token ?? tokenFor(tokenFile) ?? "";
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

/** Leaves the file as it is. @throws {SluiceError} CONFIG_FILE_UNUSABLE */
function ensureWritable(file: string): void {
  const former = existsSync(file) ? Deno.statSync(file) : null;
  // The reader of a pipe would take this for its end.
  if (former !== null && !former.isFile && !former.isDirectory) return;
  write(file, "", { append: true });
  if (former === null) Deno.removeSync(file);
}

/** @throws {SluiceError} CONFIG_FILE_UNUSABLE */
function write(file: string, text: string, options: Deno.WriteFileOptions = {}): void {
  try {
    Deno.writeTextFileSync(file, text, options);
  } catch (cause) {
    throw new SluiceError("CONFIG_FILE_UNUSABLE", { file, reason: writeFault(cause) }, { cause });
  }
}
