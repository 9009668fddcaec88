// /prompts: lists, renders and renames prompts of the registered upstreams.
import { createNaming, slugify, toolName } from "../../catalog/snapshot/tool_name.ts";
import type { RowChanges } from "../../store/registry/entities.ts";
import type { PromptRow } from "../../store/registry/rows.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { notSupported, refusal, validated } from "../rest/faults.ts";
import { type KnownFields, readFields, requireObject } from "../rest/fields.ts";
import {
  gatewayOf,
  gatewaysById,
  requireUsable,
  sharingChanges,
  sharingFaults,
  upstreamFieldFaults,
  visibleRow,
} from "../rest/lookup.ts";
import { pageOf, readListQuery, selected } from "../rest/paging.ts";
import { promptArguments, promptUpdate } from "../rest/schemas.ts";
import { promptRead } from "../rest/shapes.ts";
import { customNameOf, ownWords } from "./tool_routes.ts";

const UPSTREAM_FIELDS = ["title", "template", "arguments", "gateway_id"];

const PROMPT_UPDATE: KnownFields = { schema: promptUpdate, judged: UPSTREAM_FIELDS };

const PROMPT: Noun<PromptRow> = {
  word: "Prompt",
  stateKey: "prompt",
  entities: ({ prompts }) => prompts,
  read: async ({ deps }, row) => promptRead(row, await gatewayOf(deps, row)),
};

export const deletePrompt = deleting(PROMPT);
export const switchPrompt = switching(PROMPT);

export async function listPrompts(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const query = readListQuery(call);
  const gateways = await gatewaysById(deps);
  const rows = selected(
    await deps.store.prompts.list(),
    principal,
    query,
    ({ enabled, gatewayId }) => enabled && gateways.get(gatewayId ?? "")?.enabled !== false,
  );
  const { page, answer } = pageOf(rows, { key: "prompts", sortKey: "name", query });
  return answer(page.map((row) => promptRead(row, gateways.get(row.gatewayId ?? ""))));
}

/** Renders the prompt without arguments. */
export function getPrompt(call: Call): Promise<AdminResponse> {
  return render(call, {});
}

/** Renders the prompt. The body has the arguments by name; without a body there are none. */
export async function renderPrompt(call: Call): Promise<AdminResponse> {
  return render(call, validated(promptArguments, await call.body() ?? {}, ["body"]));
}

async function render(call: Call, args: Record<string, string>): Promise<AdminResponse> {
  const row = await visibleRow(call, "Prompt", call.deps.store.prompts);
  await requireUsable(call.deps, "Prompt", row);
  return ok(await call.deps.renderPrompt(call.principal, row, args, call.signal));
}

export async function createPrompt(call: Call): Promise<AdminResponse> {
  requireObject(requireObject(await call.body(), ["body"]).prompt, ["body", "prompt"]);
  throw refusal([
    notSupported(
      ["body", "prompt"],
      "a prompt without an upstream (register the upstream with POST /gateways)",
    ),
  ]);
}

export async function updatePrompt(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await visibleRow(call, "Prompt", deps.store.prompts);
  const gateway = await gatewayOf(deps, row);
  const raw = readFields(call, await call.body(), ["body"], PROMPT_UPDATE);
  const input = validated(promptUpdate, raw, ["body"], [
    ...upstreamFieldFaults(raw, promptRead(row, gateway), UPSTREAM_FIELDS),
    ...sharingFaults(raw, row, ["body"]),
  ]);
  const definition = JSON.parse(row.definition);
  const changes: RowChanges<PromptRow> = {
    ...sharingChanges(input),
    customName: customNameOf(input, row),
    displayName: ownWords(input.display_name, definition.title),
    description: ownWords(input.description, definition.description),
    modifiedBy: principal.email,
  };
  await deps.store.transaction(async (store) => {
    const { customName } = changes;
    const renames = customName !== undefined && customName !== row.customName && gateway !== undefined;
    const name = renames && customName !== null
      ? toolName(gateway.slug, slugify(customName), deps.toolNames)
      : undefined;
    await store.prompts.update(row.id, { ...changes, name });
    if (renames && customName === null) {
      await store.renameDiscovered(gateway.id, createNaming(deps.toolNames));
    }
  });
  await deps.catalogChanged();
  return ok(promptRead((await deps.store.prompts.get(row.id))!, gateway));
}
