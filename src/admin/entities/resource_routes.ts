// /resources: lists, reads and describes resources and resource templates of the registered upstreams.
import type { ResourceRow } from "../../store/registry/rows.ts";
import { metricsOf } from "../metrics/execution_metrics.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import {
  changeableRow,
  gatewaysById,
  isOnAt,
  requireMove,
  requireUsable,
  sharingChanges,
  sharingFaults,
  upstreamFieldFaults,
  visibleRow,
} from "../rest/lookup.ts";
import { listed, newestFirst, paged, readListQuery, type Select, selected } from "../rest/paging.ts";
import { resourceUpdate } from "../rest/schemas.ts";
import { resourceRead } from "../rest/shapes.ts";
import { ownWords, refusingOwn } from "./entry_names.ts";

const UPSTREAM_FIELDS = [
  "uri",
  "uri_template",
  "title",
  "content",
  "size",
  "gateway_id",
];

const RESOURCE_UPDATE: KnownFields = {
  schema: resourceUpdate,
  judged: UPSTREAM_FIELDS,
  withoutEffect: ["extension_metadata"],
};

const RESOURCE: Noun<ResourceRow> = {
  word: "Resource",
  stateKey: "resource",
  entities: ({ resources }) => resources,
  read: async (_call, row) => resourceRead(row),
};

export const deleteResource = deleting(RESOURCE);
export const switchResource = switching(RESOURCE);

const selectResources = selecting(({ isTemplate }) => !isTemplate);
const selectTemplates = selecting(({ isTemplate }) => isTemplate);

export const listResources = listed("resources", selectResources);
export const pageResources = paged("/admin/resources", selectResources);

/** All templates at once, in ContextForge's answer of two spellings. */
export async function listResourceTemplates(call: Call): Promise<AdminResponse> {
  const { rows } = await selectTemplates(call, readListQuery(call));
  const templates = newestFirst(rows).map((row) => {
    const { id, uriTemplate, name, description, mimeType, annotations, _meta } = resourceRead(row);
    return { id, uriTemplate, name, description, mimeType, annotations, _meta };
  });
  return ok({ _meta: {}, next_cursor: null, resource_templates: templates });
}

/** The resource's content, read from the upstream. The answer is its first part; `contents` has all parts, if there are several. */
export async function getResource(call: Call): Promise<AdminResponse> {
  const row = await visibleRow(call, "Resource", call.deps.store.resources);
  await requireUsable(call.deps, "Resource", row);
  const { contents } = await call.deps.readResource(call.principal, row, call.signal);
  const { uri, mimeType, text, blob, _meta } = contents[0] ?? {};
  return ok({
    type: "resource",
    id: row.id,
    uri: uri ?? row.uri,
    mime_type: mimeType ?? null,
    text: text ?? null,
    blob: blob ?? null,
    ...(_meta === undefined ? {} : { _meta }),
    ...(contents.length > 1 ? { contents } : {}),
  });
}

export async function getResourceInfo(call: Call): Promise<AdminResponse> {
  const row = await visibleRow(call, "Resource", call.deps.store.resources);
  const metrics = await metricsOf(call.deps.executions, "resource", row.id);
  return ok({ ...resourceRead(row), metrics });
}

export const createResource = refusingOwn("resource");

export async function updateResource(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await changeableRow(call, "Resource", deps.store.resources);
  const raw = readFields(call, await call.body(), ["body"], RESOURCE_UPDATE);
  requireMove(call, raw, row);
  const input = validated(resourceUpdate, raw, ["body"], [
    ...upstreamFieldFaults(raw, resourceRead(row), UPSTREAM_FIELDS),
    ...sharingFaults(raw, row, ["body"]),
  ]);
  const definition = JSON.parse(row.definition);
  const after = await deps.store.resources.update(row.id, {
    ...sharingChanges(input),
    customName: ownWords(input.name, row.name),
    description: ownWords(input.description, definition.description),
    mimeType: ownWords(input.mime_type, definition.mimeType),
    modifiedBy: principal.email,
  });
  await deps.catalogChanged();
  return ok(resourceRead(after));
}

function selecting(isWanted: (row: ResourceRow) => boolean): Select<ResourceRow> {
  return async ({ deps, principal }, query) => {
    const gateways = await gatewaysById(deps);
    const rows = (await deps.store.resources.list()).filter(isWanted);
    return {
      rows: selected(rows, principal, query, isOnAt(gateways)),
      show: (page) => page.map(resourceRead),
    };
  };
}
