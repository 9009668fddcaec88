// `deno task test`: runs the unit tests, then the integration files side by side. Installs the programs that they need if it can.
//
//   deno task test [--quick] [--long] [--record] [--jobs=N] [PATH | OPTION OF deno test]...     deno task test src/auth --filter JWT
//
// The last lines are the slowest tests, every failure once more, and `N passed, N failed`. The exit code is 0 only if nothing failed.

import { startServersOfRun } from "../tests/support/cluster_servers.ts";
import { installNpmPrograms } from "../tests/support/npm_programs.ts";
import { PUBLISHED } from "../tests/support/published_programs.ts";
import { installPythonPackages } from "../tests/support/python_programs.ts";
import { findProgram, hasProgram, type Program, PROGRAMS } from "../tests/support/programs.ts";
import { idleShare } from "./idle_share.ts";
import { makePlan, type Plan, type Times } from "./test_plan.ts";
import { failures, readReport, type Report, slowest } from "./test_report.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const TIMES = `${ROOT}tests/times.json`;
/** A test file that takes longer is ended. */
const FILE_WITHIN_MS = 15 * 60_000;
/** How many test files run at once. A file waits for half of its time: for servers, timeouts and recycled workers. */
const JOBS = navigator.hardwareConcurrency + 1;
/** So many more run where all wait at the same time: one starts when this share of the processors was idle for so long. */
const FURTHER = { jobs: 2, idleShare: 0.4, lookMs: 3_000 };
const SLOWEST = 10;
const DECODER = new TextDecoder();

async function main(args: readonly string[]): Promise<number> {
  const times: Times = JSON.parse(await Deno.readTextFile(TIMES));
  const allFiles = testFiles("tests");
  const plan = makePlan(args, allFiles, times, { jobs: JOBS, further: FURTHER.jobs });
  const { unit, integration, checked, options } = plan;
  const missing = integration.length === 0 ? [] : await missingPrograms(plan);
  if (missing.length > 0) {
    console.error(`Missing: ${missing.join(", ")}`);
    if (Deno.env.get("CI") === "true") return end([{ passed: 0, failed: missing.length, results: [] }]);
    console.error("The tests that need them are left out, or fail.");
  }
  const { success } = await deno(["check", "--quiet", ...checked]).spawn().status;
  if (!success) return end([{ passed: 0, failed: 1, results: [] }]);

  const reports: Report[] = [];
  if (unit.length > 0) reports.push(await denoTest(["--parallel", ...options, ...unit]));
  if (integration.length === 1) {
    const [file] = integration;
    reports.push(await denoTest([...options, file!], { file }));
  } else if (integration.length > 1) {
    const { reports: more, seconds } = await sideBySide(plan);
    reports.push(...more);
    if (plan.isRecorded) await recordTimes(allFiles, { ...times, ...seconds });
  }
  return end(reports);
}

/** Runs the plan's integration files. @returns also how long each took */
async function sideBySide(
  { integration, jobs, further, options }: Plan,
): Promise<{ reports: Report[]; seconds: Record<string, number> }> {
  await using servers = await startServersOfRun();
  const reports: Report[] = [];
  const seconds: Record<string, number> = {};
  const waiting = [...integration];
  const isAlone = jobs + further === 1;
  const runNext = async () => {
    const file = waiting.shift()!;
    const from = performance.now();
    reports.push(await denoTest([...options, file], { file, env: servers.env, isShownLater: !isAlone }));
    seconds[file] = Math.round((performance.now() - from) / 100) / 10;
  };
  const runWaiting = async () => {
    while (waiting.length > 0) await runNext();
  };
  const runWhereIdle = async () => {
    const running = new Set<Promise<void>>();
    while (further > 0 && waiting.length > 0) {
      const isIdle = await idleShare(FURTHER.lookMs) >= FURTHER.idleShare;
      if (!isIdle || running.size === further || waiting.length === 0) continue;
      const run = runNext().finally(() => running.delete(run));
      running.add(run);
    }
    await Promise.all(running);
  };
  await Promise.all([...Array.from({ length: jobs }, runWaiting), runWhereIdle()]);
  return { reports, seconds };
}

/** @param file the only one that is run, for the report */
async function denoTest(
  args: readonly string[],
  { file, env, isShownLater = false }: {
    readonly file?: string;
    readonly env?: Readonly<Record<string, string>>;
    /** Print its output when it has ended, because other files run at the same time. */
    readonly isShownLater?: boolean;
  } = {},
): Promise<Report> {
  const xml = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const options = ["-A", "--no-prompt", "--no-check", "--permit-no-files", "--ignore=scripts/test.ts"];
    const command = deno(
      ["test", ...options, `--junit-path=${xml}`, ...args],
      { env, signal: file === undefined ? undefined : AbortSignal.timeout(FILE_WITHIN_MS) },
    );
    const { success, signal } = isShownLater
      ? await command.output().then(show)
      : await command.spawn().status;
    const text = await Deno.readTextFile(xml);
    const report = text === "" ? { passed: 0, failed: 0, results: [] } : readReport(text, file);
    if (success || report.failed > 0) return report;
    // A module that does not load is in no report.
    const failure = signal === null ? "It ended without a result" : `It was ended by ${signal}`;
    const result = { file: file ?? "unit tests", name: "the test process", seconds: 0, failure };
    return { ...report, failed: 1, results: [...report.results, result] };
  } finally {
    await Deno.remove(xml);
  }
}

function show(output: Deno.CommandOutput): Deno.CommandOutput {
  console.log(DECODER.decode(output.stdout) + DECODER.decode(output.stderr));
  return output;
}

/** The Deno that runs this. */
function deno(args: readonly string[], options: Deno.CommandOptions = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), { args: [...args], cwd: ROOT, stdin: "null", ...options });
}

/** Says how the run went. @returns its exit code */
function end(reports: readonly Report[]): number {
  const results = reports.flatMap((report) => report.results);
  const lists = { Slowest: slowest(results, SLOWEST), Failed: failures(results) };
  for (const [title, lines] of Object.entries(lists)) {
    if (lines.length > 0) console.log(`\n${title}:\n${lines.join("\n")}`);
  }
  const sum = (of: "passed" | "failed") => reports.reduce((total, report) => total + report[of], 0);
  console.log(`\n${sum("passed")} passed, ${sum("failed")} failed`);
  return sum("failed") === 0 ? 0 : 1;
}

/** Every test file in a folder, as a path from the root. */
function testFiles(folder: string): string[] {
  return Array.from(Deno.readDirSync(ROOT + folder)).flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return name === "node_modules" ? [] : testFiles(path);
    return name.endsWith("_test.ts") ? [path] : [];
  }).sort();
}

/** The times of files that are gone are dropped. */
async function recordTimes(files: readonly string[], times: Times): Promise<void> {
  const known = Object.fromEntries(files.filter((file) => file in times).map((file) => [file, times[file]]));
  await Deno.writeTextFile(TIMES, JSON.stringify(known, null, 2) + "\n");
}

/** Installs what it can. @returns what is missing still */
async function missingPrograms({ isLong }: Plan): Promise<string[]> {
  const missing = await installPackages(PROGRAMS.filter(({ name }) => !hasProgram(name)));
  const names = missing.map(({ name, debianPackage }) => `${name} (apt-get install ${debianPackage})`);
  const locked = await Promise.all([
    installLocked("npm", installNpmPrograms, "the programs of tests/programs"),
    installLocked("python3", installPythonPackages, "the Python packages of tests/programs"),
  ]);
  if (isLong) {
    for (const { program, install, what } of PUBLISHED) {
      if (!hasProgram(program)) locked.push([program]);
      locked.push(await installLocked(program, install, what));
    }
  }
  return [...names, ...locked.flat()];
}

/** @returns what is missing still */
async function installLocked(
  program: string,
  install: (path: string) => Promise<void>,
  what: string,
): Promise<string[]> {
  const path = findProgram(program);
  if (path === null) return []; // it is named as missing itself
  try {
    await install(path);
    return [];
  } catch (error) {
    console.error((error as Error).message);
    return [what];
  }
}

async function installPackages(missing: readonly Program[]): Promise<Program[]> {
  if (missing.length > 0 && Deno.uid() === 0 && hasProgram("apt-get")) {
    const packages = missing.map(({ debianPackage }) => debianPackage);
    console.error(`Installing ${packages.join(", ")}`);
    if (!await aptGet("install", "--no-install-recommends", ...packages)) {
      // On a fresh image apt knows no packages yet.
      await aptGet("update");
      await aptGet("install", "--no-install-recommends", ...packages);
    }
  }
  return missing.filter(({ name }) => !hasProgram(name));
}

async function aptGet(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("apt-get", {
    args: ["-qq", "-y", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
  }).spawn().status;
  return success;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
