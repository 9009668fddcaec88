// The list of upstreams, searched and filtered by state and tag.
import type { PageHandler } from "../call/page_call.ts";
import { Badge, Empty, PageHead } from "../parts/page_parts.tsx";
import { FoundPart, readPage, SearchList } from "../parts/search_list.tsx";
import { commandOf, stateOf, STATES, transportName, type Upstream } from "./upstream_shapes.ts";

interface TagUse {
  readonly name: string;
}

export const listUpstreams: PageHandler = async (call) => {
  const { rest, viewer, query } = call;
  const found = await readPage<Upstream>(call, "/admin/gateways");
  const shown = {
    ...{ path: "upstreams", query, placeholder: "Search by name, URL or tag", found },
    children: found.data.length > 0 && <UpstreamTable upstreams={found.data} />,
  };
  if (query.has("part")) return { title: "Upstreams", body: <FoundPart {...shown} />, isPart: true };
  const add = viewer.can("gateways.create") && (
    <a class="button main" href="upstreams/new">
      Add an upstream
    </a>
  );
  const isFiltered = ["q", "state", "tags"].some((name) => query.get(name));
  const isEmpty = found.pagination.total_items === 0 && !isFiltered;
  const tags = isEmpty ? [] : await rest.find<TagUse[]>("/tags?entity_types=gateways") ?? [];
  return {
    title: "Upstreams",
    body: (
      <>
        <PageHead title="Upstreams">{isEmpty ? null : add}</PageHead>
        {isEmpty
          ? (
            <Empty title="No upstream yet">
              <p>
                An upstream is an MCP server behind this gateway. Add one by its URL, by the command that
                starts it, or all of a client's configuration.
              </p>
              <div class="buttons">{add}</div>
            </Empty>
          )
          : (
            <SearchList
              {...shown}
              choices={[
                {
                  name: "state",
                  label: "State",
                  options: Object.entries(STATES).map(([value, { label }]) => ({ value, label })),
                },
                {
                  name: "tags",
                  label: "Tag",
                  options: tags.map(({ name }) => ({ value: name, label: name })),
                },
              ]}
            />
          )}
      </>
    ),
  };
};

function UpstreamTable({ upstreams }: { readonly upstreams: readonly Upstream[] }) {
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
                <span class="about">{commandOf(upstream) ?? upstream.url}</span>
              </td>
              <td data-label="State">
                <Badge mood={mood} label={label} />
              </td>
              <td data-label="Transport" class="nowrap">{transportName(upstream.transport)}</td>
              <td data-label="Tools" class="number">{upstream.toolCount.toLocaleString("en")}</td>
              <td data-label="Resources" class="number">{upstream.resourceCount.toLocaleString("en")}</td>
              <td data-label="Prompts" class="number">{upstream.promptCount.toLocaleString("en")}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
