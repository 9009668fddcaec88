// GET /admin: what there is, and what needs attention.
import type { RunningSettings } from "../../config/settings_report.ts";
import type { Checkup } from "../../telemetry/checkup.ts";
import { Attention } from "./attention.tsx";
import { callersIn, type LoggedCalls } from "../call/logged_calls.ts";
import type { PageCall, PageHandler } from "../call/page_call.ts";
import { Empty, PageHead } from "../parts/page_parts.tsx";
import type { ListPage } from "../parts/search_list.tsx";
import { type BusyCaller, LivePart } from "./live_part.tsx";
import type { Upstream } from "../upstreams/upstream_shapes.ts";

/** The answer has the number of entries, and none of them, whose members would have to be read. */
const BEYOND_THE_LAST = 1_000_000_000;

export const overviewPage: PageHandler = async (call) => {
  const { rest, viewer, query, figures } = call;
  const live = await figures();
  const checkup = viewer.can("admin.system_config") ? await rest.get<Checkup>("/doctor") : null;
  const replicas = checkup?.replicas ?? [];
  if (live !== null && query.has("live")) {
    const body = <LivePart figures={live} callers={await busiestCallers(call)} replicas={replicas} />;
    return { title: "Overview", body, isPart: true, isLive: true };
  }
  const upstreams = await rest.find<Upstream[]>("/gateways?limit=0&include_inactive=true") ?? [];
  const sum = (count: (upstream: Upstream) => number) =>
    upstreams.reduce((total, upstream) => total + count(upstream), 0);
  const held = sum(({ heldCount = 0 }) => heldCount);
  const settings = viewer.can("admin.system_config") ? await rest.find<RunningSettings>("/settings") : null;
  const attention = <Attention {...{ upstreams, held, figures: live, settings, checkup }} />;
  if (query.has("attention")) return { title: "Overview", body: attention, isPart: true };
  const servers = await rest.find<ListPage<unknown>>(`/admin/servers?page=${BEYOND_THE_LAST}`);
  const counts = [
    { label: "Upstreams", path: "upstreams", value: upstreams.length },
    { label: "Virtual servers", path: "virtual-servers", value: servers?.pagination.total_items ?? 0 },
    { label: "Tools", path: "tools", value: sum(({ toolCount }) => toolCount) },
    { label: "Resources", path: "resources", value: sum(({ resourceCount }) => resourceCount) },
    { label: "Prompts", path: "prompts", value: sum(({ promptCount }) => promptCount) },
  ];
  return {
    title: "Overview",
    body: (
      <>
        <PageHead title="Overview" />
        {upstreams.length === 0
          ? (
            <Empty title="No upstream yet">
              <p>
                An upstream is an MCP server behind this gateway. Its tools, resources and prompts appear
                here, for every client that may use them.
              </p>
              {viewer.can("gateways.create") && (
                <div class="buttons">
                  <a class="button main" href="upstreams/new">Add an upstream</a>
                </div>
              )}
            </Empty>
          )
          : (
            <div class="cards">
              {counts.map(({ label, path, value }) => (
                <a class="card" href={path}>
                  <div class="label">{label}</div>
                  <div class="value">{value.toLocaleString("en")}</div>
                </a>
              ))}
            </div>
          )}
        <div id="attention" hx-get="?attention" hx-trigger="every 5s" hx-swap="innerMorph">{attention}</div>
        {live !== null && upstreams.length > 0 && (
          <div id="live" hx-get="?live" hx-trigger="every 2s" hx-swap="innerMorph">
            <LivePart figures={live} callers={await busiestCallers(call)} replicas={replicas} />
          </div>
        )}
      </>
    ),
  };
};

const MOST_CALLERS = 5;

/** Who has called most in the last minute, of the latest lines of the log. */
async function busiestCallers({ rest, viewer }: PageCall): Promise<BusyCaller[] | null> {
  if (!viewer.can("admin.system_config")) return null;
  const { logs } = await rest.get<LoggedCalls>("/logs?since=1m&limit=1000");
  return callersIn(logs).slice(0, MOST_CALLERS);
}
