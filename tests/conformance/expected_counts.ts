// How many checks each scenario passes against a server that lacks nothing: what the suite asks for by name, counted.
//
// A run that passes fewer has lost checks without failing one (a scenario may end early, or skip what does not apply), so
// tests compare these numbers and not the exit code alone.
import { assertEquals } from "@std/assert";
import { objections, passedByScenario, report, type Revision, type SuiteResult } from "./suite.ts";

/** Scenarios that the revision requires. */
export const REQUIRED: Readonly<Record<Revision, Readonly<Record<string, number>>>> = {
  "2025-11-25": {
    "server-initialize": 3,
    "logging-set-level": 2,
    "ping": 2,
    "completion-complete": 2,
    "tools-list": 3,
    "tools-call-simple-text": 2,
    "tools-call-image": 2,
    "tools-call-audio": 2,
    "tools-call-embedded-resource": 2,
    "tools-call-mixed-content": 2,
    "tools-call-with-logging": 2,
    "tools-call-error": 2,
    "tools-call-with-progress": 2,
    "tools-call-sampling": 2,
    "tools-call-elicitation": 2,
    "elicitation-sep1034-defaults": 6,
    "server-sse-multiple-streams": 2,
    "elicitation-sep1330-enums": 6,
    "resources-list": 2,
    "resources-read-text": 2,
    "resources-read-binary": 2,
    "resources-templates-read": 2,
    "resources-subscribe": 2,
    "resources-unsubscribe": 2,
    "prompts-list": 2,
    "prompts-get-simple": 2,
    "prompts-get-with-args": 2,
    "prompts-get-embedded-resource": 2,
    "prompts-get-with-image": 2,
    "dns-rebinding-protection": 2,
  },
  "2026-07-28": {
    "server-stateless": 30,
    "completion-complete": 2,
    "tools-list": 4,
    "tools-call-simple-text": 2,
    "tools-call-image": 2,
    "tools-call-audio": 2,
    "tools-call-embedded-resource": 2,
    "tools-call-mixed-content": 2,
    "tools-call-error": 2,
    "tools-call-with-progress": 2,
    "server-sse-multiple-streams": 1,
    "resources-list": 2,
    "resources-read-text": 2,
    "resources-read-binary": 2,
    "resources-templates-read": 2,
    "sep-2164-resource-not-found": 4,
    "prompts-list": 2,
    "prompts-get-simple": 2,
    "prompts-get-with-args": 2,
    "prompts-get-embedded-resource": 2,
    "prompts-get-with-image": 2,
    "dns-rebinding-protection": 2,
    "caching": 8,
    "input-required-result-basic-elicitation": 3,
    "input-required-result-basic-sampling": 3,
    "input-required-result-basic-list-roots": 3,
    "input-required-result-request-state": 3,
    "input-required-result-multiple-input-requests": 3,
    "input-required-result-multi-round": 4,
    "input-required-result-missing-input-response": 2,
    "input-required-result-non-tool-request": 3,
    "input-required-result-result-type": 2,
    "input-required-result-unsupported-methods": 2,
    "input-required-result-tampered-state": 2,
    "input-required-result-capability-check": 2,
    "input-required-result-ignore-extra-params": 2,
    "input-required-result-validate-input": 3,
  },
};

/** Scenarios that the suite runs without scoring them, and that we pass all the same. */
export const UNSCORED: Readonly<Record<Revision, Readonly<Record<string, number>>>> = {
  "2025-11-25": { "server-session-lifecycle": 3, "json-schema-2020-12": 8, "server-sse-polling": 3 },
  "2026-07-28": {
    "json-schema-2020-12": 8,
    "http-header-validation": 14,
    "http-custom-header-server-validation": 10,
  },
};

/** A scenario that passes fewer checks than it counts, and why no implementation in this place can do better. */
export interface ExpectedFailure {
  readonly scenario: string;
  /** Checks passed all the same. */
  readonly passed: number;
  /** The checks that fail or are warned of; none where the suite leaves them out. */
  readonly checks: readonly string[];
  readonly because: string;
}

/**
 * Fails, with the suite's own words, unless exactly the checks passed that the two tables count, less the expected failures:
 * one of those that passes is a failure too. Left out is only the extension `io.modelcontextprotocol/tasks`, which the SDK's
 * server does not have.
 */
export function assertComplete(
  result: SuiteResult,
  revision: Revision,
  expectedFailures: readonly ExpectedFailure[] = [],
): void {
  const text = report(result);
  const less = Object.fromEntries(expectedFailures.map(({ scenario, passed }) => [scenario, passed]));
  const counted = (table: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(table).map(([scenario, all]) => [scenario, less[scenario] ?? all]));

  const expectedObjections = expectedFailures.flatMap(({ scenario, checks }) =>
    checks.map((check) => `${scenario}:${check}`)
  );
  assertEquals(objections(result), expectedObjections.toSorted(), text);
  assertEquals(passedByScenario(result, "required"), counted(REQUIRED[revision]), text);
  const unscored = Object.entries(passedByScenario(result, "unscored"))
    .filter(([scenario]) => !scenario.startsWith("tasks-"));
  assertEquals(Object.fromEntries(unscored), counted(UNSCORED[revision]), text);
  assertEquals(result.exitCode === 0, expectedObjections.length === 0, text);
}
