// The official conformance suite as a program: run it, and count what it checked.

import { npmProgram } from "../support/npm_programs.ts";

export type Revision = "2025-11-25" | "2026-07-28";

export interface Check {
  readonly id: string;
  readonly description: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  readonly errorMessage?: string;
  readonly details?: unknown;
}

export interface ScenarioResult {
  readonly scenario: string;
  /** Whether the revision requires it; the others are run and reported only. */
  readonly isRequired: boolean;
  readonly checks: readonly Check[];
}

export interface SuiteResult {
  readonly exitCode: number;
  readonly scenarios: readonly ScenarioResult[];
  /** All that the suite printed. */
  readonly output: string;
}

/** Longer than every scenario together may take by the suite's own timeouts on a machine that is not stuck, ms. */
const RUN_WITHIN_MS = 300_000;
/** A client's command, with the start and the end of a gateway in it, ms. */
const COMMAND_WITHIN_MS = 300_000;
/** A schema error repeats the whole message that it is about. */
const MAX_MESSAGE_CHARS = 300;
const DECODER = new TextDecoder();

/** Everything that a revision asks of a server, on the wire of that revision. */
export async function runServerSuite(url: string, revision: Revision): Promise<SuiteResult> {
  const args = ["server", "--url", url, "--requirements", revision];
  return await runInto(args, await requiredScenarios(revision, "server"));
}

/** One scenario, also of an extension, which belongs to no revision. */
export async function runServerScenario(
  url: string,
  scenario: string,
  revision: Revision,
): Promise<SuiteResult> {
  const args = ["server", "--url", url, "--scenario", scenario, "--spec-version", revision, "--force"];
  return await runInto(args, new Set([scenario]));
}

/** One scenario of the client's side: the suite starts a server and has `command` (which gets its URL as last argument) talk to it. */
export async function runClientScenario(
  command: string,
  scenario: string,
  revision: Revision,
): Promise<SuiteResult> {
  const args = ["--scenario", scenario, "--spec-version", revision, "--force"];
  return await runClients(command, args, new Set([scenario]));
}

/** Everything that a revision asks of a client, and what the suite reports besides, all at once. */
export async function runClientSuite(command: string, revision: Revision): Promise<SuiteResult> {
  const required = await requiredScenarios(revision, "client");
  return await runClients(command, ["--requirements", revision], required);
}

/** The scenarios of one of the suite's own lists that a revision has, all at once. None counts as required. */
export async function runClientList(command: string, list: string, revision: string): Promise<SuiteResult> {
  return await runClients(command, ["--suite", list, "--spec-version", revision], new Set());
}

async function runClients(
  command: string,
  which: readonly string[],
  required: ReadonlySet<string>,
): Promise<SuiteResult> {
  // The suite kills the shell that runs the command and not the command: it has to end by itself before.
  const timeout = ["--timeout", String(COMMAND_WITHIN_MS)];
  return await runInto(["client", "--command", command, ...which, ...timeout], required);
}

/** How many checks of the scenarios have this status. */
export function count(scenarios: readonly ScenarioResult[], status: Check["status"]): number {
  return scenarios.flatMap(({ checks }) => checks).filter((check) => check.status === status).length;
}

/** Passed checks by scenario, of those that the revision requires or of the others. */
export function passedByScenario(
  { scenarios }: SuiteResult,
  of: "required" | "unscored",
): Record<string, number> {
  return Object.fromEntries(
    scenarios.filter(({ isRequired }) => isRequired === (of === "required"))
      .map((result) => [result.scenario, count([result], "SUCCESS")]),
  );
}

/** `scenario:check` of every check that failed or was warned of, sorted; without those of the tasks extension. */
export function objections({ scenarios }: SuiteResult): string[] {
  return scenarios.filter(({ scenario }) => !scenario.startsWith("tasks-"))
    .flatMap(({ scenario, checks }) => checks.filter(isObjection).map(({ id }) => `${scenario}:${id}`))
    .sort();
}

/** A line per scenario that is not all right, and one per check in it that is not, for whoever reads a failed test. */
export function report({ scenarios, exitCode }: SuiteResult): string {
  const lines = scenarios.flatMap((result) => {
    const bad = result.checks.filter(isObjection);
    if (bad.length === 0) return [];
    const scored = result.isRequired ? "" : " (not scored)";
    return [
      `${result.scenario}${scored}: ${count([result], "SUCCESS")} passed, ${bad.length} not`,
      ...bad.map(({ id, status, errorMessage, description }) =>
        `  ${status} ${id}: ${firstLine(errorMessage ?? description)}`
      ),
    ];
  });
  const required = scenarios.filter(({ isRequired }) => isRequired);
  return [
    ...lines,
    `required: ${required.length} scenarios, ${count(required, "SUCCESS")} checks passed, ` +
    `${count(required, "FAILURE")} failed, ${count(required, "WARNING")} warnings; exit code ${exitCode}`,
  ].join("\n");
}

function isObjection({ status }: Check): boolean {
  return status === "FAILURE" || status === "WARNING";
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!.slice(0, MAX_MESSAGE_CHARS);
}

type Side = "server" | "client";

/** By revision and side: it does not change while the tests of a file run. */
const required = new Map<string, Promise<ReadonlySet<string>>>();

function requiredScenarios(revision: Revision, side: Side): Promise<ReadonlySet<string>> {
  const key = `${revision} ${side}`;
  const known = required.get(key);
  if (known !== undefined) return known;
  const asked = askRequiredScenarios(revision, side);
  required.set(key, asked);
  return asked;
}

async function askRequiredScenarios(revision: Revision, side: Side): Promise<ReadonlySet<string>> {
  const { output, exitCode } = await suite(["list", `--${side}`, "--requirements", revision]);
  const title = side === "server" ? "Server scenarios" : "Client scenarios";
  const section = output.split(/\n(?=\S)/).find((part) => part.startsWith(title)) ?? "";
  const names = [...section.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name!);
  if (names.length === 0) throw new Error(`The suite named no required scenario (${exitCode}):\n${output}`);
  return new Set(names);
}

async function runInto(args: readonly string[], required: ReadonlySet<string>): Promise<SuiteResult> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_conformance_" });
  try {
    const { exitCode, output } = await suite([...args, "--output-dir", folder]);
    return { exitCode, output, scenarios: resultsIn(folder, required) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Folders are named [server-]<scenario>-<time>; a scenario's name may have a slash. In order of time. */
function resultsIn(folder: string, required: ReadonlySet<string>): ScenarioResult[] {
  const found: (ScenarioResult & { readonly at: string })[] = [];
  const walk = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${path}`)) {
      if (isDirectory) walk(`${path}${name}/`);
      if (name !== "checks.json") continue;
      const [, scenario, at] = /^(?:server-)?(.+)-(\d{4}-\d\d-\d\dT[-\d]+Z)\/$/.exec(path) ?? [];
      if (scenario === undefined || at === undefined) throw new Error(`No scenario is in the name ${path}`);
      const checks = JSON.parse(Deno.readTextFileSync(`${folder}/${path}${name}`));
      found.push({ scenario, at, checks, isRequired: required.has(scenario) });
    }
  };
  walk("");
  return found.toSorted((a, b) => a.at < b.at ? -1 : 1).map(({ at: _, ...result }) => result);
}

async function suite(suiteArgs: readonly string[]): Promise<{ exitCode: number; output: string }> {
  const { command, args } = npmProgram("conformance", ...suiteArgs);
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(RUN_WITHIN_MS),
  }).output();
  return { exitCode: code, output: DECODER.decode(stdout) + DECODER.decode(stderr) };
}
