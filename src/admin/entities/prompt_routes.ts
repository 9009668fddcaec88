// /prompts: lists, renders and renames prompts of the registered upstreams.
import type { RowChanges } from "../../store/registry/entities.ts";
import type { PromptRow } from "../../store/registry/rows.ts";
import { metricsOf } from "../metrics/execution_metrics.ts";
import { deleting, type Noun, switching } from "../rest/crud.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, fault, refuse, validated } from "../rest/faults.ts";
import { type KnownFields, readFields } from "../rest/fields.ts";
import {
  changeableRow,
  gatewayOf,
  gatewaysById,
  isOnAt,
  requireMove,
  requireUsable,
  sharingChanges,
  sharingFaults,
  stillThere,
  upstreamFieldFaults,
  visibleRow,
} from "../rest/lookup.ts";
import { listed, paged, type Select, selected } from "../rest/paging.ts";
import { promptArguments, promptUpdate } from "../rest/schemas.ts";
import { promptRead } from "../rest/shapes.ts";
import { customNameOf, ownWords, refusingOwn, writeNamed } from "./entry_names.ts";

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

const select: Select<PromptRow> = async ({ deps, principal }, query) => {
  const gateways = await gatewaysById(deps);
  return {
    rows: selected(await deps.store.prompts.list(), principal, query, isOnAt(gateways)),
    show: (page) => page.map((row) => promptRead(row, gateways.get(row.gatewayId ?? ""))),
  };
};

export const listPrompts = listed("prompts", select);
export const pagePrompts = paged("/admin/prompts", select);

export async function getPromptInfo(call: Call): Promise<AdminResponse> {
  const { deps } = call;
  const row = await visibleRow(call, "Prompt", deps.store.prompts);
  const metrics = await metricsOf(deps.executions, "prompt", row.id);
  return ok({ ...promptRead(row, await gatewayOf(deps, row)), metrics });
}

/** Renders the prompt without arguments. The path has the prompt's id or name. */
export function getPrompt(call: Call): Promise<AdminResponse> {
  return render(call, {});
}

/** Renders the prompt: the body has the arguments by name, or is absent. The path has the prompt's id or name. */
export async function renderPrompt(call: Call): Promise<AdminResponse> {
  return render(call, validated(promptArguments, await call.body() ?? {}, ["body"]));
}

async function render(call: Call, args: Record<string, string>): Promise<AdminResponse> {
  const isNamed = ({ name }: PromptRow) => name === call.params.id;
  const row = await visibleRow(call, "Prompt", call.deps.store.prompts, isNamed);
  await requireUsable(call.deps, "Prompt", row);
  refuse(missingArguments(row, args));
  return ok(await call.deps.renderPrompt(call.principal, row, args, call.signal));
}

/** A fault for each required argument that is absent. */
function missingArguments({ definition }: PromptRow, args: Record<string, string>): Fault[] {
  const { arguments: declared = [] } = JSON.parse(definition) as {
    arguments?: { readonly name: string; readonly required?: boolean }[];
  };
  return declared.filter(({ name, required }) => required === true && !Object.hasOwn(args, name))
    .map(({ name }) => fault(["body", name], "Field required", "missing"));
}

export const createPrompt = refusingOwn("prompt");

export async function updatePrompt(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const row = await changeableRow(call, "Prompt", deps.store.prompts);
  const gateway = await gatewayOf(deps, row);
  const raw = readFields(call, await call.body(), ["body"], PROMPT_UPDATE);
  requireMove(call, raw, row);
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
  await writeNamed(deps, ({ prompts }) => prompts, row, changes, gateway);
  await deps.catalogChanged();
  return ok(promptRead(stillThere(await deps.store.prompts.get(row.id), `Prompt ${row.id}`), gateway));
}
