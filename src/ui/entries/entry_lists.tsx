// Room `entries`: pages of tools, resources and prompts. This file has their lists.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { findUpstream, OnlyOf } from "../parts/only_of.tsx";
import { Empty, PageHead } from "../parts/page_parts.tsx";
import { FoundPart, readPage, SearchList } from "../parts/search_list.tsx";
import { type Entry, type EntryKind, EntryState } from "./entry.tsx";
import { templatesOf } from "./template_list.tsx";

interface Kind {
  /** Of the page and, below /admin, of the REST API. */
  readonly path: EntryKind;
  readonly title: string;
  readonly empty: string;
  readonly columns: readonly (readonly [label: string, of: (entry: Entry) => string])[];
}

const TOOLS: Kind = {
  path: "tools",
  title: "Tools",
  empty: "Tools come with upstreams: register one, and its tools are listed here.",
  columns: [["Upstream", ({ gatewaySlug }) => gatewaySlug ?? "–"]],
};

const RESOURCES: Kind = {
  path: "resources",
  title: "Resources",
  empty: "Resources come with upstreams. Those that are registered list none.",
  columns: [["URI", ({ uri }) => uri ?? ""], ["Type", ({ mimeType }) => mimeType ?? "–"]],
};

const PROMPTS: Kind = {
  path: "prompts",
  title: "Prompts",
  empty: "Prompts come with upstreams. Those that are registered list none.",
  columns: [
    ["Upstream", ({ gatewaySlug }) => gatewaySlug ?? "–"],
    ["Arguments", (entry) => entry.arguments?.map(({ name }) => name).join(", ") || "–"],
  ],
};

export const listTools: PageHandler = (call) => listOf(call, TOOLS);
export const listResources: PageHandler = (call) => listOf(call, RESOURCES);
export const listPrompts: PageHandler = (call) => listOf(call, PROMPTS);

async function listOf(call: PageCall, { path, title, empty, columns }: Kind): Promise<View> {
  const { query } = call;
  const found = await readPage<Entry>(call, `/admin/${path}`);
  const isFiltered = ["q", "gateway_id", "tags"].some((name) => query.get(name));
  const placeholder = "Search by name, description or tag";
  const templates = path === "resources" ? await templatesOf(call) : null;
  const shown = {
    ...{ path, query, placeholder, found, further: templates },
    children: found.data.length > 0 && (
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Name</th>
            {columns.map(([label]) => <th>{label}</th>)}
            <th>State</th>
          </tr>
        </thead>
        <tbody>
          {found.data.map((entry) => (
            <tr>
              <td>
                <a href={`${path}/${entry.id}`}>{entry.name}</a>
                {entry.description !== null && <span class="about">{entry.description}</span>}
              </td>
              {columns.map(([label, of]) => <td data-label={label} class="long">{of(entry)}</td>)}
              <td data-label="State">
                <EntryState entry={entry} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    ),
  };
  const isEmpty = found.pagination.total_items === 0 && !isFiltered && templates === null;
  if (query.has("part")) return { title, body: <FoundPart {...shown} />, isPart: true };
  const upstream = await findUpstream(call.rest, query.get("gateway_id"));
  return {
    title,
    body: (
      <>
        <PageHead title={title} />
        <OnlyOf upstream={upstream} all={path} noun={path} />
        {isEmpty
          ? (
            <Empty title={`No ${path} yet`}>
              <p>{empty}</p>
              <div class="buttons">
                <a class="button" href="upstreams">To the upstreams</a>
              </div>
            </Empty>
          )
          : <SearchList {...shown} />}
      </>
    ),
  };
}
