// Room `servers`: pages of virtual servers. This file has their list, the page of one, and the form that composes one.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM, PostButton, RefusalBox, SelectField, TextField } from "../parts/form.tsx";
import { Badge, CopyText, Empty, Facts, PageHead } from "../parts/page_parts.tsx";
import { FoundPart, readPage, SearchList } from "../parts/search_list.tsx";
import { SeenValues, UNCHANGED, undoFields } from "../parts/seen_values.tsx";
import { findMembers, Picker, readMembers } from "./member_picker.tsx";
import { SEEN_KINDS, seenList } from "./seen_entries.tsx";
import { changesIn, serverIn, valuesOf } from "./server_body.ts";
import type { VirtualServer } from "./server_shapes.ts";

const CRUMBS = [{ path: "virtual-servers", label: "Virtual servers" }];

export const listServers: PageHandler = async (call) => {
  const { viewer, query } = call;
  const found = await readPage<VirtualServer>(call, "/admin/servers");
  const add = viewer.can("servers.create") && (
    <a class="button main" href="virtual-servers/new">New virtual server</a>
  );
  const shown = {
    ...{ path: "virtual-servers", query, placeholder: "Search by name, description or tag", found },
    children: found.data.length > 0 && (
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Name</th>
            <th>Members</th>
            <th>Visibility</th>
            <th>State</th>
          </tr>
        </thead>
        <tbody>
          {found.data.map((server) => (
            <tr>
              <td>
                <a href={`virtual-servers/${server.id}`}>{server.name}</a>
                {server.description !== null && <span class="about">{server.description}</span>}
              </td>
              <td data-label="Members">{membersIn(server)}</td>
              <td data-label="Visibility">{server.visibility}</td>
              <td data-label="State">
                <ServerState server={server} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    ),
  };
  if (query.has("part")) return { title: "Virtual servers", body: <FoundPart {...shown} />, isPart: true };
  const isEmpty = found.pagination.total_items === 0 && !query.get("q");
  return {
    title: "Virtual servers",
    body: (
      <>
        <PageHead title="Virtual servers">{isEmpty ? null : add}</PageHead>
        {isEmpty
          ? (
            <Empty title="No virtual server yet">
              <p>
                A virtual server is an endpoint of its own, with the tools, resources and prompts that you
                choose from all upstreams: one for each kind of agent.
              </p>
              <div class="buttons">{add}</div>
            </Empty>
          )
          : <SearchList {...shown} />}
      </>
    ),
  };
};

function ServerState({ server: { enabled, conflicts } }: { readonly server: VirtualServer }) {
  if (!enabled) return <Badge mood="plain" label="off" />;
  return conflicts.length === 0 ? <Badge mood="good" label="on" /> : (
    <Badge
      mood="warn"
      label={conflicts.length === 1 ? "1 name conflict" : `${conflicts.length} name conflicts`}
    />
  );
}

function membersIn(server: VirtualServer): string {
  const parts = [
    countOf(server.associatedGateways, "whole upstream"),
    countOf(server.associatedTags, "tag"),
    countOf(server.associatedTools, "tool"),
    countOf(server.associatedResources, "resource"),
    countOf(server.associatedPrompts, "prompt"),
  ].filter((part) => part !== null);
  return parts.length === 0 ? NO_MEMBERS : parts.join(", ");
}

const NO_MEMBERS = "none";

function countOf({ length }: readonly string[], what: string): string | null {
  return length === 0 ? null : `${length} ${what}${length === 1 ? "" : "s"}`;
}

export const serverPage: PageHandler = async (call) => {
  const { viewer, origin } = call;
  const server = await serverOf(call);
  const { id, name, enabled, conflicts } = server;
  return {
    title: name,
    body: (
      <>
        <PageHead title={name} crumbs={CRUMBS}>
          <ServerState server={server} />
          <a class="button main" href={`virtual-servers/${id}/connect`}>Connect a client</a>
          {viewer.can("servers.update") && (
            <>
              <a class="button" href={`virtual-servers/${id}/edit`}>Edit</a>
              <PostButton
                path={`virtual-servers/${id}/state`}
                label={enabled ? "Switch off" : "Switch on"}
                fields={{ activate: String(!enabled) }}
              />
            </>
          )}
          {viewer.can("servers.delete") && (
            <PostButton
              path={`virtual-servers/${id}/delete`}
              label="Delete"
              class="danger"
              confirm={{
                question: `Delete ${name}?`,
                loss: "Its clients lose their endpoint. The upstreams stay.",
              }}
            />
          )}
        </PageHead>
        {server.description !== null && <p dir="auto">{server.description}</p>}
        <Facts
          facts={[
            ["Members", membersIn(server)],
            ["Whole upstreams", listOrNull(server.associatedGateways)],
            ["Tags", listOrNull(server.associatedTags)],
            ["Excluded", listOrNull(server.excluded)],
            [
              "Tool names",
              server.naming === "original" ? "as their upstreams say" : "with the upstream's name in front",
            ],
            ["Revisions", [server.revisions].flat().join(", ")],
            ["Visibility", server.visibility],
          ]}
        />
        <h2>Endpoint URL</h2>
        <CopyText id="address" text={`${origin}/servers/${id}/mcp`} />
        {conflicts.length > 0 && (
          <>
            <h2>Name conflicts</h2>
            <ul>
              {conflicts.map(({ kind, name: taken, renamedTo }) => (
                <li>
                  Two members are a {kind} named <code>{taken}</code>:{" "}
                  {renamedTo === undefined ? "the second is hidden." : (
                    <>
                      the second is listed as <code>{renamedTo}</code>.
                    </>
                  )}
                </li>
              ))}
            </ul>
          </>
        )}
        {membersIn(server) === NO_MEMBERS && (
          <div class="notice warn">
            <p>
              It has no members, so its clients see nothing.{" "}
              {viewer.can("servers.update") && <a href={`virtual-servers/${id}/edit`}>Choose members</a>}
            </p>
          </div>
        )}
        <h2>What its clients see</h2>
        {enabled
          ? await Promise.all(SEEN_KINDS.map((kind) => seenList(call, id, kind)))
          : <p class="soft">Nothing: it is off.</p>}
      </>
    ),
  };
};

function listOrNull(names: readonly string[]): string | null {
  return names.length === 0 ? null : names.join(", ");
}

async function serverOf({ rest, params }: PageCall): Promise<VirtualServer> {
  return await rest.get<VirtualServer>(`/servers/${encodeURIComponent(params.id!)}`);
}

export const newServerPage: PageHandler = (call) => composeView(call, NEW_FORM, null);

export const addServer: PageHandler = async (call) => {
  const values = await call.form();
  const answer = await call.rest.attempt<VirtualServer>("POST", "/servers", { server: serverIn(values) });
  if ("refused" in answer) return await composeView(call, { values, refused: answer.refused }, null, 422);
  return { to: `virtual-servers/${answer.done.id}`, notice: { text: `${answer.done.name} is created.` } };
};

export const editServerPage: PageHandler = async (call) => {
  const server = await serverOf(call);
  return await composeView(call, { values: valuesOf(server), refused: null }, server);
};

export const changeServer: PageHandler = async (call) => {
  const server = await serverOf(call);
  const values = await call.form();
  const path = `/servers/${encodeURIComponent(server.id)}`;
  const to = `virtual-servers/${server.id}`;
  const changes = changesIn(values, server);
  if (Object.keys(changes).length === 0) return { to, notice: UNCHANGED };
  const answer = await call.rest.attempt<VirtualServer>("PUT", path, changes);
  if ("refused" in answer) return await composeView(call, { values, refused: answer.refused }, server, 422);
  const text = `${answer.done.name} is changed.`;
  const fields = undoFields(valuesOf(server), valuesOf(answer.done));
  return { to, notice: { text, undo: { path: `${to}/edit`, fields } } };
};

export const switchServer: PageHandler = async (call) => {
  const activate = (await call.form()).get("activate") === "true";
  const { id, name } = await serverOf(call);
  await call.rest.send("POST", `/servers/${encodeURIComponent(id)}/state?activate=${activate}`);
  return {
    to: `virtual-servers/${id}`,
    notice: {
      text: `${name} is ${activate ? "on" : "off"}.`,
      undo: { path: `virtual-servers/${id}/state`, fields: { activate: String(!activate) } },
    },
  };
};

export const deleteServer: PageHandler = async (call) => {
  const { id, name } = await serverOf(call);
  await call.rest.send("DELETE", `/servers/${encodeURIComponent(id)}`);
  return { to: "virtual-servers", notice: { text: `${name} is deleted.` } };
};

const VISIBILITIES = [
  { value: "public", label: "Everybody with a token" },
  { value: "private", label: "Only me and administrators" },
];

const NAMINGS = [
  { value: "prefixed", label: "With the upstream's name in front: time-convert" },
  { value: "original", label: "As their upstreams say: convert" },
];

const FIELDS = ["name", "description", "visibility", "naming", "instructions", "associated_tags"];

async function composeView(
  { rest }: PageCall,
  form: FormState,
  server: VirtualServer | null,
  status?: number,
): Promise<View> {
  const members = await readMembers(rest, form.values);
  const title = server === null ? "New virtual server" : `Edit ${server.name}`;
  const back = server === null ? "virtual-servers" : `virtual-servers/${server.id}`;
  const crumbs = server === null ? CRUMBS : [...CRUMBS, { path: back, label: server.name }];
  return {
    title,
    status,
    body: (
      <>
        <PageHead title={title} crumbs={crumbs} />
        <RefusalBox refused={form.refused} shown={FIELDS} />
        <form class="form" method="post" action={server === null ? "virtual-servers/new" : `${back}/edit`}>
          {server !== null && <SeenValues form={form} values={valuesOf(server)} />}
          <TextField {...{ name: "name", label: "Name", form }} required />
          <TextField {...{ name: "description", label: "Description", form }} />
          <SelectField
            {...{ name: "visibility", label: "Visibility", form, options: visibilities(server) }}
          />
          <h2>Members</h2>
          <Picker
            {...{ kind: "gateways", label: "Whole upstreams", chosen: members.gateways }}
            hint="All that they offer, and what they add later."
            found={await findMembers(rest, "gateways", "")}
          />
          <TextField
            {...{ name: "associated_tags", label: "Tags", form }}
            hint="Everything with one of these tags, separated by commas."
          />
          <Picker kind="tools" label="Tools" chosen={members.tools} />
          <Picker kind="resources" label="Resources" chosen={members.resources} />
          <Picker kind="prompts" label="Prompts" chosen={members.prompts} />
          <h2>How clients see it</h2>
          <SelectField {...{ name: "naming", label: "Names of tools", form, options: NAMINGS }} />
          <TextField
            {...{ name: "instructions", label: "Instructions", form, rows: 4 }}
            hint="What the model is told of this server. Empty: what its upstreams say."
          />
          <div class="buttons">
            <button type="submit" class="main">{server === null ? "Create virtual server" : "Save"}</button>
            <a class="button" href={back}>Cancel</a>
          </div>
        </form>
      </>
    ),
  };
}

/** A server of a team keeps its team. */
function visibilities(server: VirtualServer | null) {
  return server?.visibility === "team"
    ? [{ value: "team", label: "Its team" }, ...VISIBILITIES]
    : VISIBILITIES;
}
