// /resources: lists and reads resources and resource templates of the registered upstreams.
import type { ResourceRow } from "../../store/registry/rows.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { notSupported, refusal, validated } from "../rest/faults.ts";
import { type KnownFields, readFields, requireObject } from "../rest/fields.ts";
import {
  gatewaysById,
  requireUsable,
  sharingChanges,
  sharingFaults,
  upstreamFieldFaults,
  visibleRow,
} from "../rest/lookup.ts";
import { pageOf, readListQuery, selected } from "../rest/paging.ts";
import { resourceUpdate } from "../rest/schemas.ts";
import { resourceRead } from "../rest/shapes.ts";

const UPSTREAM_FIELDS = [
  "uri",
  "uri_template",
  "name",
  "title",
  "description",
  "mime_type",
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

export function listResources(call: Call): Promise<AdminResponse> {
  return list(call, "resources", ({ isTemplate }) => !isTemplate);
}

export async function listResourceTemplates(call: Call): Promise<AdminResponse> {
  const { status, body } = await list(call, "resourceTemplates", ({ isTemplate }) => isTemplate);
  return { status, body: Array.isArray(body) ? { resourceTemplates: body } : body };
}

/** The resource's content, read from the upstream. */
export async function getResource(call: Call): Promise<AdminResponse> {
  const row = await visibleRow(call, "Resource", call.deps.store.resources);
  await requireUsable(call.deps, "Resource", row);
  return ok(await call.deps.readResource(call.principal, row, call.signal));
}

export async function getResourceInfo(call: Call): Promise<AdminResponse> {
  return ok(resourceRead(await visibleRow(call, "Resource", call.deps.store.resources)));
}

export async function createResource(call: Call): Promise<AdminResponse> {
  requireObject(requireObject(await call.body(), ["body"]).resource, ["body", "resource"]);
  throw refusal([
    notSupported(
      ["body", "resource"],
      "a resource without an upstream (register the upstream with POST /gateways)",
    ),
  ]);
}

export async function updateResource(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await visibleRow(call, "Resource", deps.store.resources);
  const raw = readFields(call, await call.body(), ["body"], RESOURCE_UPDATE);
  const input = validated(resourceUpdate, raw, ["body"], [
    ...upstreamFieldFaults(raw, resourceRead(row), UPSTREAM_FIELDS),
    ...sharingFaults(raw, row, ["body"]),
  ]);
  const after = await deps.store.resources.update(row.id, {
    ...sharingChanges(input),
    modifiedBy: principal.email,
  });
  await deps.catalogChanged();
  return ok(resourceRead(after));
}

async function list(
  call: Call,
  key: string,
  isWanted: (row: ResourceRow) => boolean,
): Promise<AdminResponse> {
  const { deps, principal } = call;
  const query = readListQuery(call);
  const gateways = await gatewaysById(deps);
  const rows = selected(
    (await deps.store.resources.list()).filter(isWanted),
    principal,
    query,
    ({ enabled, gatewayId }) => enabled && gateways.get(gatewayId ?? "")?.enabled !== false,
  );
  const { page, answer } = pageOf(rows, { key, sortKey: "uri", query });
  return answer(page.map(resourceRead));
}
