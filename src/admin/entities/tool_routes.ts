// Room `entities`: handlers of tools, resources, prompts and tokens. `routes.ts` loads them. This file handles /tools: it lists
// the tools of the registered upstreams, and changes their names, descriptions and visibility.
import type { RowChanges } from "../../store/registry/entities.ts";
import type { ToolRow } from "../../store/registry/rows.ts";
import { metricsOf } from "../metrics/execution_metrics.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, fault, notSupported, refusal, validated } from "../rest/faults.ts";
import { type KnownFields, readFields, requireObject } from "../rest/fields.ts";
import {
  changeableRow,
  gatewayOf,
  gatewaysById,
  isOnAt,
  requireMove,
  sharingChanges,
  sharingFaults,
  stillThere,
  upstreamFieldFaults,
  visibleRow,
} from "../rest/lookup.ts";
import { listed, paged, type Select, selected } from "../rest/paging.ts";
import { toolUpdate } from "../rest/schemas.ts";
import { toolRead } from "../rest/shapes.ts";
import { customNameOf, ownWords, writeNamed } from "./entry_names.ts";

/** Fields of ContextForge's ToolUpdate that the upstream defines. */
const UPSTREAM_FIELDS = [
  "title",
  "url",
  "integration_type",
  "request_type",
  "headers",
  "input_schema",
  "output_schema",
  "annotations",
  "auth",
  "jsonpath_filter",
  "base_url",
  "path_template",
  "query_mapping",
  "header_mapping",
  "gateway_id",
];

const TOOL_UPDATE: KnownFields = {
  schema: toolUpdate,
  judged: UPSTREAM_FIELDS,
  withoutEffect: [
    "allow_auto",
    "allowlist",
    "auth_headers",
    "deprecated",
    "expose_passthrough",
    "extension_metadata",
    "plugin_chain_post",
    "plugin_chain_pre",
  ],
};

const TOOL: Noun<ToolRow> = {
  word: "Tool",
  stateKey: "tool",
  entities: ({ tools }) => tools,
  read: async ({ deps, principal }, row) => toolRead(row, await gatewayOf(deps, row), principal),
};

export const deleteTool = deleting(TOOL);
export const switchTool = switching(TOOL);

const select: Select<ToolRow> = async ({ deps, principal }, query) => {
  const gateways = await gatewaysById(deps);
  return {
    rows: selected(await deps.store.tools.list(), principal, query, isOnAt(gateways)),
    show: (page) => page.map((row) => toolRead(row, gateways.get(row.gatewayId ?? ""), principal)),
  };
};

export const listTools = listed("tools", select);
export const pageTools = paged("/admin/tools", select);

export async function getTool(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await visibleRow(call, "Tool", deps.store.tools);
  const gateway = await gatewayOf(deps, row);
  const metrics = await metricsOf(deps.executions, "tool", row.id);
  return ok(toolRead(row, gateway, principal, metrics));
}

/** Always refused: tools of MCP servers are registered with their gateway, and tools of REST and A2A do not exist yet. */
export async function createTool(call: Call): Promise<AdminResponse> {
  const tool = requireObject(requireObject(await call.body(), ["body"]).tool, ["body", "tool"]);
  const loc = ["body", "tool", "integration_type"];
  const faults: Fault[] = [];
  if (typeof tool.name !== "string" || tool.name.trim() === "") {
    faults.push(fault(["body", "tool", "name"], "Field required", "missing"));
  }
  const type = tool.integration_type ?? "REST";
  faults.push(
    type === "MCP"
      ? fault(
        loc,
        "the tools of an MCP server are registered with it; use POST /gateways",
        "not_supported",
      )
      : notSupported(loc, `a tool with integration_type ${JSON.stringify(type)}`),
  );
  throw refusal(faults);
}

export async function updateTool(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await changeableRow(call, "Tool", deps.store.tools);
  const gateway = await gatewayOf(deps, row);
  const raw = readFields(call, await call.body(), ["body"], TOOL_UPDATE);
  requireMove(call, raw, row);
  const input = validated(toolUpdate, raw, ["body"], [
    ...upstreamFieldFaults(raw, toolRead(row, gateway, principal), UPSTREAM_FIELDS),
    ...sharingFaults(raw, row, ["body"]),
  ]);
  const changes: RowChanges<ToolRow> = {
    ...sharingChanges(input),
    customName: customNameOf(input, row),
    displayName: ownWords(input.display_name, JSON.parse(row.definition).title),
    description: ownWords(input.description, JSON.parse(row.definition).description),
    timeoutMs: input.timeout_ms,
    modifiedBy: principal.email,
  };
  await writeNamed(deps, ({ tools }) => tools, row, changes, gateway);
  await deps.catalogChanged();
  return ok(toolRead(stillThere(await deps.store.tools.get(row.id), `Tool ${row.id}`), gateway, principal));
}
