// The page of an upstream: its state, what it is and offers, and what can be done about it.
import type { Child } from "hono/jsx";
import type { PageHandler, Viewer } from "../call/page_call.ts";
import { PostButton } from "../parts/form.tsx";
import type { GatewayEventRow } from "../../store/registry/history/gateway_history.ts";
import { Ago, Badge, Facts, logPath, Moment, PageHead } from "../parts/page_parts.tsx";
import { adviceFor } from "../../upstream/upstream_advice.ts";
import {
  commandOf,
  countOf,
  introductionOf,
  isDraining,
  stateOf,
  transportName,
  type Upstream,
  type UpstreamState,
  whatIsWrong,
} from "./upstream_shapes.ts";
import { CRUMBS, upstreamOf } from "./upstream_writes.tsx";
import { UpstreamHistory } from "./upstream_history.tsx";
import { WarningList } from "./warning_list.tsx";

interface RemovedEntry {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly removedAt: string;
}

export const upstreamPage: PageHandler = async (call) => {
  const { rest, viewer } = call;
  const upstream = await upstreamOf(call);
  const { id, name, instructions, warnings = [], skippedTools } = upstream;
  if (call.query.has("part")) {
    const body = (
      <>
        <Draining upstream={upstream} />
        <State {...stateOf(upstream)} isRenewed />
      </>
    );
    return { title: name, body, isPart: true, isLive: true };
  }
  const mayChange = viewer.can("gateways.update");
  const removed = mayChange ? await rest.find<RemovedEntry[]>(`/gateways/${id}/removed`) ?? [] : [];
  const events = mayChange ? await rest.find<GatewayEventRow[]>(`/gateways/${id}/history`) ?? [] : [];
  const now = Date.now();
  const log = viewer.can("admin.system_config")
    ? <a href={logPath({ upstream: name })}>its lines in the log</a>
    : null;
  return {
    title: name,
    isLive: isDraining(upstream),
    body: (
      <>
        <PageHead title={name} crumbs={CRUMBS}>
          <State {...stateOf(upstream)} />
          <Actions {...{ upstream, viewer }} />
        </PageHead>
        {upstream.description !== null && <p dir="auto">{upstream.description}</p>}
        <Trouble {...{ upstream, now }} />
        <Draining upstream={upstream} />
        <Facts facts={[...factsOf(upstream, now), ["Log", log]]} />
        {instructions !== null && instructions !== "" && (
          <>
            <h2>Instructions for models</h2>
            <pre class="diff" tabindex={0}>{instructions}</pre>
          </>
        )}
        <WarningList skipped={skippedTools} warnings={warnings} />
        <UpstreamHistory {...{ events, now }} />
        <RemovedEntries {...{ id, removed, now }} />
      </>
    ),
  };
};

/** @param isRenewed it takes the place of the one in the page's head */
function State({ mood, label, isRenewed = false }: UpstreamState & { readonly isRenewed?: boolean }) {
  return (
    <span id="state" hx-swap-oob={isRenewed ? "true" : undefined}>
      <Badge mood={mood} label={label} />
    </span>
  );
}

/** Renewed until the last call has ended. */
function Draining({ upstream }: { readonly upstream: Upstream }) {
  const { id, drainingSince, callsUnderWay } = upstream;
  if (drainingSince === null) return null;
  return isDraining(upstream)
    ? (
      <div
        class="notice warn"
        role="status"
        hx-get={`upstreams/${id}?part`}
        hx-trigger="every 1s"
        hx-swap="outerHTML"
      >
        <p>
          {`It takes no new calls. ${countOf(callsUnderWay!, "call")} under way in this replica may end.`}
        </p>
        <PostButton
          path={`upstreams/${id}/state`}
          label="Cut them off"
          class="compact"
          fields={{ activate: "false" }}
          confirm={{
            question: "Cut off the calls under way?",
            loss: "Their clients get an error instead of a result.",
          }}
        />
      </div>
    )
    : (
      <div class="notice good" role="status">
        <p>It was drained: no call is under way in this replica, and it is off.</p>
      </div>
    );
}

function Actions({ upstream: { id, name, enabled }, viewer }: {
  readonly upstream: Upstream;
  readonly viewer: Viewer;
}) {
  return (
    <>
      {viewer.can("gateways.update") && (
        <>
          <PostButton path={`upstreams/${id}/refresh`} label="Refresh" />
          <a class="button" href={`upstreams/${id}/edit`}>Edit</a>
          {enabled && <PostButton path={`upstreams/${id}/drain`} label="Drain" />}
          <PostButton
            path={`upstreams/${id}/state`}
            label={enabled ? "Switch off" : "Switch on"}
            fields={{ activate: String(!enabled) }}
          />
        </>
      )}
      {viewer.can("gateways.delete") && (
        <PostButton
          path={`upstreams/${id}/delete`}
          label="Delete"
          class="danger"
          confirm={{
            question: `Delete ${name}?`,
            loss: "Its tools leave every virtual server, and its credentials are lost.",
          }}
        />
      )}
    </>
  );
}

/** What is wrong, what to do about it, and when the gateway does something itself. */
function Trouble({ upstream, now }: { readonly upstream: Upstream; readonly now: number }) {
  const { enabled, lastError, nextTryAt, status } = upstream;
  const { mood } = stateOf(upstream);
  if (!enabled || (mood !== "bad" && lastError === null)) return null;
  const words = whatIsWrong(upstream);
  const advice = adviceFor(words);
  return (
    <div class={mood === "bad" ? "notice bad" : "notice warn"}>
      <div>
        <p>{words}</p>
        {advice !== null && <p>{advice}</p>}
        {nextTryAt !== null && (
          <p>
            It is tried again{" "}
            {Date.parse(nextTryAt) - now < 60_000 ? "in a moment" : <Ago at={nextTryAt} now={now} />}.
          </p>
        )}
        {nextTryAt === null && status === "failed" && (
          <p>It is not tried again by itself: Refresh tries it now.</p>
        )}
      </div>
    </div>
  );
}

const ISOLATIONS: Readonly<Record<string, string>> = {
  session: "each client session has its own",
  caller: "each caller has one",
  shared: "everybody shares one",
};

const APPROVALS: Readonly<Record<string, string>> = {
  off: "nothing waits",
  changed: "what it adds or changes later waits",
  all: "everything waits",
};

const AUTH_TYPES: Readonly<Record<string, string>> = {
  basic: "user name and password",
  bearer: "bearer token",
  authheaders: "headers",
  query_param: "a query parameter of the URL",
  oauth: "a login by OAuth",
  aws_sigv4: "a signature for AWS",
  env: "environment variables",
};

function factsOf(upstream: Upstream, now: number): (readonly [string, Child])[] {
  const { id, authType, authHeaders, tags, heldCount = 0 } = upstream;
  const isProgram = upstream.transport === "STDIO";
  const headers = authHeaders?.map(({ key }) => key).join(", ");
  return [
    ["Offers", <Offers upstream={upstream} />],
    isProgram
      ? ["Command", <code>{commandOf(upstream) ?? upstream.url}</code>]
      : ["URL", <code>{upstream.url}</code>],
    ["Working directory", upstream.cwd ? <code>{upstream.cwd}</code> : null],
    ["Server", introductionOf(upstream.serverInfo)],
    ["Transport", transportName(upstream.transport)],
    [
      "Protocol versions",
      upstream.protocols.length === 0 ? upstream.protocolVersion : upstream.protocols.join(", "),
    ],
    ["Sessions", ISOLATIONS[upstream.isolation] ?? upstream.isolation],
    [
      "Processes",
      upstream.processCount === null
        ? null
        : `${countOf(upstream.processCount, "process", "processes")} in this replica`,
    ],
    [
      "Credentials",
      authType === null
        ? "none"
        : `${AUTH_TYPES[authType] ?? authType}${
          headers === undefined || headers === "" ? "" : `: ${headers}`
        }`,
    ],
    ["Private CA", upstream.caCertificate === null ? null : "yes"],
    ["Client certificate", upstream.clientCert === null ? null : "yes"],
    ["Headers of clients", upstream.passthroughHeaders?.join(", ") || null],
    [
      "Approval",
      <>
        {upstream.toolApproval === null
          ? "as the setting TOOL_APPROVAL says"
          : APPROVALS[upstream.toolApproval] ?? upstream.toolApproval}
        {heldCount > 0 && (
          <>
            ; <a href={`held?gateway=${id}`}>{`${countOf(heldCount, "change")} waiting`}</a>
          </>
        )}
      </>,
    ],
    ["Visibility", upstream.visibility],
    ["Tags", tags.length === 0 ? null : tags.map(({ label }) => label).join(", ")],
    ["Source", upstream.source ? <code>{upstream.source}</code> : null],
    ["Last answer", <Moment at={upstream.lastSeen} now={now} />],
    ["Last refresh", <Moment at={upstream.lastRefreshAt} now={now} />],
  ];
}

function Offers(
  { upstream: { id, toolCount, resourceCount, promptCount } }: { readonly upstream: Upstream },
) {
  return (
    <>
      <a href={`tools?gateway_id=${id}`}>{countOf(toolCount, "tool")}</a>,{" "}
      <a href={`resources?gateway_id=${id}`}>{countOf(resourceCount, "resource")}</a>,{" "}
      <a href={`prompts?gateway_id=${id}`}>{countOf(promptCount, "prompt")}</a>
    </>
  );
}

/** A page shows so many; the REST API has all. */
const MOST_REMOVED = 100;

function RemovedEntries({ id, removed, now }: {
  readonly id: string;
  readonly removed: readonly RemovedEntry[];
  readonly now: number;
}) {
  if (removed.length === 0) return null;
  return (
    <>
      <h2>Removed entries</h2>
      <p class="soft">
        The upstream no longer lists them. Their names and what was decided about them stay, for the day that
        they come back. A forgotten entry frees its name.
      </p>
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Name</th>
            <th>Kind</th>
            <th>Removed</th>
            <th>
              <span class="sr-only">Action</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {removed.slice(-MOST_REMOVED).toReversed().map((entry) => (
            <tr>
              <td>
                <strong>{entry.name}</strong>
              </td>
              <td data-label="Kind">{entry.kind}</td>
              <td data-label="Removed">
                <Ago at={entry.removedAt} now={now} />
              </td>
              <td class="right">
                <PostButton
                  path={`upstreams/${id}/forget`}
                  label="Forget"
                  class="compact"
                  fields={{ entry: entry.id }}
                  confirm={{
                    question: `Forget ${entry.name}?`,
                    loss: "What was set for it is lost. If it comes back, it is a new entry with a new id.",
                  }}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {removed.length > MOST_REMOVED && (
        <p class="soft small">{`${removed.length - MOST_REMOVED} older ones.`}</p>
      )}
    </>
  );
}

export const switchUpstream: PageHandler = async (call) => {
  const { params, form, rest } = call;
  const activate = (await form()).get("activate") === "true";
  await rest.send("POST", `/gateways/${encodeURIComponent(params.id!)}/state?activate=${activate}`);
  const { id, name } = await upstreamOf(call);
  return {
    to: `upstreams/${id}`,
    notice: {
      text: `${name} is ${activate ? "on" : "off"}.`,
      undo: { path: `upstreams/${id}/state`, fields: { activate: String(!activate) } },
    },
  };
};

export const drainUpstream: PageHandler = async (call) => {
  await call.rest.send("POST", `/gateways/${encodeURIComponent(call.params.id!)}/drain`);
  const { id, name } = await upstreamOf(call);
  return {
    to: `upstreams/${id}`,
    notice: {
      text: `${name} takes no new calls.`,
      undo: { path: `upstreams/${id}/state`, fields: { activate: "true" } },
    },
  };
};

export const deleteUpstream: PageHandler = async ({ params, rest }) => {
  await rest.send("DELETE", `/gateways/${encodeURIComponent(params.id!)}`);
  return { to: "upstreams", notice: { text: "The upstream is deleted." } };
};

interface Refreshed {
  readonly toolsAdded: number;
  readonly toolsRemoved: number;
  readonly toolsUpdated: number;
}

export const refreshUpstream: PageHandler = async ({ params, rest }) => {
  const path = `/gateways/${encodeURIComponent(params.id!)}/tools/refresh`;
  const to = `upstreams/${encodeURIComponent(params.id!)}`;
  const all = "include_resources=true&include_prompts=true";
  const answer = await rest.attempt<Refreshed>("POST", `${path}?${all}`);
  if ("refused" in answer) {
    return { to, notice: { text: `The refresh failed: ${answer.refused.text}`, isFailure: true } };
  }
  const { toolsAdded, toolsUpdated, toolsRemoved } = answer.done;
  const isSame = toolsAdded + toolsUpdated + toolsRemoved === 0;
  const text = isSame
    ? "Refreshed: its tools are the same."
    : `Refreshed: ${countOf(toolsAdded, "tool")} new, ${toolsUpdated} changed, ${toolsRemoved} gone.`;
  return { to, notice: { text } };
};

export const forgetEntry: PageHandler = async ({ params, form, rest }) => {
  const entry = (await form()).get("entry") ?? "";
  const id = encodeURIComponent(params.id!);
  await rest.send("DELETE", `/gateways/${id}/removed/${encodeURIComponent(entry)}`);
  return { to: `upstreams/${id}`, notice: { text: "The entry is forgotten." } };
};
