// tools/list, prompts/list, resources/list and resources/templates/list: the endpoint's entries for this caller, by page.
import { canSee } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Entry, EntryIndex, Scope } from "../../catalog/snapshot/catalog.ts";
import { indexAfter, positionOf } from "../../catalog/snapshot/list_order.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import { LIST_TTL_MS } from "../call/sessionless_result.ts";
import type { EntityRow } from "../../store/registry/rows.ts";
import type { CallContext, MethodHandler } from "../call/call_context.ts";
import { cursorIn, type ListCursors, type ListOf } from "../call/list_cursor.ts";
import type { ListName } from "../../upstream/session/list_filter.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** The key in a list's `_meta` that names upstreams whose entries are unusable now. */
export const UNAVAILABLE_KEY = "sluice/unavailableUpstreams";

export interface ListPaging {
  readonly cursors: ListCursors;
  /** Entries per page; 0: no paging. */
  readonly pageSize: number;
}

interface List {
  /** The member of the result that holds the array. */
  readonly key: string;
  readonly name: ListName;
  readonly indexIn: (scope: Scope) => EntryIndex<Entry<EntityRow>>;
}

const LISTS = {
  "tools/list": { key: "tools", name: "tools", indexIn: ({ tools }) => tools },
  "prompts/list": {
    key: "prompts",
    name: "prompts",
    indexIn: ({ prompts }) => prompts,
  },
  "resources/list": {
    key: "resources",
    name: "resources",
    indexIn: ({ resources }) => resources,
  },
  "resources/templates/list": {
    key: "resourceTemplates",
    name: "resources",
    indexIn: ({ templates }) => templates,
  },
} as const satisfies Readonly<Record<string, List>>;

/** The handlers throw INVALID_PARAMS for a cursor of another list. */
export function listHandlers(
  caller: UpstreamCaller,
  paging: ListPaging,
): [method: keyof typeof LISTS, handler: MethodHandler][] {
  const methods = Object.keys(LISTS) as (keyof typeof LISTS)[];
  return methods.map((method) => [method, (call, { params }) => {
    const list: List = LISTS[method];
    const of = { method, serverId: call.scope.server?.id ?? null };
    const cursor = cursorIn(params);
    const answer = (scope: Scope) => {
      const index = list.indexIn(scope);
      const page = pageOf(index, call, of, paging, cursor);
      const ttl = call.revision === STATELESS_REVISION ? `,"ttlMs":${ttlMsOf(index)}` : "";
      return { text: render(caller, list.key, page, ttl), failed: false };
    };
    // Further pages belong to the list of the first one.
    const asked = cursor === undefined ? call.lists?.ask(call, list.name, null) ?? null : null;
    return asked === null ? answer(call.scope) : asked.then(answer);
  }]);
}

interface Page {
  /** The inside of a JSON array. */
  readonly items: string;
  readonly gateways: readonly Entry<EntityRow>["gateway"][];
  readonly nextCursor: string | null;
}

/** A page ends at an entry instead of a number, so that entries that come or go do not move the next page (list_order.ts). */
function pageOf(
  index: EntryIndex<Entry<EntityRow>>,
  { principal, revision }: CallContext,
  list: ListOf,
  { cursors, pageSize }: ListPaging,
  cursor: unknown,
): Page {
  const { entries, allPublic } = index;
  const forSessions = revision !== STATELESS_REVISION;
  const isWhole = pageSize === 0 || entries.length <= pageSize;
  if (cursor === undefined && isWhole && allPublic) {
    const items = forSessions ? index.sessionListText : index.listText;
    return { items, gateways: index.gateways, nextCursor: null };
  }
  const sees = ({ row }: Entry<EntityRow>) => canSee(principal, row);
  const shown: Entry<EntityRow>[] = [];
  let isMore = false;
  for (
    let i = cursor === undefined ? 0 : indexAfter(entries, opened(cursors, list, cursor));
    i < entries.length;
    i++
  ) {
    if (!allPublic && !index.lists(entries[i]!, sees)) continue;
    isMore = pageSize > 0 && shown.length === pageSize;
    if (isMore) break;
    shown.push(entries[i]!);
  }
  return {
    items: shown.map(({ listText, sessionListText }) => forSessions ? sessionListText : listText).join(","),
    gateways: shown.map(({ gateway }) => gateway),
    nextCursor: isMore ? cursors.seal(list, positionOf(shown.at(-1)!)) : null,
  };
}

function opened(cursors: ListCursors, list: ListOf, cursor: unknown) {
  const position = typeof cursor === "string" ? cursors.open(list, cursor) : null;
  if (position === null) throw new SluiceError("INVALID_PARAMS", { reason: "unknown cursor" });
  return position;
}

/** The shortest TTL of the list's upstreams, for every page. */
function ttlMsOf({ gateways }: EntryIndex<Entry<EntityRow>>): number {
  return Math.min(LIST_TTL_MS, ...gateways.map(({ listTtlMs }) => listTtlMs ?? LIST_TTL_MS));
}

/** Entries of unreachable upstreams stay listed; `_meta` names those upstreams. @param more further members, as JSON text */
function render(
  caller: UpstreamCaller,
  key: string,
  { items, gateways, nextCursor }: Page,
  more: string,
): string {
  const missing = caller.missing(gateways);
  const cursor = nextCursor === null ? "" : `,"nextCursor":${JSON.stringify(nextCursor)}`;
  const meta = missing.length === 0 ? "" : `,"_meta":${JSON.stringify({ [UNAVAILABLE_KEY]: missing })}`;
  return `{${JSON.stringify(key)}:[${items}]${cursor}${more}${meta}}`;
}
