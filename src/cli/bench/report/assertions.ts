// What a report has to fulfil, for CI: `p99<50ms`, `errors=0`, `errors<0.1%`, `rate>900`, `tools/list:p99<10ms`.

/** What assertions measure. */
export interface MetricSource {
  /** @param method null: all together @returns ms for times; null: there is no such value */
  metric(name: string, method: string | null): number | null;
}

type Operator = "<" | "<=" | ">" | ">=" | "=";

export interface Assertion {
  /** As given. */
  readonly text: string;
  /** null: all methods together. */
  readonly method: string | null;
  /** `p99`, `p99.9`, `mean`, `min`, `max`, `rate`, `errors`, `unsent`, `requests`. */
  readonly metric: string;
  readonly operator: Operator;
  /** ms for times, a share (0.01 for 1 %) with `isShare`. */
  readonly bound: number;
  readonly isShare: boolean;
}

export interface Verdict {
  readonly text: string;
  readonly holds: boolean;
  /** What was measured; null: there is no such value. */
  readonly value: number | null;
  readonly unit: "ms" | "%" | "";
}

const RULE =
  /^(?:([a-z/]+):)?(p\d{1,2}(?:\.\d{1,4})?|[a-z]+)\s*(<=|>=|==|=|<|>)\s*(\d{1,12}(?:\.\d{1,9})?)\s*(us|ms|s|%)?$/;
const COUNTS = ["rate", "errors", "unsent", "requests"];
const TIMES = ["mean", "min", "max"];
const MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

/** @returns the mistake, if there is one */
export function parseAssertion(text: string): Assertion | string {
  const [, method = null, metric, sign, number, unit] = RULE.exec(text.trim()) ?? [];
  const examples = "write for example p99<50ms, errors=0, errors<0.1%, rate>900 or tools/list:p99<10ms";
  if (metric === undefined) return `--assert "${text}" is no rule: ${examples}`;
  if (!isTime(metric) && !COUNTS.includes(metric)) {
    return `--assert "${text}" has no known measure "${metric}": p50 to p99.99, ${
      [...TIMES, ...COUNTS].join(", ")
    }`;
  }
  const isShare = unit === "%";
  if (unit !== undefined && !isShare && !isTime(metric)) return `--assert "${text}": ${metric} is no time`;
  if (unit === undefined && isTime(metric)) return `--assert "${text}" needs a unit: us, ms or s`;
  const bound = Number(number) * (isShare ? 0.01 : isTime(metric) ? MS[unit!]! : 1);
  const operator = (sign === "==" ? "=" : sign) as Operator;
  return { text: text.trim(), method, metric, operator, bound, isShare };
}

/** A share is one of all requests. */
export function judge(assertion: Assertion, report: MetricSource): Verdict {
  const value = report.metric(assertion.metric, assertion.method);
  const requests = report.metric("requests", assertion.method);
  const measured = assertion.isShare && value !== null ? value / Math.max(1, requests ?? 0) : value;
  return verdict(assertion, measured);
}

/** A share is one of the base's value. */
export function judgeChange(assertion: Assertion, base: MetricSource, report: MetricSource): Verdict {
  const [before, after] = [base, report].map((of) => of.metric(assertion.metric, assertion.method));
  return verdict(assertion, ratio(before!, after!));
}

/** Of two zeros it is 1. */
function ratio(before: number | null, after: number | null): number | null {
  if (before === null || after === null) return null;
  return before === after ? 1 : after / before;
}

function verdict({ text, metric, operator, bound, isShare }: Assertion, value: number | null): Verdict {
  const holds = value !== null && compare(value, operator, bound);
  const shown = value !== null && isShare ? value * 100 : value;
  return { text, holds, value: shown, unit: isShare ? "%" : isTime(metric) ? "ms" : "" };
}

function isTime(metric: string): boolean {
  return TIMES.includes(metric) || /^p\d/.test(metric);
}

function compare(value: number, operator: Operator, bound: number): boolean {
  switch (operator) {
    case "<":
      return value < bound;
    case "<=":
      return value <= bound;
    case ">":
      return value > bound;
    case ">=":
      return value >= bound;
    case "=":
      return value === bound;
  }
}
