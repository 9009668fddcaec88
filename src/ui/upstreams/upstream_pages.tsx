// The list of upstreams, the form that adds one, and the page of one.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM, PostButton, RefusalBox, SelectField, TextField } from "../parts/form.tsx";
import { Ago, Badge, Empty, Facts, PageHead } from "../parts/page_parts.tsx";
import { stateOf, type Upstream, whatIsWrong } from "./upstream_shapes.ts";

const CRUMBS = [{ path: "upstreams", label: "Upstreams" }];

export const listUpstreams: PageHandler = async ({ rest, viewer, query }) => {
  const all = await rest.get<Upstream[]>("/gateways?limit=0&include_inactive=true");
  const asked = query.get("q")?.trim().toLowerCase() ?? "";
  const found = all.filter(({ name, url }) => `${name} ${url}`.toLowerCase().includes(asked));
  const table = <UpstreamTable upstreams={found} asked={asked} />;
  if (query.has("part")) return { title: "Upstreams", body: table, isPart: true };
  const canAdd = viewer.can("gateways.create");
  return {
    title: "Upstreams",
    body: (
      <>
        <PageHead title="Upstreams">
          {canAdd && all.length > 0 && <a class="button main" href="upstreams/new">Add an upstream</a>}
        </PageHead>
        {all.length === 0
          ? (
            <Empty title="No upstream yet">
              <p>
                An upstream is an MCP server behind this gateway. Add one by its address, or by the command
                that starts it.
              </p>
              {canAdd && (
                <div class="buttons">
                  <a class="button main" href="upstreams/new">Add an upstream</a>
                </div>
              )}
            </Empty>
          )
          : (
            <>
              <form class="filters" role="search" action="upstreams">
                <label class="sr-only" for="q">Search</label>
                <input
                  {...{
                    id: "q",
                    name: "q",
                    type: "search",
                    value: asked,
                    placeholder: "Search by name or address",
                  }}
                  hx-get="upstreams?part"
                  hx-trigger="input changed delay:200ms"
                  hx-target="#upstreams"
                />
              </form>
              <div id="upstreams">{table}</div>
            </>
          )}
      </>
    ),
  };
};

function UpstreamTable(
  { upstreams, asked }: { readonly upstreams: readonly Upstream[]; readonly asked: string },
) {
  if (upstreams.length === 0) {
    return <p class="soft">{`No upstream has “${asked}” in its name or address.`}</p>;
  }
  return (
    <table class="cards-on-phone">
      <thead>
        <tr>
          <th>Name</th>
          <th>State</th>
          <th>Transport</th>
          <th class="number">Tools</th>
          <th class="number">Resources</th>
          <th class="number">Prompts</th>
        </tr>
      </thead>
      <tbody>
        {upstreams.map((upstream) => {
          const { mood, label } = stateOf(upstream);
          return (
            <tr>
              <td>
                <a href={`upstreams/${upstream.id}`}>{upstream.name}</a>
                <span class="about">{upstream.url}</span>
              </td>
              <td data-label="State">
                <Badge mood={mood} label={label} />
              </td>
              <td data-label="Transport">{transportName(upstream.transport)}</td>
              <td data-label="Tools" class="number">{upstream.toolCount}</td>
              <td data-label="Resources" class="number">{upstream.resourceCount}</td>
              <td data-label="Prompts" class="number">{upstream.promptCount}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

export const newUpstreamPage: PageHandler = () => Promise.resolve(newUpstreamView(NEW_FORM));

export const addUpstream: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const given = Object.fromEntries([...values].filter(([, value]) => value.trim() !== ""));
  const answer = await rest.attempt<Upstream>("POST", "/gateways", given);
  if ("refused" in answer) return newUpstreamView({ values, refused: answer.refused }, 422);
  const { id, name, toolCount } = answer.done;
  return { to: `upstreams/${id}`, notice: { text: `${name} is added, with ${toolCount} tools.` } };
};

const AUTH_TYPES = [
  { value: "", label: "None" },
  { value: "bearer", label: "Bearer token" },
];

function newUpstreamView(form: FormState, status?: number): View {
  return {
    title: "Add an upstream",
    status,
    body: (
      <>
        <PageHead title="Add an upstream" crumbs={CRUMBS} />
        <RefusalBox
          refused={form.refused}
          shown={["name", "url", "description", "auth_type", "auth_token"]}
        />
        <form class="form" method="post" action="upstreams/new">
          <TextField
            {...{ name: "url", label: "Address", form, placeholder: "https://mcp.example.com/mcp" }}
            required
            isCode
            hint="The transport is found out: streamable HTTP, else SSE."
          />
          <TextField
            {...{ name: "name", label: "Name", form }}
            required
            hint="Its tools are listed under this name: time becomes time-convert."
          />
          <TextField {...{ name: "description", label: "Description", form }} />
          <SelectField {...{ name: "auth_type", label: "Credentials", form, options: AUTH_TYPES }} />
          <TextField {...{ name: "auth_token", label: "Bearer token", form }} type="password" />
          <div class="buttons">
            <button type="submit" class="main">Connect and add</button>
            <a class="button" href="upstreams">Cancel</a>
          </div>
        </form>
      </>
    ),
  };
}

export const upstreamPage: PageHandler = async ({ params, rest, viewer }: PageCall) => {
  const upstream = await rest.get<Upstream>(`/gateways/${encodeURIComponent(params.id!)}`);
  const { id, name, enabled } = upstream;
  const { mood, label } = stateOf(upstream);
  const now = Date.now();
  return {
    title: name,
    body: (
      <>
        <PageHead title={name} crumbs={CRUMBS}>
          <Badge mood={mood} label={label} />
          {viewer.can("gateways.update") && (
            <>
              <PostButton path={`upstreams/${id}/refresh`} label="Refresh" />
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
              confirm={`Delete ${name}? Its tools leave every virtual server, and its credentials are lost.`}
            />
          )}
        </PageHead>
        <p>
          <a href={`tools?gateway_id=${id}`}>Its tools</a>,{" "}
          <a href={`resources?gateway_id=${id}`}>its resources</a>,{" "}
          <a href={`prompts?gateway_id=${id}`}>its prompts</a>
        </p>
        {mood === "bad" && (
          <div class="notice bad">
            <p>{whatIsWrong(upstream)}</p>
          </div>
        )}
        <Facts
          facts={[
            ["Address", <code>{upstream.url}</code>],
            ["Description", upstream.description],
            ["Transport", transportName(upstream.transport)],
            ["Revision", upstream.protocolVersion],
            ["Isolation", upstream.isolation],
            ["Credentials", upstream.authType ?? "none"],
            ["Seen", <Ago at={upstream.lastSeen} now={now} />],
            ["Listed", <Ago at={upstream.lastRefreshAt} now={now} />],
            [
              "Offers",
              `${upstream.toolCount} tools, ${upstream.resourceCount} resources, ${upstream.promptCount} prompts`,
            ],
          ]}
        />
      </>
    ),
  };
};

export const switchUpstream: PageHandler = async ({ params, form, rest }) => {
  const activate = (await form()).get("activate") === "true";
  const path = `/gateways/${encodeURIComponent(params.id!)}`;
  await rest.send("POST", `${path}/state?activate=${activate}`);
  const { name } = await rest.get<Upstream>(path);
  return {
    to: `upstreams/${params.id}`,
    notice: {
      text: `${name} is ${activate ? "on" : "off"}.`,
      undo: { path: `upstreams/${params.id}/state`, fields: { activate: String(!activate) } },
    },
  };
};

export const deleteUpstream: PageHandler = async ({ params, rest }) => {
  await rest.send("DELETE", `/gateways/${encodeURIComponent(params.id!)}`);
  return { to: "upstreams", notice: { text: "The upstream is deleted." } };
};

export const refreshUpstream: PageHandler = async ({ params, rest }) => {
  const path = `/gateways/${
    encodeURIComponent(params.id!)
  }/tools/refresh?include_resources=true&include_prompts=true`;
  const answer = await rest.attempt<
    { readonly toolsAdded: number; readonly toolsRemoved: number; readonly toolsUpdated: number }
  >(
    "POST",
    path,
  );
  const text = "refused" in answer
    ? `The refresh failed: ${answer.refused.text}`
    : `Listed again: ${answer.done.toolsAdded} tools are new, ${answer.done.toolsUpdated} changed, ${answer.done.toolsRemoved} are gone.`;
  return { to: `upstreams/${params.id}`, notice: { text } };
};

function transportName(transport: string): string {
  return {
    STREAMABLEHTTP: "streamable HTTP",
    SSE: "SSE",
    WEBSOCKET: "WebSocket",
    STDIO: "command",
  }[transport] ??
    transport;
}
