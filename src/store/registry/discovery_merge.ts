// Merges the lists of an upstream into the registry, kind by kind: rows are added, changed and removed.
import { chunks, type NewRow, newRow, type RowChanges, TableEntities, updateStatement } from "./entities.ts";
import { newId } from "../sql/new_id.ts";
import { type Database, sql, storable } from "../sql/sql.ts";
import { RemovedEntries, undecidedFields } from "./removed_entries.ts";
import type {
  DiscoveredEntry,
  EntityRow,
  EntryKind,
  EntryRow,
  GatewayRow,
  PromptRow,
  ResourceRow,
  SkippedEntry,
  ToolRow,
} from "./rows.ts";
import { type EntityTable, type EntryTable, RESOURCES } from "./tables.ts";

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

/** The fields that tools and prompts share. */
export interface NamedRow extends EntryRow {
  readonly originalName: string;
  readonly name: string;
  readonly customName: string | null;
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
    private readonly skipped: SkippedEntry[],
  ) {}

  /** Merges tools or prompts. Their key is the original name; their name is unique in the registry. */
  async named<Row extends NamedRow>(
    entity: EntryTable<Row>,
    kind: "tool" | "prompt",
    found: readonly DiscoveredEntry[],
    naming: Naming,
    create: (shared: SharedFields, item: NamedItem) => NewRow<Row>,
  ): Promise<DiscoveryChanges> {
    const offered = this.#distinct(kind, found);
    const stored = await this.#stored(entity, kind);
    const names = naming(this.gateway.slug, offered.map(({ key }) => stored.nameable(key)));
    const taken = await namesOfOthers(this.tx, entity, this.gateway.id, names);
    const changes = new Changes<Row>();
    offered.forEach(({ key, text: definition, sessionText: sessionDefinition }, i) => {
      const row = stored.known.get(key);
      const name = names[i]!;
      if (row === undefined && taken.has(name)) {
        this.skipped.push({ kind, name: key, reason: `the name "${name}" belongs to another gateway` });
        return;
      }
      const item = { originalName: key, name, definition, sessionDefinition };
      if (row === undefined) {
        const created = create(sharedFields(this.gateway), { ...item, position: stored.nextPosition() });
        changes.add(created, stored.removed.get(key), this.now);
      } else {
        changes.update(
          row,
          fromUpstream(create(sharedFields(this.gateway), {
            ...item,
            name: taken.has(name) ? row.name : name,
            position: row.position,
          })),
        );
      }
    });
    return await this.#apply(stored, offered, changes, (row) => row.name);
  }

  /** Merges resources or resource templates. Their key is the URI, which other upstreams may use too. */
  async resources(
    kind: "resource" | "template",
    found: readonly DiscoveredEntry[],
  ): Promise<DiscoveryChanges> {
    const offered = this.#distinct(kind, found);
    const stored = await this.#stored(RESOURCES, kind);
    const changes = new Changes<ResourceRow>();
    for (const { key: uri, text: definition } of offered) {
      const row = stored.known.get(uri);
      const name = storable(JSON.parse(definition).name);
      if (row === undefined) {
        const isTemplate = kind === "template";
        const item = { uri, name, isTemplate, definition, position: stored.nextPosition() };
        const words = { customName: null, description: null, mimeType: null };
        changes.add({ ...sharedFields(this.gateway), ...item, ...words }, stored.removed.get(uri), this.now);
      } else {
        changes.update(row, { name, definition });
      }
    }
    return await this.#apply(stored, offered, changes, (row) => row.uri);
  }

  /** An entry with the key of an earlier one is left out. */
  #distinct(kind: EntryKind, found: readonly DiscoveredEntry[]): DiscoveredEntry[] {
    const seen = new Set<string>();
    return found.filter(({ key }) => {
      if (!seen.has(key)) return seen.add(key);
      this.skipped.push({ kind, name: key, reason: "the upstream lists it twice; the first one is used" });
      return false;
    });
  }

  async #stored<Row extends EntryRow>(entity: EntryTable<Row>, kind: EntryKind): Promise<Stored<Row>> {
    const rows = await new TableEntities(this.tx, entity, () => this.now)
      .list({ gatewayId: this.gateway.id });
    const tombstones = new RemovedEntries(this.tx, this.gateway, entity, kind);
    return new Stored(entity, kind, rows, tombstones, await tombstones.read());
  }

  async #apply<Row extends EntryRow>(
    { entity, known, tombstones }: Stored<Row>,
    offered: readonly { key: string }[],
    { updates, inserts, returned }: Changes<Row>,
    labelOf: (row: Row) => string,
  ): Promise<DiscoveryChanges> {
    const gone = new Map(known);
    for (const { key } of offered) gone.delete(key);
    const removed = [...gone.values()];
    await tombstones.add(removed, this.now);
    for (const ids of chunks(removed.map(({ id }) => id))) { // first: it frees names
      await this.tx.run(sql`DELETE FROM ${entity.table.id} WHERE id IN ${sql.list(ids)}`);
    }
    await updateRows(this.tx, entity, updates, this.now);
    for (const statement of entity.table.inserts(inserts)) await this.tx.run(statement);
    await tombstones.restore(returned);
    this.hasChanges ||= removed.length + updates.length + inserts.length > 0;
    return {
      added: inserts.map(labelOf),
      updated: updates.map(({ row, changes }) => labelOf({ ...row, ...changes })),
      removed: removed.map(labelOf),
    };
  }
}

/** What the store has of one gateway and kind. */
class Stored<Row extends EntryRow> {
  readonly known: ReadonlyMap<string, Row>;
  readonly #names: ReadonlySet<unknown>;
  #nextPosition = 0;

  constructor(
    readonly entity: EntryTable<Row>,
    kind: EntryKind,
    rows: readonly Row[],
    readonly tombstones: RemovedEntries<Row>,
    readonly removed: ReadonlyMap<string, Row>,
  ) {
    const ofKind = rows.filter((row) => entity.kindOf(row) === kind);
    this.known = new Map(ofKind.map((row) => [entity.keyOf(row), row]));
    this.#names = new Set(ofKind.map((row) => (row as { name?: unknown }).name));
    for (const { position } of rows) this.#nextPosition = Math.max(this.#nextPosition, position + 1);
  }

  /** The first free position after all rows of the gateway. A row keeps its position (see EntryRow). */
  nextPosition(): number {
    return this.#nextPosition++;
  }

  /** An entry that comes back does not take the name of one that stayed. */
  nameable(this: Stored<Row & NamedRow>, key: string): Nameable {
    const row = this.known.get(key);
    const back = this.removed.get(key);
    const formerName = back === undefined || this.#names.has(back.name) ? null : back.name;
    return {
      originalName: key,
      customName: (row ?? back)?.customName ?? null,
      currentName: row?.name ?? formerName,
    };
  }
}

class Changes<Row extends EntryRow> {
  readonly updates: Update<Row>[] = [];
  readonly inserts: Row[] = [];
  /** The ids of inserted rows that were there before. */
  readonly returned: string[] = [];

  /** @param now of the fields that come from the upstream */
  update(row: Row, now: Partial<Row>): void {
    const isSame = Object.entries(now).every(([field, value]) => row[field as keyof Row] === value);
    if (!isSame) this.updates.push({ row, changes: now as RowChanges<Row> });
  }

  /** @param before the row when it vanished: the operator's fields come back with it */
  add(created: NewRow<Row>, before: Row | undefined, now: Date): void {
    const fresh = newRow<Row>(created, now);
    if (before === undefined) return void this.inserts.push(fresh);
    this.returned.push(before.id);
    this.inserts.push({
      ...fresh,
      ...before,
      ...fromUpstream(created),
      updatedAt: fresh.updatedAt,
      version: before.version + 1,
    });
  }
}

/** The fields that come from the upstream's list. `position` stays as it was. */
function fromUpstream<Row extends EntryRow>(created: NewRow<Row>): Partial<Row> {
  const { name, definition, sessionDefinition } = created as unknown as Partial<ToolRow>;
  return {
    name,
    definition,
    ...(sessionDefinition === undefined ? {} : { sessionDefinition }),
  } as unknown as Partial<Row>;
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
  return { ...undecidedFields(gateway), gatewayId: gateway.id, createdBy: gateway.createdBy };
}

/** What the upstream says of a tool or prompt. */
interface NamedItem {
  readonly originalName: string;
  readonly name: string;
  readonly definition: string;
  readonly sessionDefinition: string | null;
  readonly position: number;
}

export function newTool(shared: SharedFields, item: NamedItem): NewRow<ToolRow> {
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
  { sessionDefinition: _, ...item }: NamedItem,
): NewRow<PromptRow> {
  return { ...shared, ...item, customName: null, displayName: null, description: null };
}
