// The latest lines of the log, with filters in the address, and those that are written while one looks.
import type { Child } from "hono/jsx";
import { encodeSseEvent, SSE_KEEPALIVE, SseDecoder } from "../../mcp/sse.ts";
import type { EventsView, PageHandler } from "../call/page_call.ts";
import { timeOf } from "../parts/charts.tsx";
import { Badge, Empty, type Mood, PageHead } from "../parts/page_parts.tsx";

/** A line as GET /logs answers it. */
interface Line {
  readonly id: string;
  readonly timestamp: string | null;
  readonly level: string | null;
  readonly message: string | null;
  readonly logger: string;
  readonly request_id: string | null;
  readonly caller: string | null;
  readonly tool: string | null;
  readonly upstream: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Lines {
  readonly logs: readonly Line[];
  readonly isCut: boolean;
  readonly latest: string;
  readonly oldest: string | null;
}

/** The filters of the page, which are parameters of GET /logs. */
const NAMED = [
  { name: "upstream", label: "Upstream" },
  { name: "tool", label: "Tool" },
  { name: "caller", label: "Caller" },
  { name: "correlation_id", label: "Correlation id" },
] as const;
const FILTERS: readonly string[] = ["q", "level", "since", "failed", ...NAMED.map(({ name }) => name)];

const LEVELS = [["DEBUG", "all"], ["INFO", "from INFO"], ["WARNING", "from WARNING"], ["ERROR", "errors"]];
const SPANS = [["", "as far as it is kept"], ["5m", "5 minutes"], ["1h", "1 hour"], ["1d", "1 day"]];

/** A page shows so many at first. */
const SHOWN = 200;

export const logPage: PageHandler = async ({ rest, query }) => {
  const asked = filtersIn(query);
  const isLive = query.get("live") !== "off";
  const found = await rest.get<Lines>(`/logs?${new URLSearchParams([...asked, ["limit", String(SHOWN)]])}`);
  const { logs, latest, oldest, isCut } = found;
  const live = new URLSearchParams([...asked, ["after", latest]]);
  const other = new URLSearchParams([...asked, ...(isLive ? [["live", "off"]] : [])]);
  return {
    title: "Logs",
    body: (
      <>
        <PageHead title="Logs">
          {isLive ? <Badge mood="good" label="live" /> : <Badge mood="plain" label="paused" />}
          <a class="button" href={`logs?${other}`}>{isLive ? "Pause" : "Resume"}</a>
        </PageHead>
        <LogFilters query={query} />
        {oldest === null
          ? (
            <Empty title="No line is kept">
              <p>
                The gateway keeps the latest lines of its log in memory, as far as{" "}
                <code>LOG_BUFFER_SIZE_MB</code> has room.
              </p>
              <div class="buttons">
                <a class="button" href="help/logs">Read about the log</a>
              </div>
            </Empty>
          )
          : logs.length === 0 && <NothingFits asked={asked} oldest={oldest} />}
        <ol
          class="lines"
          id="lines"
          data-most={2 * SHOWN}
          {...(isLive
            ? {
              "hx-sse:connect": `logs/live?${live}`,
              "hx-trigger": "load, every 2s",
              // A second attempt while the first is awaited would open a second stream, and show each line twice.
              "hx-sync": "drop",
              "hx-swap": "afterbegin",
              "hx-target": "this",
            }
            : {})}
        >
          {logs.map((line) => <LineItem line={line} />)}
        </ol>
        <p class="soft small">
          {isCut ? "Older lines fit too: narrow the search. " : ""}
          Times are UTC. These are lines of the replica that answers; a command reads them too:{" "}
          <code>sluice logs --follow</code>.
        </p>
      </>
    ),
  };
};

function filtersIn(query: URLSearchParams): [string, string][] {
  return [...query].filter(([name, value]) => FILTERS.includes(name) && value.trim() !== "")
    .map(([name, value]) => [name, value.trim()]);
}

function LogFilters({ query }: { readonly query: URLSearchParams }) {
  const isNarrow = NAMED.some(({ name }) => query.get(name));
  return (
    <form class="filters" role="search" action="logs">
      <label class="sr-only" for="q">A text in the line</label>
      <input
        {...{
          id: "q",
          name: "q",
          type: "search",
          value: query.get("q") ?? "",
          placeholder: "A text in the line",
        }}
      />
      <Choice name="level" label="Level" options={LEVELS} chosen={query.get("level")} />
      <Choice name="since" label="Since" options={SPANS} chosen={query.get("since")} />
      <label class="choice">
        <input type="checkbox" name="failed" value="true" checked={query.get("failed") === "true"} />
        Only failures
      </label>
      <button type="submit" class="main">Show</button>
      <details class="wide" open={isNarrow}>
        <summary>Upstream, tool, caller, correlation id</summary>
        <div class="filter-fields">
          {NAMED.map(({ name, label }) => (
            <div>
              <label for={`filter-${name}`}>{label}</label>
              <input {...{ id: `filter-${name}`, name, value: query.get(name) ?? "", autocomplete: "off" }} />
            </div>
          ))}
        </div>
      </details>
    </form>
  );
}

function Choice({ name, label, options, chosen }: {
  readonly name: string;
  readonly label: string;
  readonly options: readonly (readonly string[])[];
  readonly chosen: string | null;
}) {
  return (
    <select name={name} aria-label={label}>
      {options.map(([value, words]) => (
        <option value={value} selected={value === chosen}>{`${label}: ${words}`}</option>
      ))}
    </select>
  );
}

function NothingFits({ asked, oldest }: {
  readonly asked: readonly (readonly string[])[];
  readonly oldest: string;
}) {
  const isOfCalls = asked.some(([name]) => name === "tool" || name === "caller");
  return (
    <p>
      No line fits. Lines are kept since <time dateTime={oldest}>{shownTime(oldest)}</time>.
      {isOfCalls && (
        <>
          {" "}
          Calls have lines with <code>DISABLE_ACCESS_LOG=false</code>.
        </>
      )} {asked.length > 0 && <a href="logs">Show all lines</a>}
    </p>
  );
}

const MOODS: Readonly<Record<string, Mood>> = { WARNING: "warn", ERROR: "bad", CRITICAL: "bad" };

function LineItem({ line }: { readonly line: Line }) {
  const { timestamp, level, message, logger, request_id: requestId, caller, tool, upstream, data } = line;
  const { code, latencyMs, status, method, path } = data;
  return (
    <li>
      <time dateTime={timestamp ?? ""} title={timestamp ?? ""}>{shownTime(timestamp ?? "")}</time>
      <div>
        {level !== null && level !== "INFO" && <Badge mood={MOODS[level] ?? "plain"} label={level} />}{" "}
        <strong>{message}</strong>
        {method !== undefined && <span>{` ${method} ${path}`}</span>}
        {code !== undefined
          ? <Badge mood="bad" label={String(code)} />
          : status !== undefined && <span class="soft">{` ${status}`}</span>}
        {typeof latencyMs === "number" && <span class="soft nowrap">{` ${timeOf(latencyMs / 1000)}`}</span>}
        {typeof data.message === "string" && <span class="about">{data.message}</span>}
        <div class="small soft">
          <Facet name="tool" value={tool} />
          <Facet name="upstream" value={upstream} />
          <Facet name="caller" value={caller} />
          <Facet name="correlation_id" label="id" value={requestId} />
          <span>{logger}</span>
          {Object.keys(data).length > 0 && (
            <details>
              <summary>fields</summary>
              <pre tabindex={0}>{JSON.stringify(data, null, 2)}</pre>
            </details>
          )}
        </div>
      </div>
    </li>
  );
}

/** A value that narrows the page to itself. */
function Facet({ name, label = name, value }: {
  readonly name: string;
  readonly label?: string;
  readonly value: string | null;
}): Child {
  if (value === null) return null;
  return (
    <span>
      {label} <a href={`logs?${new URLSearchParams({ [name]: value })}`}>{value}</a>
    </span>
  );
}

/** The time of a line, and its day if it is not today. */
function shownTime(time: string): string {
  const [day, clock = ""] = time.split("T");
  const isToday = day === new Date().toISOString().slice(0, 10);
  return `${isToday ? "" : `${day} `}${clock.slice(0, 12)}`;
}

/** The stream of GET /logs/stream, with items of the list in place of JSON. */
export const liveLog: PageHandler = async ({ rest, query, lastEventId }): Promise<EventsView> => {
  const asked = new URLSearchParams(filtersIn(query));
  const after = lastEventId ?? query.get("after");
  if (after !== null) asked.set("after", after);
  const lines = await rest.get<ReadableStream<Uint8Array>>(`/logs/stream?${asked}`);
  return { events: lines.pipeThrough(itemsOfLines()) };
};

/** The browser is given so many at once: more are nothing that anybody reads. */
const MOST_AT_ONCE = 100;
const MAX_EVENT_CHARS = 1024 * 1024;

function itemsOfLines(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new SseDecoder(MAX_EVENT_CHARS);
  const encoder = new TextEncoder();
  return new TransformStream({
    async transform(chunk, controller) {
      const lines = decoder.push(chunk).filter(({ event }) => event === "message");
      if (lines.length === 0) return controller.enqueue(encoder.encode(SSE_KEEPALIVE));
      const shown = lines.slice(-MOST_AT_ONCE).toReversed().map(({ data }) => (
        <LineItem line={JSON.parse(data)} />
      ));
      const html = String(await <>{shown}</>);
      controller.enqueue(encoder.encode(encodeSseEvent(html, { id: lines.at(-1)!.id ?? undefined })));
    },
  });
}
