// Handlers that are the same for all entities: delete, enable, disable.
import type { Entities } from "../../store/registry/entities.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { EntityRow } from "../../store/registry/rows.ts";
import { type Call, type Handler, ok } from "./deps.ts";
import { validated } from "./faults.ts";
import { changeableRow } from "./lookup.ts";
import { stateQuery } from "./queries.ts";

export interface Noun<Row extends EntityRow> {
  /** The name of the kind of entity, as in "Gateway 1234 deleted". */
  readonly word: string;
  /** The member of a /state answer that contains the entity; null if the entity itself is the answer. */
  readonly stateKey: string | null;
  readonly entities: (store: Registry) => Entities<Row>;
  /** Whether the path may have `text` in place of the row's id; absent: only the id. */
  readonly isNamed?: (row: Row, text: string) => boolean;
  readonly read: (call: Call, row: Row) => Promise<Readonly<Record<string, unknown>>>;
}

export function deleting<Row extends EntityRow>({ word, entities, isNamed }: Noun<Row>): Handler {
  return async (call) => {
    const { store } = call.deps;
    const { id } = await changeableRow(call, word, entities(store), isNamed);
    await entities(store).delete(id);
    await call.deps.catalogChanged();
    return ok({ status: "success", message: `${word} ${id} deleted` });
  };
}

/** Enables or disables an entity: `?activate=true|false`. The default is true. */
export function switching<Row extends EntityRow>(
  { word, stateKey, entities, isNamed, read }: Noun<Row>,
): Handler {
  return async (call) => {
    const { store } = call.deps;
    const { activate } = validated(stateQuery, Object.fromEntries(call.query), ["query"]);
    const { id } = await changeableRow(call, word, entities(store), isNamed);
    const changes = { enabled: activate, modifiedBy: call.principal.email };
    const row = await entities(store).update(id, changes as Parameters<Entities<Row>["update"]>[1]);
    await call.deps.catalogChanged();
    const shown = await read(call, row);
    if (stateKey === null) return ok(shown);
    const message = `${word} ${id} ${activate ? "activated" : "deactivated"}`;
    return ok({ status: "success", message, [stateKey]: inSnakeCase(shown) });
  };
}

/** The fields of an entity by the names that ContextForge's /state answers have. */
function inSnakeCase(shown: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(shown).map((
      [name, value],
    ) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  );
}
