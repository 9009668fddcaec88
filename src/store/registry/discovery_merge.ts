// Merges the lists of an upstream into the registry, kind by kind: rows are added, changed and removed.
import {
  chunks,
  newId,
  type NewRow,
  newRow,
  type RowChanges,
  TableEntities,
  updateStatement,
} from "./entities.ts";
import { type Database, sql, storable } from "../sql/sql.ts";
import type { Discovery, EntityRow, GatewayRow, PromptRow, ResourceRow, ToolRow } from "./rows.ts";
import { type EntityTable, RESOURCES } from "./tables.ts";

/** A tool or prompt of an upstream that needs a unique name. */
export interface Nameable {
  readonly originalName: string;
  readonly customName: string | null;
  /** The present name; null for a new row. */
  readonly currentName: string | null;
}

/** Returns a unique name for each item, in the upstream's order. `createNaming` of the catalog makes one. */
export type Naming = (gatewaySlug: string, items: readonly Nameable[]) => readonly string[];

/** The keys (names, or URIs of resources) of changed rows. */
export interface DiscoveryChanges {
  readonly added: string[];
  readonly updated: string[];
  readonly removed: string[];
}

/** An entry of an upstream's list that was not saved, and the reason. */
export interface SkippedItem {
  readonly kind: "tool" | "resource" | "prompt";
  readonly name: string;
  readonly reason: string;
}

type RawObject = Readonly<Record<string, unknown>>;

/** The fields that tools and prompts share. */
export interface NamedRow extends EntityRow {
  readonly gatewayId: string | null;
  readonly originalName: string;
  readonly name: string;
  readonly customName: string | null;
  readonly definition: string;
  readonly position: number;
}

interface Update<Row extends EntityRow> {
  readonly row: Row;
  readonly changes: RowChanges<Row>;
}

/** Merges the lists of one gateway. Runs in `tx`. */
export class Merge {
  /** Has anything been written? */
  hasChanges = false;

  constructor(
    private readonly tx: Database,
    private readonly gateway: GatewayRow,
    private readonly now: Date,
    private readonly skipped: SkippedItem[],
  ) {}

  /** Merges tools or prompts. Their key is the original name; their name is unique in the registry. */
  async named<Row extends NamedRow>(
    entity: EntityTable<Row>,
    kind: "tool" | "prompt",
    found: readonly string[],
    naming: Naming,
    create: (
      shared: SharedFields,
      item: { originalName: string; name: string; definition: string; position: number },
    ) => NewRow<Row>,
  ): Promise<DiscoveryChanges> {
    const offered = this.#distinct(kind, found, (raw) => raw.name);
    const known = await this.#known(entity, (row) => row.originalName);
    const names = naming(
      this.gateway.slug,
      offered.map(({ key }) => ({
        originalName: key,
        customName: known.get(key)?.customName ?? null,
        currentName: known.get(key)?.name ?? null,
      })),
    );
    const taken = await namesOfOthers(this.tx, entity, this.gateway.id, names);
    const updates: Update<Row>[] = [];
    const inserts: Row[] = [];
    let position = nextPosition(known);
    offered.forEach(({ key, definition }, i) => {
      const row = known.get(key);
      if (row !== undefined) {
        const name = taken.has(names[i]) ? row.name : names[i];
        if (row.definition !== definition || row.name !== name) {
          updates.push({ row, changes: { name, definition } as RowChanges<Row> });
        }
      } else if (taken.has(names[i])) {
        this.skipped.push({ kind, name: key, reason: `the name "${names[i]}" belongs to another gateway` });
      } else {
        const item = { originalName: key, name: names[i], definition, position: position++ };
        inserts.push(newRow(create(sharedFields(this.gateway), item), this.now));
      }
    });
    return await this.#apply(entity, known, offered, updates, inserts, (row) => row.name);
  }

  /** Merges resources and resource templates. Their key is the URI, which other upstreams may use too. */
  async resources({ resources, resourceTemplates }: Discovery): Promise<DiscoveryChanges> {
    const offered = [
      ...this.#distinct("resource", resources, (raw) => raw.uri).map((item) => ({
        ...item,
        isTemplate: false,
      })),
      ...this.#distinct("resource", resourceTemplates, (raw) => raw.uriTemplate)
        .map((item) => ({ ...item, isTemplate: true })),
    ].map((item) => ({ ...item, uri: item.key, key: resourceKey(item.key, item.isTemplate) }));
    const known = await this.#known(RESOURCES, (row) => resourceKey(row.uri, row.isTemplate));
    const updates: Update<ResourceRow>[] = [];
    const inserts: ResourceRow[] = [];
    let position = nextPosition(known);
    for (const { key, uri, isTemplate, raw, definition } of offered) {
      const row = known.get(key);
      const name = typeof raw.name === "string" ? raw.name : uri;
      if (row === undefined) {
        inserts.push(
          newRow<ResourceRow>(
            { ...sharedFields(this.gateway), uri, name, isTemplate, definition, position: position++ },
            this.now,
          ),
        );
      } else if (row.definition !== definition) {
        updates.push({ row, changes: { name, definition } });
      }
    }
    return await this.#apply(RESOURCES, known, offered, updates, inserts, (row) => row.uri);
  }

  /** The listed objects by key. An object without a key, or with the key of an earlier one, is skipped. */
  #distinct(kind: SkippedItem["kind"], found: readonly string[], keyOf: (raw: RawObject) => unknown) {
    const seen = new Set<string>();
    return found.flatMap((definition, i) => {
      const raw: RawObject = JSON.parse(definition);
      const key = keyOf(raw);
      if (typeof key !== "string" || key === "") {
        this.skipped.push({ kind, name: `#${i + 1}`, reason: `the upstream's ${kind} has no name or URI` });
        return [];
      }
      if (key !== storable(key)) {
        const reason = "its name or URI contains a NUL character, which PostgreSQL cannot store";
        this.skipped.push({ kind, name: storable(key), reason });
        return [];
      }
      if (seen.has(key)) {
        this.skipped.push({ kind, name: key, reason: "the upstream lists it twice; the first one is used" });
        return [];
      }
      seen.add(key);
      return [{ key, raw, definition }];
    });
  }

  async #known<Row extends EntityRow>(
    entity: EntityTable<Row>,
    keyOf: (row: Row) => string,
  ): Promise<Map<string, Row>> {
    const rows = await new TableEntities(this.tx, entity, () => this.now).list({
      gatewayId: this.gateway.id,
    });
    return new Map(rows.map((row) => [keyOf(row), row]));
  }

  async #apply<Row extends EntityRow>(
    entity: EntityTable<Row>,
    known: ReadonlyMap<string, Row>,
    offered: readonly { key: string }[],
    updates: readonly Update<Row>[],
    inserts: readonly Row[],
    labelOf: (row: Row) => string,
  ): Promise<DiscoveryChanges> {
    const gone = new Map(known);
    for (const { key } of offered) gone.delete(key);
    const removed = [...gone.values()];
    for (const ids of chunks(removed.map(({ id }) => id))) { // first: it frees names
      await this.tx.run(sql`DELETE FROM ${entity.table.id} WHERE id IN ${sql.list(ids)}`);
    }
    await updateRows(this.tx, entity, updates, this.now);
    for (const statement of entity.table.inserts(inserts)) await this.tx.run(statement);
    this.hasChanges ||= removed.length + updates.length + inserts.length > 0;
    return {
      added: inserts.map(labelOf),
      updated: updates.map(({ row, changes }) => labelOf({ ...row, ...changes })),
      removed: removed.map(labelOf),
    };
  }
}

/** The first free position after all rows of the gateway. A row keeps its position (see ToolRow). */
function nextPosition(known: ReadonlyMap<string, { readonly position: number }>): number {
  let next = 0;
  for (const { position } of known.values()) next = Math.max(next, position + 1);
  return next;
}

/** Sets temporary names first: two rows may exchange their names. */
export async function updateRows<Row extends EntityRow>(
  tx: Database,
  entity: EntityTable<Row>,
  updates: readonly Update<Row>[],
  now: Date,
): Promise<void> {
  const renamed = updates.filter(({ row, changes }) => {
    const { name } = changes as { name?: string };
    return name !== undefined && name !== (row as unknown as { name: string }).name;
  });
  if (renamed.length > 1) {
    for (const { row } of renamed) {
      await tx.run(sql`UPDATE ${entity.table.id} SET name = ${`~${newId()}`} WHERE id = ${row.id}`);
    }
  }
  for (const { row, changes } of updates) await tx.query(updateStatement(entity, row.id, changes, now));
}

/** The names that rows of other gateways have. */
export async function namesOfOthers(
  tx: Database,
  { table }: { readonly table: { readonly id: typeof sql.empty } },
  gatewayId: string,
  names: readonly string[],
): Promise<Set<string>> {
  const taken = new Set<string>();
  for (const chunk of chunks(names)) {
    const rows = await tx.query<{ name: string }>(
      sql`SELECT name FROM ${table.id} WHERE name IN ${sql.list(chunk)}
          AND (gateway_id IS NULL OR gateway_id <> ${gatewayId})`,
    );
    for (const { name } of rows) taken.add(name);
  }
  return taken;
}

type SharedFields = ReturnType<typeof sharedFields>;

/** The initial fields of an entity of a gateway. */
function sharedFields(gateway: GatewayRow) {
  return {
    gatewayId: gateway.id,
    enabled: true,
    visibility: gateway.visibility,
    teamId: gateway.teamId,
    ownerEmail: gateway.ownerEmail,
    tags: [],
    createdBy: gateway.createdBy,
  };
}

export function newTool(
  shared: SharedFields,
  item: { originalName: string; name: string; definition: string; position: number },
): NewRow<ToolRow> {
  return {
    ...shared,
    ...item,
    customName: null,
    displayName: null,
    description: null,
    timeoutMs: null,
  };
}

export function newPrompt(
  shared: SharedFields,
  item: { originalName: string; name: string; definition: string; position: number },
): NewRow<PromptRow> {
  return { ...shared, ...item, customName: null, displayName: null, description: null };
}

function resourceKey(uri: string, isTemplate: boolean): string {
  return `${isTemplate ? "template" : "resource"} ${uri}`;
}
