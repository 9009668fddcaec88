// Lists: visibility, filters, order, and pages.
import { canSee } from "../../auth/rbac.ts";
import type { Principal } from "../../auth/principal.ts";
import type { EntityRow } from "../../store/registry/rows.ts";
import { tagId } from "../../store/registry/tag_id.ts";
import { type Call, type Handler, ok } from "./deps.ts";
import { validated } from "./faults.ts";
import { type ListQuery, listQuery, pageQuery } from "./queries.ts";

const DEFAULT_PAGE = 50;

/** A row of a list. The entries of an upstream have a position among each other. */
export type ListedRow = EntityRow & Searched & {
  readonly gatewayId?: string | null;
  readonly position?: number;
};

/** The fields that a search reads, as far as an entity has them. */
interface Searched {
  readonly name: string;
  readonly originalName?: string;
  readonly customName?: string | null;
  readonly displayName?: string | null;
  /** The operator's, else that of `definition`. */
  readonly description: string | null;
  /** JSON. */
  readonly definition?: string;
  readonly uri?: string;
}

/** The rows of a list that the caller may see and that the query selects, and how an answer shows some of them. */
export interface Selection<Row extends ListedRow> {
  readonly rows: readonly Row[];
  readonly show: (page: readonly Row[]) => unknown[] | Promise<unknown[]>;
}

export type Select<Row extends ListedRow> = (call: Call, query: ListQuery) => Promise<Selection<Row>>;

/** Reads the query parameters of a list. @throws {SluiceError} VALIDATION_FAILED */
export function readListQuery({ query }: Pick<Call, "query">): ListQuery {
  return validated(listQuery, Object.fromEntries(query), ["query"]);
}

/** The rows that the caller may see and that the query selects, in their order. */
export function selected<Row extends ListedRow>(
  rows: readonly Row[],
  principal: Principal,
  query: ListQuery,
  isActive: (row: Row) => boolean = ({ enabled }) => enabled,
): Row[] {
  const tags = new Set(query.tags?.split(",").map(tagId).filter((id) => id !== ""));
  const words = query.q?.toLowerCase().split(/\s+/).filter((word) => word !== "") ?? [];
  return rows.filter((row) =>
    canSee(principal, row) &&
    (query.include_inactive || isActive(row)) &&
    (tags.size === 0 || row.tags.some((label) => tags.has(tagId(label)))) &&
    (query.gateway_id === undefined || row.gatewayId === query.gateway_id) &&
    (query.team_id === undefined || row.teamId === query.team_id) &&
    (query.visibility === undefined || row.visibility === query.visibility) &&
    (words.length === 0 || hasWords(row, words))
  );
}

/** The URL of a gateway is not looked at: it can contain credentials. */
function hasWords(row: ListedRow, words: readonly string[]): boolean {
  const { name, originalName, customName, displayName, uri, tags } = row;
  const short = [name, originalName, customName, displayName, uri, ...tags].join("\n").toLowerCase();
  if (words.every((word) => short.includes(word))) return true;
  const text = `${short}\n${descriptionOf(row).toLowerCase()}`;
  return words.every((word) => text.includes(word));
}

function descriptionOf({ description, definition }: Searched): string {
  return description ?? (definition === undefined ? "" : JSON.parse(definition).description ?? "");
}

/**
 * A list in parts that cursors join: an array, or with include_pagination an object that also has the cursor of the next part.
 * Without a limit the array has all rows. A cursor is the place of the last row, so that inserted and deleted rows do not shift
 * later parts; new rows come first, and a client that has begun does not meet them. A text that is no cursor counts as none, as in
 * ContextForge.
 * @param key the member that contains the entities
 */
export function listed<Row extends ListedRow>(key: string, select: Select<Row>): Handler {
  return async (call) => {
    const query = readListQuery(call);
    const { rows, show } = await select(call, query);
    const start = query.cursor === undefined ? null : decode(query.cursor);
    const ordered = newestFirst(rows);
    const rest = start === null ? ordered : ordered.filter((row) => compare(start, placeOf(row)) < 0);
    const size = query.limit ?? (query.include_pagination ? DEFAULT_PAGE : 0);
    const page = size === 0 ? rest : rest.slice(0, size);
    const items = await show(page);
    if (!query.include_pagination) return ok(items);
    const nextCursor = page.length < rest.length ? encode(placeOf(page.at(-1)!)) : null;
    return ok({ [key]: items, nextCursor });
  };
}

/** A list in numbered pages, `?page=1&per_page=50`, with their number. @param path for the links to other pages */
export function paged<Row extends ListedRow>(path: string, select: Select<Row>): Handler {
  return async (call) => {
    const { page, per_page: size } = validated(pageQuery, Object.fromEntries(call.query), ["query"]);
    const { rows, show } = await select(call, readListQuery(call));
    const pages = Math.ceil(rows.length / size);
    const link = (number: number) => {
      const query = new URLSearchParams(call.query);
      query.set("page", String(number));
      query.set("per_page", String(size));
      return `${path}?${query}`;
    };
    return ok({
      data: await show(newestFirst(rows).slice((page - 1) * size, page * size)),
      pagination: {
        page,
        per_page: size,
        total_items: rows.length,
        total_pages: pages,
        has_next: page < pages,
        has_prev: page > 1,
      },
      links: {
        self: link(page),
        first: link(1),
        last: link(Math.max(1, pages)),
        next: page < pages ? link(page + 1) : null,
        prev: page > 1 ? link(page - 1) : null,
      },
    });
  };
}

/** The place of a row in lists, which never changes: time of creation, position at its upstream, id. */
type Place = readonly [createdAt: string, position: number, id: string];

function placeOf({ createdAt, position = 0, id }: ListedRow): Place {
  return [createdAt, position, id];
}

/** Newest first, as in ContextForge. The entries that an upstream listed at the same time keep its order. */
export function newestFirst<Row extends ListedRow>(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => compare(placeOf(a), placeOf(b)));
}

/** Negative: `a` comes first. */
function compare(a: Place, b: Place): number {
  if (a[0] !== b[0]) return a[0] > b[0] ? -1 : 1;
  if (a[1] !== b[1]) return a[1] - b[1];
  return a[2] === b[2] ? 0 : a[2] < b[2] ? -1 : 1;
}

function encode(place: Place): string {
  return new TextEncoder().encode(JSON.stringify(place)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

/** null if the text is no cursor. */
function decode(cursor: string): Place | null {
  try {
    const bytes = Uint8Array.fromBase64(cursor, { alphabet: "base64url" });
    const place: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const kinds = ["string", "number", "string"];
    const isPlace = Array.isArray(place) && place.length === kinds.length &&
      kinds.every((kind, i) => typeof place[i] === kind);
    return isPlace ? place as unknown as Place : null;
  } catch {
    return null; // neither base64 nor JSON
  }
}
