// Test results: reads the JUnit reports that `deno test` writes, and lists the slowest and the failed tests.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** A test, or a step of one. */
export interface TestResult {
  /** Path of the file that the test stands in. */
  readonly file: string;
  /** A step's name begins with its test's: `test > step`. */
  readonly name: string;
  readonly seconds: number;
  /** The error's message; null where the test passed. */
  readonly failure: string | null;
}

export interface Report extends Counts {
  /** Without the tests that were left out. */
  readonly results: readonly TestResult[];
}

/** The message of a test that failed because a step failed. */
const ONLY_A_STEP = /^\d+ test steps? failed$/;
const MESSAGE_LINES = 12;

/**
 * Reads a JUnit report. `deno test` files a test under the file that called `Deno.test`, which may be one of tests/support: the
 * report of a single test file gets its path as `file`. @throws {Error} for other texts
 */
export function readReport(xml: string, file?: string): Report {
  const suites = [...xml.matchAll(/<testsuite\b[^>]*>/g)].map(([tag]) => tag);
  const whole = /<testsuites\b[^>]*>/.exec(xml)?.[0];
  if (whole === undefined) throw new Error("Cannot read the JUnit report: it has no <testsuites>");
  const failed = count(whole, "failures") + count(whole, "errors");
  const leftOut = suites.reduce((sum, suite) => sum + count(suite, "disabled"), 0);
  const cases = [...xml.matchAll(/(<testcase\b[^>]*>)([\s\S]*?)<\/testcase>/g)]
    .filter(([, , body]) => !body!.includes("<skipped"));
  const results = cases.map(([, tag, body]) => ({
    file: file ?? attribute(tag!, "classname").replace(/^\.\//, ""),
    name: attribute(tag!, "name"),
    seconds: Number(attribute(tag!, "time")),
    failure: failureIn(body!),
  }));
  return { passed: count(whole, "tests") - failed - leftOut, failed, results };
}

function failureIn(body: string): string | null {
  const tag = /<(?:failure|error)\b[^>]*>/.exec(body)?.[0];
  return tag === undefined ? null : attribute(tag, "message");
}

/** The slowest tests, each with its steps: a line per test. */
export function slowest(results: readonly TestResult[], amount: number): string[] {
  return withoutSteps(results).toSorted((a, b) => b.seconds - a.seconds).slice(0, amount)
    .map(({ file, name, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${file}: ${name}`);
}

/** Every failed test and step with its message. A test that failed by its steps alone is not named again. */
export function failures(results: readonly TestResult[]): string[] {
  return results.filter(({ failure }) => failure !== null && !ONLY_A_STEP.test(failure))
    .map(({ file, name, failure }) => {
      const lines = failure!.replace(/^Uncaught /, "").split("\n").filter((line) => line.trim() !== "");
      return [`${file}: ${name}`, ...lines.slice(0, MESSAGE_LINES).map((line) => `    ${line}`)].join("\n");
    });
}

function withoutSteps(results: readonly TestResult[]): TestResult[] {
  const names = new Set(results.map(({ file, name }) => `${file}: ${name}`));
  const isStep = ({ file, name }: TestResult) => {
    for (let at = name.indexOf(" > "); at !== -1; at = name.indexOf(" > ", at + 1)) {
      if (names.has(`${file}: ${name.slice(0, at)}`)) return true;
    }
    return false;
  };
  return results.filter((result) => !isStep(result));
}

function count(tag: string, name: string): number {
  return Number(attribute(tag, name));
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function attribute(tag: string, name: string): string {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  if (value === undefined) throw new Error(`Cannot read the JUnit report: no ${name} in ${tag}`);
  return value.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, entity) => {
    if (entity !== undefined) return ENTITIES[entity] ?? whole;
    return String.fromCodePoint(parseInt(hex ?? decimal, hex === undefined ? 10 : 16));
  });
}
