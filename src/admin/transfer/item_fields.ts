// What the items of an import have in common: their fields are checked by the rules of the REST API. A fault in a minor field costs that
// field, and is told; a fault in a field that an entity cannot be without, or that decides who sees it, costs the entity.
import type { z } from "zod";
import { isError, type SluiceError } from "../../base/errors.ts";
import type { EntityRow } from "../../store/registry/rows.ts";
import { validated } from "../rest/faults.ts";
import type { LeftOut } from "./bundle.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Why an entity cannot be taken. */
export class Unfit extends Error {}

/** Notes why an entity is left out. @throws any error that is no Unfit */
export function noteUnfit(leftOut: LeftOut[], kind: LeftOut["kind"], label: string, error: unknown): void {
  if (!(error instanceof Unfit)) throw error;
  leftOut.push({ kind, label, reason: error.message });
}

/**
 * The fields of `schema` that fit.
 * @param essential fields that must fit
 * @throws {Unfit}
 */
export function fittingFields<Schema extends z.ZodObject>(
  schema: Schema,
  fields: Fields,
  essential: readonly string[],
): { input: z.output<Schema>; notes: string[] } {
  const given: Record<string, unknown> = {};
  const notes: string[] = [];
  for (const name of Object.keys(schema.shape)) {
    if (fields[name] === undefined) continue;
    const fault = faultOf(schema.shape[name] as z.ZodType, fields[name]);
    if (fault === null) given[name] = fields[name];
    else if (essential.includes(name)) throw new Unfit(`${name} ${fault}`);
    else notes.push(`${name} is dropped: it ${fault}`);
  }
  try {
    return { input: validated(schema, given, []), notes };
  } catch (error) {
    if (!isError(error, "VALIDATION_FAILED")) throw error;
    throw new Unfit((error as SluiceError).message);
  }
}

/** null: the value fits. */
function faultOf(schema: z.ZodType, value: unknown): string | null {
  const result = schema.safeParse(value);
  return result.success ? null : result.error.issues[0]!.message.replace(/^Invalid input: /, "is wrong: ");
}

/** The fields that decide who sees an entity. @throws {Unfit} */
export function sharingOf(
  { visibility, team_id, owner_email }: {
    readonly visibility?: EntityRow["visibility"];
    readonly team_id?: string | null;
    readonly owner_email?: string | null;
  },
  notes: string[],
): Pick<EntityRow, "visibility" | "teamId" | "ownerEmail"> {
  const teamId = team_id ?? null;
  const ownerEmail = owner_email ?? null;
  if (visibility === "team" && teamId === null) {
    notes.push("its visibility is private: it names no team");
    return { visibility: "private", teamId, ownerEmail };
  }
  return { visibility: visibility ?? "public", teamId, ownerEmail };
}

/** Id, times and switch of an entity. */
export function originOf(fields: Fields, now: string): Omit<
  EntityRow,
  "visibility" | "teamId" | "ownerEmail" | "tags"
> {
  const createdAt = timeOf(fields.created_at) ?? now;
  return {
    id: String(fields.id),
    enabled: fields.enabled !== false,
    createdAt,
    updatedAt: timeOf(fields.updated_at) ?? createdAt,
    createdBy: textOf(fields.created_by)?.slice(0, 255) ?? null,
    modifiedBy: null,
    version: 1,
  };
}

/** An ISO text of a time; a text without a zone is UTC, as ContextForge stores it. */
export function timeOf(value: unknown): string | null {
  if (typeof value !== "string") return null;
  const text = value.trim().replace(" ", "T").replace(/(\.\d{3})\d+/, "$1");
  const zoned = /(Z|[+-]\d\d(:?\d\d)?)$/.test(text) ? text.replace(/([+-]\d\d)$/, "$1:00") : `${text}Z`;
  const time = Date.parse(zoned);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** The id of an entity of another gateway, as our own are: letters, digits, "-" and "_". */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(value);
}
