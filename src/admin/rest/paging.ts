// Lists: visibility, filters, and pages.
import { canSee } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import type { EntityRow } from "../../store/registry/rows.ts";
import { type AdminResponse, type Call, ok } from "./deps.ts";
import { fault, refusal, validated } from "./faults.ts";
import { type ListQuery, listQuery } from "./schemas.ts";

const DEFAULT_PAGE = 50;

/** Reads the query parameters of a list. @throws {SluiceError} VALIDATION_FAILED */
export function readListQuery({ query }: Call): ListQuery {
  return validated(listQuery, Object.fromEntries(query), ["query"]);
}

/** The rows that the caller may see and that the query selects, in their order. */
export function selected<Row extends EntityRow & { readonly gatewayId?: string | null }>(
  rows: readonly Row[],
  principal: Principal,
  query: ListQuery,
  isActive: (row: Row) => boolean = ({ enabled }) => enabled,
): Row[] {
  const tags = new Set(query.tags?.split(",").map((tag) => tag.trim()).filter((tag) => tag !== ""));
  return rows.filter((row) =>
    canSee(principal, row) &&
    (query.include_inactive || isActive(row)) &&
    (tags.size === 0 || row.tags.some((tag) => tags.has(tag))) &&
    (query.gateway_id === undefined || row.gatewayId === query.gateway_id) &&
    (query.team_id === undefined || row.teamId === query.team_id) &&
    (query.visibility === undefined || row.visibility === query.visibility)
  );
}

/**
 * One page of a list: an array, or with include_pagination an object that also has the cursor of the next page. Without a
 * limit the array has all rows. A cursor contains the sort key of the last row, so that inserted and deleted rows do not shift
 * later pages.
 */
export function pageOf<Row extends EntityRow>(
  rows: readonly Row[],
  { key, sortKey, query }: { key: string; sortKey: keyof Row & string; query: ListQuery },
): { page: readonly Row[]; answer: (items: readonly unknown[]) => AdminResponse } {
  const rest = query.cursor === undefined ? rows : after(rows, sortKey, query.cursor);
  const size = query.limit ?? (query.include_pagination ? DEFAULT_PAGE : 0);
  const page = size === 0 ? rest : rest.slice(0, size);
  const last = page.at(-1);
  const nextCursor = last !== undefined && page.length < rest.length
    ? encode([String(last[sortKey]), last.id])
    : null;
  return {
    page,
    answer: (items) => ok(query.include_pagination ? { [key]: items, nextCursor } : items),
  };
}

function after<Row extends EntityRow>(
  rows: readonly Row[],
  sortKey: keyof Row & string,
  cursor: string,
): Row[] {
  const [value, id] = decode(cursor);
  return rows.filter((row) => {
    const own = String(row[sortKey]);
    return own > value || (own === value && row.id > id);
  });
}

function encode(position: [string, string]): string {
  return new TextEncoder().encode(JSON.stringify(position)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

function decode(cursor: string): [string, string] {
  try {
    const bytes = Uint8Array.fromBase64(cursor, { alphabet: "base64url" });
    const position = JSON.parse(new TextDecoder().decode(bytes));
    if (
      Array.isArray(position) && position.length === 2 && position.every((each) => typeof each === "string")
    ) {
      return position as [string, string];
    }
  } catch {
    // A cursor that cannot be decoded is refused below.
  }
  throw refusal([fault(["query", "cursor"], "is not a cursor of this list")]);
}
