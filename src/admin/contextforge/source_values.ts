// Reads values of ContextForge's columns, which come as text.
import { shortText, text } from "../rest/values.ts";
import { MAX_CHARS, type SourceRow } from "./source_tables.ts";
import { Unfit } from "../transfer/item_fields.ts";

/** SQLite has 0 and 1, PostgreSQL false and true. */
export function isTrue(value: string | null): boolean {
  return value === "1" || value === "true" || value === "t";
}

/** undefined: the text is no JSON; SQLAlchemy writes null as JSON too. */
export function jsonOf(value: string | null): unknown {
  if (value === null || value === "") return null;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

export function listOf(value: string | null): unknown[] {
  const list = jsonOf(value);
  return Array.isArray(list) ? list : [];
}

/** Is the value nothing: null, an empty object, an empty list? */
export function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === "" ||
    (typeof value === "object" && Object.keys(value).length === 0);
}

/** @throws {Unfit} if a value was cut */
export function requireWhole(row: SourceRow): void {
  for (const [name, value] of Object.entries(row)) {
    if (value !== null && value.length > MAX_CHARS) {
      throw new Unfit(`its ${name} has more than ${MAX_CHARS} characters`);
    }
  }
}

/** A user's id is a UUID in ContextForge, and its hex digits here, by which tokens find the user. */
export function hexOf(id: string): string {
  return id.replaceAll("-", "").toLowerCase();
}

/** ContextForge's title for a name, which it stores where nobody has given one (mcpgateway/utils/display_name.py). */
export function titleOf(name: string): string {
  const words = name.replace(/[_\-.]+/g, " ").split(/\s+/).filter((word) => word !== "").join(" ");
  return words.toLowerCase().replace(
    /(^|\P{L})(\p{L})/gu,
    (_, before, letter) => before + letter.toUpperCase(),
  );
}

/** The name of a row in reports. */
export function labelOf(row: SourceRow): string {
  const name = row.email ?? row.original_name ?? row.uri ?? row.name ?? row.user_email ?? row.jti ?? row.id;
  return (name ?? "").slice(0, 255);
}

/** null, with a note, if the text is too long or has control characters. */
export function fitting(value: string | null, notes: string[], what: string): string | null {
  // deno-lint-ignore no-control-regex -- control characters are what it refuses
  if (value === null || shortText.safeParse(value).success && !/[\x00-\x1f\x7f]/.test(value)) return value;
  notes.push(`its ${what} is dropped: it is too long, or has control characters`);
  return null;
}

export function textFitting(value: string | null, notes: string[]): string | null {
  if (text.safeParse(value).success) return value;
  notes.push("its description is dropped: it is too long");
  return null;
}
