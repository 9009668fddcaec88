// Reads the object in a request's body. The answer warns of each unknown field: a misspelt field would otherwise be dropped
// without notice.
import type { z } from "zod";
import type { SluiceError } from "../../base/errors.ts";
import { nearName } from "../../config/near_name.ts";
import { type Fault, fault, refusal } from "./faults.ts";

/** The fields that a request can have, by their snake_case names. */
export interface KnownFields {
  /** The fields that are used. */
  readonly schema: z.ZodObject;
  /** Fields that are checked outside the schema, for instance fields that are refused if they change something. */
  readonly judged?: readonly string[];
  /** Fields of ContextForge's requests that have no effect here. */
  readonly withoutEffect?: readonly string[];
}

/** A field that is not known. */
export interface ExtraField {
  readonly loc: readonly (string | number)[];
  /** The name in the request. */
  readonly written: string;
  readonly name: string;
  readonly value: unknown;
  readonly known: KnownFields;
}

/** Fields of answers that change without a request. A client that sends back an answer has old values of them. */
const CHANGING_FIELDS: ReadonlySet<string> = new Set([
  "capabilities",
  "conflicts",
  "held_count",
  "instructions",
  "last_error",
  "last_refresh_at",
  "last_seen",
  "metrics",
  "next_try_at",
  "modified_by",
  "prompt_count",
  "protocol_version",
  "reachable",
  "resource_count",
  "server_info",
  "skipped_tools",
  "warnings",
  "stateful",
  "status",
  "tool_count",
  "updated_at",
  "version",
]);

/**
 * The object's fields by their snake_case names; camelCase names are accepted too. Unknown fields are added to `call.extra`,
 * and the answer warns of them.
 * @throws {SluiceError} VALIDATION_FAILED if the value is not an object
 */
export function readFields(
  call: { readonly extra: ExtraField[] },
  value: unknown,
  loc: readonly (string | number)[],
  known: KnownFields,
): Record<string, unknown> {
  const fields = namedFields(value, loc);
  for (const { written, name, value } of fields) {
    if (!Object.hasOwn(known.schema.shape, name) && !known.judged?.includes(name)) {
      call.extra.push({ loc: [...loc, written], written, name, value, known });
    }
  }
  return Object.fromEntries(fields.map(({ name, value }) => [name, value]));
}

/** The object's fields, without a check of their names. @throws {SluiceError} VALIDATION_FAILED if it is not an object */
export function requireObject(value: unknown, loc: readonly (string | number)[]): Record<string, unknown> {
  return Object.fromEntries(namedFields(value, loc).map(({ name, value }) => [name, value]));
}

/** Limit of the fields that one answer warns of: each is compared with all known names. */
const MAX_WARNED = 100;

/** Adds to the member `warnings` of the answer, if there are warnings. */
export function withWarnings(body: unknown, extra: readonly ExtraField[]): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const warnings = extra.slice(0, MAX_WARNED)
    .flatMap((field) => warningAbout(field, body as Record<string, unknown>) ?? []);
  const more = extra.length - MAX_WARNED;
  if (more > 0) warnings.push(fault(["body"], `${more} more unknown fields were ignored`, "unknown_field"));
  const { warnings: others = [] } = body as { readonly warnings?: readonly Fault[] };
  return warnings.length === 0 ? body : { ...body, warnings: [...others, ...warnings] };
}

/** A refusal that also names the unknown fields that look like a missing one. */
export function withMisspelt(refused: SluiceError, extra: readonly ExtraField[]): SluiceError {
  if (!Array.isArray(refused.data)) return refused;
  const faults = refused.data as readonly Fault[];
  const missing = new Set(faults.flatMap(({ loc, type }) => type === "missing" ? [loc.join(".")] : []));
  const misspelt = missing.size === 0
    ? []
    : extra.slice(0, MAX_WARNED).flatMap(({ loc, written, name, known }) => {
      const near = nearField(name, known);
      return near === null || !missing.has([...loc.slice(0, -1), near].join("."))
        ? []
        : [fault(loc, `"${written}" is not a known field; did you mean "${near}"?`, "unknown_field")];
    });
  return misspelt.length === 0 ? refused : refusal([...faults, ...misspelt]);
}

/** null if the field would change nothing, for instance because a client sent back an answer. */
function warningAbout(
  { loc, written, name, value, known }: ExtraField,
  answer: Readonly<Record<string, unknown>>,
): Fault | null {
  if (known.withoutEffect?.includes(name)) {
    if (isNothing(value)) return null;
    return fault(loc, `"${written}" is a field of ContextForge that has no effect here`, "no_effect");
  }
  const shownAs = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  if (Object.hasOwn(answer, shownAs)) {
    if (CHANGING_FIELDS.has(name) || JSON.stringify(answer[shownAs]) === JSON.stringify(value)) return null;
    return fault(loc, `"${written}" cannot be set by this request, and was ignored`, "read_only");
  }
  const near = nearField(name, known);
  const question = near === null ? "" : `; did you mean "${near}"?`;
  return fault(loc, `"${written}" is not a known field, and was ignored${question}`, "unknown_field");
}

function nearField(name: string, { schema, judged = [] }: KnownFields): string | null {
  return nearName(name, [...Object.keys(schema.shape), ...judged], likelyEdits);
}

function likelyEdits(length: number): number {
  return Math.max(1, Math.floor(length / 3));
}

function isNothing(value: unknown): boolean {
  return value === null || value === false || value === "" ||
    (typeof value === "object" && Object.keys(value).length === 0);
}

interface NamedField {
  readonly written: string;
  readonly name: string;
  readonly value: unknown;
}

/** If a field has both names, the snake_case one wins. */
function namedFields(value: unknown, loc: readonly (string | number)[]): NamedField[] {
  if (value === undefined) throw refusal([fault(loc, "Field required", "missing")]);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal([fault(loc, "Input should be an object", "object_type")]);
  }
  return Object.entries(value)
    .map(([written, each]) => ({
      written,
      name: written.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value: each,
    }))
    .filter(({ written, name }) => name === written || !Object.hasOwn(value, name));
}
