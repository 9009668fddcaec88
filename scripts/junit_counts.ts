// How many tests a JUnit report of `deno test` counts.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** A report's counts, steps included; tests left out count as neither. @throws {Error} where it is no such report */
export function junitCounts(report: string): Counts {
  const whole = /<testsuites\b[^>]*>/.exec(report)?.[0];
  if (whole === undefined) throw new Error("Cannot read the JUnit report: it has no <testsuites>");
  const failed = attribute(whole, "failures") + attribute(whole, "errors");
  const leftOut = [...report.matchAll(/<testsuite\b[^>]*>/g)]
    .reduce((sum, [suite]) => sum + attribute(suite, "disabled"), 0);
  return { passed: attribute(whole, "tests") - failed - leftOut, failed };
}

function attribute(tag: string, name: string): number {
  const value = new RegExp(`\\s${name}="(\\d+)"`).exec(tag)?.[1];
  if (value === undefined) throw new Error(`Cannot read the JUnit report: no ${name} in ${tag}`);
  return Number(value);
}
