// A list that is searched while one types, in numbered pages. Without a script the same form searches by a reload.
import type { Child } from "hono/jsx";
import type { PageCall } from "../call/page_call.ts";
import type { Option } from "./form.tsx";
import { Pages } from "./page_parts.tsx";

/** What `/admin/tools?page=1` of the REST API answers. */
export interface ListPage<Entry> {
  readonly data: readonly Entry[];
  readonly pagination: { readonly page: number; readonly total_items: number; readonly total_pages: number };
}

export const PAGE_SIZE = 50;

/** Reads the page of a list that the query asks for. @param path of the REST API: `/admin/tools` */
export async function readPage<Entry>({ rest, query }: PageCall, path: string): Promise<ListPage<Entry>> {
  const asked = new URLSearchParams({
    include_inactive: "true",
    per_page: String(PAGE_SIZE),
    page: String(pageOf(query)),
  });
  for (const name of ["q", "gateway_id", "tags", "state"]) {
    const value = query.get(name)?.trim();
    if (value !== undefined && value !== "") asked.set(name, value);
  }
  return await rest.get(`${path}?${asked}`);
}

/** The number of the page that the query asks for. */
function pageOf(query: URLSearchParams): number {
  const page = Number(query.get("page"));
  return Number.isSafeInteger(page) && page > 0 ? page : 1;
}

/** A page of a list that the REST API gives as a whole; the last one, if the list has become shorter. */
export function partOf<Entry>(
  list: readonly Entry[],
  query: URLSearchParams,
  size = PAGE_SIZE,
): ListPage<Entry> {
  const pages = Math.ceil(list.length / size);
  const page = Math.min(pageOf(query), Math.max(pages, 1));
  return {
    data: list.slice((page - 1) * size, page * size),
    pagination: { page, total_items: list.length, total_pages: pages },
  };
}

/** Reads the page of a list that the REST API gives in parts by limit and offset. @param read gives the part, and the number of all */
export async function readPart<Entry>(
  query: URLSearchParams,
  read: (
    part: { readonly limit: number; readonly offset: number },
  ) => Promise<readonly [readonly Entry[], number]>,
): Promise<ListPage<Entry>> {
  const page = pageOf(query);
  const [data, total] = await read({ limit: PAGE_SIZE, offset: (page - 1) * PAGE_SIZE });
  return { data, pagination: { page, total_items: total, total_pages: Math.ceil(total / PAGE_SIZE) } };
}

/** A request of later letters replaces the one under way. Otherwise htmx drops them, and the list shows what fewer letters find. */
export const LATEST = "replace";

/**
 * Attributes of a filter whose answer is the list below it. The number of what is found stays the same element, so that a screen reader
 * tells it and not the whole list.
 */
export const INTO_LIST = {
  "hx-target": "#found",
  "hx-swap": "innerMorph",
  "hx-sync": `closest form:${LATEST}`,
} as const;

export interface SearchListProps<Entry> {
  /** Relative to `/admin/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly placeholder: string;
  readonly found: ListPage<Entry>;
  readonly children: Child;
  /** What else fits the search, below the pages of the list. */
  readonly further?: Child;
  /** Filters beside the search; one without options is left out. */
  readonly choices?: readonly Choice[];
}

interface Choice {
  /** The query parameter. */
  readonly name: string;
  readonly label: string;
  readonly options: readonly Option[];
}

/** The field, the number of what was found, the rows, and the links to other pages. */
export function SearchList<Entry>(props: SearchListProps<Entry>) {
  const { path, query, placeholder, choices = [] } = props;
  const fields = ["q", "page", "part", ...choices.map(({ name }) => name)];
  const kept = [...query].filter(([name]) => !fields.includes(name));
  const search = {
    "hx-get": `${path}?${new URLSearchParams([...kept, ["part", ""]])}`,
    ...INTO_LIST,
    "hx-include": ".filters [data-choice], .filters [type=search]",
  };
  return (
    <>
      <form class="filters" role="search" action={path}>
        <label class="sr-only" for="q">Search</label>
        {kept.map(([name, value]) => <input type="hidden" name={name} value={value} />)}
        <input
          {...{ id: "q", name: "q", type: "search", value: query.get("q") ?? "", placeholder }}
          autocomplete="off"
          {...search}
          hx-trigger="input changed delay:200ms"
        />
        {choices.filter(({ options }) => options.length > 0).map(({ name, label, options }) => (
          <select {...{ name, "aria-label": label, "data-choice": "" }} {...search} hx-trigger="change">
            <option value="">{`${label}: all`}</option>
            {options.map(({ value, label: words }) => (
              <option value={value} selected={value === query.get(name)}>{words}</option>
            ))}
          </select>
        ))}
        {choices.length > 0 && (
          <noscript>
            <button type="submit">Show</button>
          </noscript>
        )}
      </form>
      <div id="found">
        <FoundPart {...props} />
      </div>
    </>
  );
}

/** What is replaced while one types. */
export function FoundPart<Entry>({ path, query, found, children, further }: SearchListProps<Entry>) {
  const { page, total_items: total, total_pages: pages } = found.pagination;
  const asked = new URLSearchParams(query);
  asked.delete("part");
  return (
    <>
      {total === 0
        ? <NothingFound all={[...asked.values()].some((value) => value !== "") ? path : null} />
        : <p class="soft small" role="status">{`${total.toLocaleString("en")} found`}</p>}
      {children}
      <Pages path={path} query={asked} of={{ page, total_pages: pages }} />
      {further}
    </>
  );
}

/** @param all the way to the whole list; null: nothing was searched for */
export function NothingFound({ all }: { readonly all: string | null }) {
  return (
    <p class="soft small" role="status">
      Nothing is found. {all !== null && <a href={all}>Show all</a>}
    </p>
  );
}

/** A search for something to choose shows so many. */
export const MOST_FOUND = 20;

/** The end of what such a search finds, where there is more. */
export function MoreFound({ more }: { readonly more: number }) {
  if (more <= 0) return null;
  return <p class="soft small">{`${more.toLocaleString("en")} more: search for further words.`}</p>;
}
