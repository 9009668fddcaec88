// The names and words that an operator gives an entry of an upstream.
import { createNaming, slugify, toolName } from "../../catalog/snapshot/tool_name.ts";
import type { Entities, RowChanges } from "../../store/registry/entities.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { GatewayRow, PromptRow, ToolRow } from "../../store/registry/rows.ts";
import type { AdminDeps, AdminResponse, Call, Handler } from "../rest/deps.ts";
import { notSupported, refusal } from "../rest/faults.ts";
import { requireObject } from "../rest/fields.ts";

type NamedRow = ToolRow | PromptRow;

/**
 * The custom name in a request: null removes it, undefined leaves it. `name` sets the custom name too, unless it is the
 * current name. The upstream's own name removes the custom name.
 */
export function customNameOf(
  input: { readonly name?: string; readonly custom_name?: string | null },
  row: { readonly name: string; readonly originalName: string; readonly customName: string | null },
): string | null | undefined {
  const asked = input.custom_name !== undefined
    ? input.custom_name
    : input.name === row.name
    ? undefined
    : input.name;
  return asked === row.originalName ? null : asked;
}

/** The operator's text; null if it equals the upstream's text, so that later changes of the upstream are shown. */
export function ownWords(asked: string | null | undefined, upstreams: unknown): string | null | undefined {
  return asked === upstreams ? null : asked;
}

/**
 * Writes the changes of a tool or prompt. A custom name gives it a new name; without one it gets the name that the upstream's lists give.
 * @param gateway undefined: the entry has no upstream, and keeps its name
 * @throws {SluiceError} CONFLICT if the name is in use: a custom name gets no suffix
 */
export async function writeNamed<Row extends NamedRow>(
  { store, toolNames }: Pick<AdminDeps, "store" | "toolNames">,
  entities: (store: Registry) => Pick<Entities<Row>, "update">,
  row: Row,
  changes: RowChanges<Row> & { readonly customName?: string | null },
  gateway: GatewayRow | undefined,
): Promise<void> {
  const { customName } = changes;
  await store.transaction(async (store) => {
    if (customName === undefined || customName === row.customName || gateway === undefined) {
      await entities(store).update(row.id, changes);
    } else if (customName === null) {
      await entities(store).update(row.id, changes);
      await store.renameDiscovered(gateway.id, createNaming(toolNames));
    } else {
      const name = toolName(gateway.slug, slugify(customName), toolNames);
      await entities(store).update(row.id, { ...changes, name });
    }
  });
}

/** Refuses to register a prompt or resource of its own: upstreams alone have them. */
export function refusingOwn(noun: "prompt" | "resource"): Handler {
  return async (call: Call): Promise<AdminResponse> => {
    const loc = ["body", noun];
    requireObject(requireObject(await call.body(), ["body"])[noun], loc);
    const what = `a ${noun} without an upstream (register the upstream with POST /gateways)`;
    throw refusal([notSupported(loc, what)]);
  };
}
