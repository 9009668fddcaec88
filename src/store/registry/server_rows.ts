// Virtual servers: their rows, and the tables of their tools, resources and prompts.
import { ConstraintError, type Database, sql } from "../sql/sql.ts";
import { SluiceError } from "../../base/errors.ts";
import {
  chunks,
  type Entities,
  type ListFilter,
  type NewRow,
  type RowChanges,
  TableEntities,
} from "./entities.ts";
import { tellPeopleChanged } from "../people/people_changes.ts";
import { MEMBERSHIP } from "./removed_entries.ts";
import type { ServerRow } from "./rows.ts";
import { type ServerFields, SERVERS } from "./tables.ts";

type Members = Pick<ServerRow, "toolIds" | "resourceIds" | "promptIds">;

const MEMBERSHIPS = [
  { key: "toolIds", kinds: ["tool"], ...MEMBERSHIP.tool },
  { key: "resourceIds", kinds: ["resource", "template"], ...MEMBERSHIP.resource },
  { key: "promptIds", kinds: ["prompt"], ...MEMBERSHIP.prompt },
] as const;

const ROWS_PER_INSERT = 100;

export class ServerEntities implements Entities<ServerRow> {
  readonly #database: Database;
  readonly #now: () => Date;

  constructor(database: Database, now: () => Date) {
    this.#database = database;
    this.#now = now;
  }

  /** @throws {SluiceError} also VALIDATION_FAILED if a member does not exist */
  insert({ toolIds, resourceIds, promptIds, ...fields }: NewRow<ServerRow>): Promise<ServerRow> {
    return this.#database.transaction(async (tx) => {
      const row = await this.#fields(tx).insert(fields);
      const members = { toolIds, resourceIds, promptIds };
      await setMembers(tx, row.id, members);
      return { ...row, ...members };
    });
  }

  update(id: string, changes: RowChanges<ServerRow>): Promise<ServerRow> {
    const { toolIds, resourceIds, promptIds, ...given } = changes;
    return this.#database.transaction(async (tx) => {
      const before = await this.#fields(tx).get(id);
      const fields = toolIds === undefined || before === null ? given : {
        ...given,
        toolOverrides: withoutForeign({
          toolOverrides: given.toolOverrides ?? before.toolOverrides,
          gatewayIds: given.gatewayIds ?? before.gatewayIds,
          memberTags: given.memberTags ?? before.memberTags,
        }, toolIds),
      };
      const row = await this.#fields(tx).update(id, fields);
      await setMembers(tx, id, { toolIds, resourceIds, promptIds });
      return (await withMembers(tx, [row], [id]))[0];
    });
  }

  /** Also takes away the roles that users were assigned on the server: another server can get the same id. */
  delete(id: string): Promise<boolean> {
    return this.#database.transaction(async (tx) => {
      const holders = await tx.query<{ user_id: string }>(
        sql`DELETE FROM role_assignments WHERE scope = 'server' AND scope_id = ${id} RETURNING user_id`,
      );
      if (holders.length > 0) await tellPeopleChanged(tx, { users: holders.map(({ user_id }) => user_id) });
      return await this.#fields(tx).delete(id);
    });
  }

  async get(id: string): Promise<ServerRow | null> {
    return (await this.list({ ids: [id] }))[0] ?? null;
  }

  list(filter: Pick<ListFilter, "ids"> = {}): Promise<ServerRow[]> {
    return this.#database.transaction(
      async (tx) => withMembers(tx, await this.#fields(tx).list(filter), filter.ids),
      { readOnly: true },
    );
  }

  #fields(database: Database): TableEntities<ServerFields> {
    return new TableEntities(database, SERVERS, this.#now);
  }
}

async function setMembers(tx: Database, serverId: string, members: Partial<Members>): Promise<void> {
  for (const { key, kinds, table, column } of MEMBERSHIPS) {
    const ids = members[key];
    if (ids === undefined) continue;
    await tx.run(sql`DELETE FROM ${table} WHERE server_id = ${serverId}`);
    // The operator's new list replaces also the members that their upstreams have removed.
    await tx.run(
      sql`DELETE FROM removed_members WHERE server_id = ${serverId} AND entry_id IN
          (SELECT entry_id FROM removed_entries WHERE kind IN ${sql.list(kinds)})`,
    );
    const unique = [...new Set(ids)];
    for (let start = 0; start < unique.length; start += ROWS_PER_INSERT) {
      const tuples = unique.slice(start, start + ROWS_PER_INSERT)
        .map((id, i) => sql`(${serverId}, ${id}, ${start + i})`);
      try {
        await tx.run(sql`INSERT INTO ${table} (server_id, ${column}, position) VALUES ${sql.join(tuples)}`);
      } catch (error) {
        if (!(error instanceof ConstraintError) || error.kind !== "foreign_key") throw error;
        throw new SluiceError("VALIDATION_FAILED", { reason: `${key} contains an unknown id` }, {
          cause: error,
        });
      }
    }
  }
}

/** @param ids of these rows; undefined: they are all virtual servers */
async function withMembers(
  tx: Database,
  rows: readonly ServerFields[],
  ids: readonly string[] | undefined,
): Promise<ServerRow[]> {
  const members = new Map<string, { [Key in keyof Members]: string[] }>();
  for (const { id } of rows) members.set(id, { toolIds: [], resourceIds: [], promptIds: [] });
  for (const { key, table, column } of MEMBERSHIPS) {
    for (const chunk of ids === undefined ? [undefined] : chunks(ids)) {
      const where = chunk === undefined ? sql.empty : sql`WHERE server_id IN ${sql.list(chunk)}`;
      const pairs = await tx.query<{ server_id: string; member: string }>(
        sql`SELECT server_id, ${column} AS member FROM ${table} ${where} ORDER BY server_id, position`,
      );
      for (const { server_id, member } of pairs) members.get(server_id)?.[key].push(member);
    }
  }
  return rows.map((row) => {
    const own = members.get(row.id)!;
    return { ...row, ...own, toolOverrides: withoutForeign(row, own.toolIds) };
  });
}

/**
 * Removes the overrides of tools that are no longer members. A server of whole upstreams keeps them all: a tool that its
 * upstream drops may come back.
 */
function withoutForeign(
  { toolOverrides, gatewayIds, memberTags }: Pick<
    ServerFields,
    "toolOverrides" | "gatewayIds" | "memberTags"
  >,
  toolIds: readonly string[],
): ServerRow["toolOverrides"] {
  if (gatewayIds.length + memberTags.length > 0) return toolOverrides;
  const members = new Set(toolIds);
  return Object.fromEntries(Object.entries(toolOverrides).filter(([id]) => members.has(id)));
}
