// Tombstones: what an operator decided about entries that an upstream no longer lists. An entry that the upstream lists again
// comes back as it was. This file writes and restores them; tombstones.ts reads them for operators and for the data plane.
import { tellRegistryChanged } from "./changes/registry_changes.ts";
import { chunks, TableEntities } from "./entities.ts";
import { type Database, sql, type SqlQuery } from "../sql/sql.ts";
import type { EntryKind, EntryRow, GatewayRow, ToolRow } from "./rows.ts";
import { type EntryTable, GATEWAYS } from "./tables.ts";

/** The members of a row that come from the upstream or from the store. All others are the operator's. */
const NOT_DECIDED: ReadonlySet<string> = new Set([
  "id",
  "createdAt",
  "updatedAt",
  "createdBy",
  "modifiedBy",
  "version",
  "gatewayId",
  "originalName",
  "uri",
  "isTemplate",
  "name",
  "definition",
  "sessionDefinition",
  "position",
]);

/** The values of the other fields of an entry that no operator has changed. */
export function undecidedFields(gateway: GatewayRow) {
  return {
    enabled: true,
    visibility: gateway.visibility,
    teamId: gateway.teamId,
    ownerEmail: gateway.ownerEmail,
    tags: [],
  };
}

/** Limit of tombstones per gateway; beyond it the oldest go. Only an operator's decisions make new ones. */
const MAX_PER_GATEWAY = 10_000;

interface Membership {
  readonly table: SqlQuery;
  readonly column: SqlQuery;
}

/** The tables of virtual servers' members. */
export const MEMBERSHIP: Readonly<Record<EntryKind, Membership>> = {
  tool: { table: sql.id("server_tools"), column: sql.id("tool_id") },
  resource: { table: sql.id("server_resources"), column: sql.id("resource_id") },
  template: { table: sql.id("server_resources"), column: sql.id("resource_id") },
  prompt: { table: sql.id("server_prompts"), column: sql.id("prompt_id") },
};

/** The tombstones of one gateway and kind. Runs in `tx`. */
export class RemovedEntries<Row extends EntryRow> {
  constructor(
    private readonly tx: Database,
    private readonly gateway: GatewayRow,
    private readonly entity: EntryTable<Row>,
    private readonly kind: EntryKind,
    private readonly max = MAX_PER_GATEWAY,
  ) {}

  /** The rows as they were when they vanished, by key, without their definitions. */
  async read(): Promise<Map<string, Row>> {
    const records = await this.tx.query<Tombstone>(
      sql`SELECT entry_key, visibility, team_id, owner_email, fields FROM removed_entries
          WHERE gateway_id = ${this.gateway.id} AND kind = ${this.kind} ORDER BY removed_at, entry_id`,
    );
    return new Map(records.map((record) => [record.entry_key, rowOf<Row>(record)]));
  }

  /** Keeps the rows about which an operator has decided something. Must run before they are deleted. */
  async add(rows: readonly Row[], now: Date): Promise<void> {
    const memberships = await this.#membershipsOf(rows);
    const overridden = await this.#overridden();
    const decided = rows.filter((row) =>
      memberships.has(row.id) || overridden.has(row.id) || isDecided(row, this.gateway)
    );
    for (const chunk of chunks(decided)) {
      const tuples = chunk.map((row) => {
        const { definition: _, sessionDefinition: __, ...fields } = row as Row & Partial<ToolRow>;
        return sql`(${row.id}, ${this.gateway.id}, ${this.kind}, ${this.entity.keyOf(row)}, ${row.visibility},
          ${row.teamId}, ${row.ownerEmail}, ${JSON.stringify(fields)}, ${now.toISOString()})`;
      });
      await this.tx.run(
        sql`INSERT INTO removed_entries
            (entry_id, gateway_id, kind, entry_key, visibility, team_id, owner_email, fields, removed_at)
            VALUES ${sql.join(tuples)}`,
      );
    }
    for (const chunk of chunks([...memberships.values()].flat())) {
      const tuples = chunk.map((member) =>
        sql`(${member.entry_id}, ${member.server_id}, ${member.position})`
      );
      await this.tx.run(
        sql`INSERT INTO removed_members (entry_id, server_id, position) VALUES ${sql.join(tuples)}`,
      );
    }
    if (decided.length > 0) await this.#dropOldest();
  }

  /** Makes returned entries members of their virtual servers again, and drops their tombstones. */
  async restore(ids: readonly string[]): Promise<void> {
    const { table, column } = MEMBERSHIP[this.kind];
    for (const chunk of chunks(ids)) {
      await this.tx.run(
        sql`INSERT INTO ${table} (server_id, ${column}, position)
            SELECT server_id, entry_id, position FROM removed_members WHERE entry_id IN ${sql.list(chunk)}`,
      );
      await this.tx.run(sql`DELETE FROM removed_entries WHERE entry_id IN ${sql.list(chunk)}`);
    }
  }

  async #membershipsOf(rows: readonly Row[]): Promise<Map<string, Member[]>> {
    const { table, column } = MEMBERSHIP[this.kind];
    const found = new Map<string, Member[]>();
    for (const ids of chunks(rows.map(({ id }) => id))) {
      const members = await this.tx.query<Member>(
        sql`SELECT ${column} AS entry_id, server_id, position FROM ${table} WHERE ${column} IN ${
          sql.list(ids)
        }`,
      );
      for (const member of members) found.set(member.entry_id, [...found.get(member.entry_id) ?? [], member]);
    }
    return found;
  }

  /** The ids of tools that have a name or description of their own in a virtual server. */
  async #overridden(): Promise<ReadonlySet<string>> {
    if (this.kind !== "tool") return new Set();
    const servers = await this.tx.query<{ tool_overrides: string }>(
      sql`SELECT tool_overrides FROM servers WHERE tool_overrides <> '{}'`,
    );
    return new Set(servers.flatMap(({ tool_overrides: overrides }) => Object.keys(JSON.parse(overrides))));
  }

  async #dropOldest(): Promise<void> {
    const [{ amount }] = await this.tx.query<{ amount: number }>(
      sql`SELECT COUNT(*) AS amount FROM removed_entries WHERE gateway_id = ${this.gateway.id}`,
    );
    const excess = Number(amount) - this.max;
    if (excess <= 0) return;
    const oldest = await this.tx.query<{ entry_id: string }>(
      sql`SELECT entry_id FROM removed_entries WHERE gateway_id = ${this.gateway.id}
          ORDER BY removed_at, entry_id LIMIT ${excess}`,
    );
    for (const ids of chunks(oldest.map(({ entry_id }) => entry_id))) {
      await this.tx.run(sql`DELETE FROM removed_entries WHERE entry_id IN ${sql.list(ids)}`);
    }
  }
}

/** The columns that hold a row. Accounts and teams that are deleted or renamed change some of them. */
export interface TombstoneFields {
  readonly visibility: string;
  readonly team_id: string | null;
  readonly owner_email: string | null;
  readonly fields: string;
}

interface Tombstone extends TombstoneFields {
  readonly entry_key: string;
}

/** The row as it was when it vanished, without its definitions. */
export function rowOf<Row>({ fields, visibility, team_id, owner_email }: TombstoneFields): Row {
  return { ...JSON.parse(fields), visibility, teamId: team_id, ownerEmail: owner_email };
}

interface Member {
  readonly entry_id: string;
  readonly server_id: string;
  readonly position: number;
}

/** Tools, resources or prompts. One that an operator deletes comes back switched off if its upstream lists it again. */
export class DiscoveredEntities<Row extends EntryRow> extends TableEntities<Row> {
  constructor(database: Database, private readonly entryTable: EntryTable<Row>, now: () => Date) {
    super(database, entryTable, now);
  }

  override delete(id: string): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const entities = new TableEntities(tx, this.entryTable, this.now);
      const row = await entities.get(id);
      if (row === null) return false;
      const { table, column } = MEMBERSHIP[this.entryTable.kindOf(row)];
      const members = await tx.query<Pick<Member, "server_id">>(
        sql`SELECT server_id FROM ${table} WHERE ${column} = ${id}`,
      );
      await entities.delete(id);
      // If the upstream lists the entry again before a worker reads the change, the worker sees the same entry without its memberships.
      if (members.length > 0) {
        await tellRegistryChanged(tx, { servers: members.map(({ server_id }) => server_id) });
      }
      const gateway = await new TableEntities(tx, GATEWAYS, this.now).get(row.gatewayId ?? "");
      if (gateway === null) return true;
      // The row is gone, so its tombstone has no memberships.
      await new RemovedEntries(tx, gateway, this.entryTable, this.entryTable.kindOf(row))
        .add([{ ...row, enabled: false }], this.now());
      return true;
    });
  }
}

function isDecided(row: EntryRow, gateway: GatewayRow): boolean {
  const undecided: Readonly<Record<string, unknown>> = undecidedFields(gateway);
  return Object.entries(row).some(([field, value]) =>
    !NOT_DECIDED.has(field) && JSON.stringify(value) !== JSON.stringify(undecided[field] ?? null)
  );
}
