// Small parts of pages: their head, badges, empty states, facts, texts to copy, numbered pages.
import type { Child } from "hono/jsx";

export function PageHead({ title, crumbs = [], children }: {
  readonly title: string;
  /** The pages above this one. */
  readonly crumbs?: readonly { readonly path: string; readonly label: string }[];
  /** Buttons. */
  readonly children?: Child;
}) {
  return (
    <div class="head">
      {crumbs.length > 0 && (
        <nav class="crumbs" aria-label="Above">
          {crumbs.map(({ path, label }) => (
            <>
              <a href={path}>{label}</a> /{" "}
            </>
          ))}
        </nav>
      )}
      <h1 dir="auto">{title}</h1>
      {children !== undefined && <div class="actions">{children}</div>}
    </div>
  );
}

export type Mood = "good" | "warn" | "bad" | "plain";

export function Badge({ mood, label }: { readonly mood: Mood; readonly label: string }) {
  return <span class={mood === "plain" ? "badge" : `badge ${mood}`}>{label}</span>;
}

/** What a page says while it has nothing to show: what would be here, and how it comes here. */
export function Empty({ title, children }: { readonly title: string; readonly children: Child }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Names and values. A value that is null is left out. */
export function Facts({ facts }: { readonly facts: readonly (readonly [string, Child])[] }) {
  return (
    <dl class="facts">
      {facts.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </>
      ))}
    </dl>
  );
}

/** The id of a request, which leads to its lines in the log. @param hasLog may the viewer read the log? */
export function CorrelationId({ id, hasLog }: { readonly id: string; readonly hasLog: boolean }) {
  if (!hasLog) return <code>{id}</code>;
  return (
    <a href={logPath({ correlation_id: id })}>
      <code>{id}</code>
    </a>
  );
}

/** The page of the log with these filters, relative to `/admin/`. */
export function logPath(filters: Readonly<Record<string, string>>): string {
  return `logs?${new URLSearchParams(filters)}`;
}

/** A text with a button that copies it. @param id unique in the page */
export function CopyText({ id, text }: { readonly id: string; readonly text: string }) {
  return (
    <div class="copy">
      <pre tabindex={0} id={id}>{text}</pre>
      <button type="button" class="compact" data-action="copy" data-of={id}>Copy</button>
    </div>
  );
}

/** Links to the other pages of a list. */
export function Pages({ path, query, of: { page, total_pages: pages } }: {
  readonly path: string;
  readonly query: URLSearchParams;
  /** The page is a number from 1. */
  readonly of: { readonly page: number; readonly total_pages: number };
}) {
  if (pages === 0 || Math.max(page, pages) === 1) return null;
  const to = (number: number) => {
    const other = new URLSearchParams(query);
    other.set("page", String(number));
    return `${path}?${other}`;
  };
  return (
    <nav class="pages" aria-label="Pages of the list">
      {page > 1 && <a class="button compact" href={to(Math.min(page - 1, pages))} rel="prev">Previous</a>}
      <span class="soft">
        {page > pages ? `The last page is ${pages}` : `Page ${page} of ${pages}`}
      </span>
      {page < pages && <a class="button compact" href={to(page + 1)} rel="next">Next</a>}
    </nav>
  );
}

/** A link to the next page of a list that is read by cursor. @param at null: this page is the last one */
export function NextPage({ at, label }: { readonly at: string | null; readonly label: string }) {
  if (at === null) return null;
  return (
    <nav class="pages" aria-label="Pages of the list">
      <a class="button compact" href={at} rel="next">{label}</a>
    </nav>
  );
}

/** The head of a table's column of buttons. */
export function ActionsHead() {
  return (
    <th>
      <span class="sr-only">Actions</span>
    </th>
  );
}

/** A moment, as the reader's eye takes it best; the exact time is its title. */
export function Ago({ at, now }: { readonly at: string | null; readonly now: number }) {
  if (at === null) return <>never</>;
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  return <time dateTime={at} title={utcOf(at)}>{wordsOf(seconds)}</time>;
}

/** A moment among the facts of a page: how long ago it is, and when it was. */
export function Moment({ at, now }: { readonly at: string | null; readonly now: number }) {
  return (
    <>
      <Ago at={at} now={now} />
      {at !== null && <span class="soft small">{` ${utcOf(at)}`}</span>}
    </>
  );
}

/** `2026-11-30 19:35:12 UTC` */
export function utcOf(at: string): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function wordsOf(seconds: number): string {
  if (seconds < -60) return `in ${spanOf(-seconds, Math.round)}`;
  return seconds < 60 ? "just now" : `${spanOf(seconds, Math.floor)} ago`;
}

/** Whole units of a time. Times until an end are rounded to the nearest, so that "in 7 days" stays for a while; ages are rounded down. */
function spanOf(seconds: number, rounded: (count: number) => number): string {
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60]] as const;
  for (const [unit, length] of units) {
    if (seconds < length) continue;
    const count = rounded(seconds / length);
    return `${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return "a moment";
}
