// Faults of a request. All faults are reported together, in the format of FastAPI.
import { SluiceError } from "../../base/errors.ts";
import type { z } from "zod";

/** `loc` is the path of the value: ["body", "server", "name"], ["query", "limit"]. */
export interface Fault {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

export function fault(loc: readonly (string | number)[], msg: string, type = "value_error"): Fault {
  return { loc, msg, type };
}

export function notSupported(loc: readonly (string | number)[], what: string): Fault {
  return fault(loc, `${what} is not supported yet by this version`, "not_supported");
}

/** @throws {SluiceError} VALIDATION_FAILED if there are faults; its data are the faults */
export function refuse(faults: readonly Fault[]): void {
  if (faults.length > 0) throw refusal(faults);
}

/** Faults that one refusal names: the texts of a million would take seconds. */
const MAX_FAULTS = 100;

export function refusal(all: readonly Fault[]): SluiceError {
  const faults = all.slice(0, MAX_FAULTS);
  if (all.length > MAX_FAULTS) faults.push(fault(["body"], "There are further faults, which are not named"));
  const reason = faults.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`).join("; ");
  return new SluiceError("VALIDATION_FAILED", { reason }, { data: faults });
}

/**
 * Parses a value, and reports all its faults together.
 * @param loc the path of the value in the request
 * @param further faults that concern several fields; they are reported in addition to those of the schema
 * @throws {SluiceError} VALIDATION_FAILED
 */
export function validated<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  loc: readonly (string | number)[],
  further: readonly Fault[] = [],
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  const issues = result.success ? [] : result.error.issues.slice(0, MAX_FAULTS + 1);
  refuse([...issues.map((issue) => ofIssue(issue, loc)), ...further]);
  return result.data as z.output<Schema>;
}

/** The valid fields. Rules that concern several fields can be checked although other fields have faults. */
export function soundFields<Schema extends z.ZodObject>(
  schema: Schema,
  raw: Readonly<Record<string, unknown>>,
): Partial<z.output<Schema>> {
  const sound: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(raw)) {
    if (!Object.hasOwn(schema.shape, field)) continue;
    const result = (schema.shape[field] as z.ZodType).safeParse(value);
    if (result.success && result.data !== undefined) sound[field] = result.data;
  }
  return sound as Partial<z.output<Schema>>;
}

function ofIssue(issue: z.core.$ZodIssue, loc: readonly (string | number)[]): Fault {
  const where = [...loc, ...issue.path.map((part) => typeof part === "number" ? part : String(part))];
  if (issue.code === "invalid_type" && issue.input === undefined) {
    return fault(where, "Field required", "missing");
  }
  switch (issue.code) {
    case "invalid_type":
      return fault(where, issue.message, `${issue.expected}_type`);
    case "invalid_value":
      return fault(where, issue.message, "enum");
    case "too_small":
      return fault(where, issue.message, `${issue.origin}_too_small`);
    case "too_big":
      return fault(where, issue.message, `${issue.origin}_too_big`);
    default:
      return fault(where, issue.message);
  }
}
