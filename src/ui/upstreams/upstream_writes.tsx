// Adding, trying and changing an upstream.
import type { Child } from "hono/jsx";
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import type { Refusal } from "../call/rest.ts";
import { type FormState, NEW_FORM, RefusalBox } from "../parts/form.tsx";
import { PageHead } from "../parts/page_parts.tsx";
import { SeenValues, UNCHANGED } from "../parts/seen_values.tsx";
import { adviceFor } from "../../upstream/upstream_advice.ts";
import { changesIn, registrationIn, repeatedVariablesIn, valuesOf, type Way } from "./upstream_body.ts";
import { readVisibility, SHOWN_FIELDS, UpstreamFields } from "./upstream_form.tsx";
import { WarningList } from "./warning_list.tsx";
import {
  introductionOf,
  offersOf,
  type TestedUpstream,
  transportName,
  type Upstream,
} from "./upstream_shapes.ts";

export const CRUMBS = [{ path: "upstreams", label: "Upstreams" }];

export const newUpstreamPage: PageHandler = (call) => newUpstreamView(call, NEW_FORM, {});

export const addUpstream: PageHandler = async (call) => {
  const values = await call.form();
  const wait = values.get("wait") !== "false";
  const answer = repeatedVariablesIn(values) ?? await call.rest.attempt<Upstream>(
    "POST",
    `/gateways?wait=${wait}`,
    registrationIn(values, wayIn(values)),
  );
  if ("refused" in answer) {
    return await newUpstreamView(call, { values, refused: answer.refused }, { status: 422 });
  }
  const { id, name, warnings = [] } = answer.done;
  const done = wait
    ? `${name} is added, with ${offersOf(answer.done)}.`
    : `${name} is added, and is tried now.`;
  const text = [done, ...warnings.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}.`)].join(" ");
  return { to: `upstreams/${id}`, notice: { text } };
};

/** The part of the page below the form; without a script, the whole page. */
export const testUpstream: PageHandler = async (call) => {
  const values = await call.form();
  const answer = repeatedVariablesIn(values) ?? await call.rest.attempt<TestedUpstream>(
    "POST",
    "/gateways/test",
    registrationIn(values, wayIn(values)),
  );
  const outcome = "refused" in answer
    ? <TestFailure refused={answer.refused} />
    : <TestSuccess found={answer.done} />;
  if (call.query.has("part")) return { title: "", isPart: true, body: outcome };
  return await newUpstreamView(call, { values, refused: null }, { outcome });
};

function TestFailure({ refused }: { readonly refused: Refusal }) {
  const advice = adviceFor(refused.text);
  return (
    <div class="notice bad" role="alert">
      <div>
        <p>{refused.text}</p>
        {refused.faults.map(({ loc, msg }) => <p>{`${loc.slice(1).join(".")}: ${msg}`}</p>)}
        {advice !== null && <p>{advice}</p>}
      </div>
    </div>
  );
}

function TestSuccess({ found }: { readonly found: TestedUpstream }) {
  const { serverInfo, transport, protocols, durationMs, skippedTools, warnings = [] } = found;
  const who = introductionOf(serverInfo) ?? "The upstream";
  return (
    <>
      <div class="notice good" role="status">
        <p>
          {`${who} answers over ${transportName(transport)}, in ${durationMs} ms, and offers ${
            offersOf(found)
          }. It speaks ${protocols.join(", ")}.`}
        </p>
      </div>
      <WarningList skipped={skippedTools} warnings={warnings} />
    </>
  );
}

const WAYS: readonly { readonly way: Way | "file"; readonly label: string; readonly intro: string }[] = [
  { way: "address", label: "By URL", intro: "A server that runs somewhere else." },
  { way: "command", label: "By command", intro: "A server that the gateway starts." },
  { way: "file", label: "From a configuration", intro: "All servers of a client's file, at once." },
];

export function WayTabs({ chosen }: { readonly chosen: Way | "file" }) {
  return (
    <>
      <ul class="tabs">
        {WAYS.map(({ way, label }) => (
          <li>
            <a href={`upstreams/new?way=${way}`} aria-current={way === chosen ? "page" : undefined}>
              {label}
            </a>
          </li>
        ))}
      </ul>
      <p class="soft">{WAYS.find(({ way }) => way === chosen)!.intro}</p>
    </>
  );
}

function wayIn(values: URLSearchParams): Way {
  return values.get("way") === "command" ? "command" : "address";
}

async function newUpstreamView(
  { rest, query }: Pick<PageCall, "rest" | "query">,
  form: FormState,
  { status, outcome }: { readonly status?: number; readonly outcome?: Child },
): Promise<View> {
  const way = wayIn(form.values.size > 0 ? form.values : query);
  const visibility = await readVisibility(rest, form);
  return {
    title: "Add an upstream",
    status,
    body: (
      <>
        <PageHead title="Add an upstream" crumbs={CRUMBS} />
        <WayTabs chosen={way} />
        <Refused refused={form.refused} />
        <form class="form" method="post" action="upstreams/new">
          <input type="hidden" name="way" value={way} />
          <UpstreamFields {...{ form, way, visibility }} isNew />
          <div class="buttons">
            <button type="submit" class="main">Connect and add</button>
            <button
              type="submit"
              class="busy"
              formaction="upstreams/test"
              hx-post="upstreams/test?part"
              hx-target="#tested"
            >
              Test connection
            </button>
            <span class="waiting soft">Connecting …</span>
            {form.refused?.code.startsWith("UPSTREAM_") === true && (
              <button type="submit" name="wait" value="false">Add anyway</button>
            )}
            <a class="button" href="upstreams">Cancel</a>
          </div>
        </form>
        <div id="tested" aria-live="polite">{outcome}</div>
      </>
    ),
  };
}

function Refused({ refused }: { readonly refused: Refusal | null }) {
  const advice = refused === null ? null : adviceFor(refused.text);
  return (
    <>
      <RefusalBox refused={refused} shown={SHOWN_FIELDS} />
      {advice !== null && <p>{advice}</p>}
    </>
  );
}

export const editUpstreamPage: PageHandler = async (call) => {
  const upstream = await upstreamOf(call);
  return await editUpstreamView(call, upstream, { values: valuesOf(upstream), refused: null });
};

export const changeUpstream: PageHandler = async (call) => {
  const upstream = await upstreamOf(call);
  const values = await call.form();
  const path = `upstreams/${upstream.id}`;
  const changes = changesIn(values, upstream);
  if (Object.keys(changes).length === 0) return { to: path, notice: UNCHANGED };
  const answer = repeatedVariablesIn(values) ??
    await call.rest.attempt<Upstream>("PUT", `/gateways/${upstream.id}`, changes);
  if ("refused" in answer) {
    return await editUpstreamView(call, upstream, { values, refused: answer.refused }, 422);
  }
  return { to: path, notice: { text: `${answer.done.name} is changed.` } };
};

async function editUpstreamView(
  { rest }: PageCall,
  upstream: Upstream,
  form: FormState,
  status?: number,
): Promise<View> {
  const { id, name, transport } = upstream;
  const title = `Edit ${name}`;
  const way = transport === "STDIO" ? "command" : "address";
  const visibility = await readVisibility(rest, form);
  return {
    title,
    status,
    body: (
      <>
        <PageHead title={title} crumbs={[...CRUMBS, { path: `upstreams/${id}`, label: name }]} />
        <p class="soft">
          {way === "command"
            ? "Another command or environment is tried first: if it cannot be listed, nothing is changed."
            : "Another URL, certificate or credential is tried first: if the upstream cannot be listed, nothing is changed."}
        </p>
        <Refused refused={form.refused} />
        <form class="form" method="post" action={`upstreams/${id}/edit`}>
          <SeenValues form={form} values={valuesOf(upstream)} />
          <UpstreamFields {...{ form, way, visibility }} isNew={false} />
          <div class="buttons">
            <button type="submit" class="main">Save</button>
            <a class="button" href={`upstreams/${id}`}>Cancel</a>
          </div>
        </form>
      </>
    ),
  };
}

export async function upstreamOf({ rest, params }: Pick<PageCall, "rest" | "params">): Promise<Upstream> {
  return await rest.get<Upstream>(`/gateways/${encodeURIComponent(params.id!)}`);
}
