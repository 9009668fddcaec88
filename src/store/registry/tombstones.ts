// The tombstones as operators see them. They also reserve the names of tools and prompts: a call by the registry name of an entry that
// its upstream has dropped must not reach another upstream, which has that name for a tool of its own.
import { type Database, sql } from "../sql/sql.ts";
import { tellRegistryChanged } from "./changes/registry_changes.ts";
import { rowOf, type TombstoneFields } from "./removed_entries.ts";
import type { EntryKind, RemovedEntry } from "./rows.ts";

/** An entry that its upstream no longer lists, and that an operator has decided something about. */
export interface TombstoneRow {
  /** The id of the entry, which it has again if it comes back. */
  readonly id: string;
  readonly kind: EntryKind;
  /** The registry name of a tool or prompt, the URI of a resource or template. */
  readonly name: string;
  /** Whether the entry comes back enabled. */
  readonly enabled: boolean;
  /** ISO 8601, UTC. */
  readonly removedAt: string;
}

export class Tombstones {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The tombstones of one gateway, oldest first. */
  async list(gatewayId: string): Promise<TombstoneRow[]> {
    const records = await this.#database.query<TombstoneRecord>(
      sql`SELECT entry_id, kind, entry_key, fields, removed_at FROM removed_entries
          WHERE gateway_id = ${gatewayId} ORDER BY removed_at, entry_id`,
    );
    return records.map(({ entry_id: id, kind, entry_key: key, fields, removed_at: removedAt }) => {
      const { name, enabled } = JSON.parse(fields);
      return { id, kind, name: isNamed(kind) ? name : key, enabled, removedAt };
    });
  }

  /** Drops the operator's decisions about an entry, and its name. @returns false if there is no such tombstone */
  delete(gatewayId: string, id: string): Promise<boolean> {
    return this.#database.transaction(async (tx) => {
      const { changes } = await tx.run(
        sql`DELETE FROM removed_entries WHERE gateway_id = ${gatewayId} AND entry_id = ${id}`,
      );
      if (changes > 0) await tellRegistryChanged(tx, { gateways: [gatewayId] });
      return changes > 0;
    });
  }

  /** Those of these gateways (null: of all), with the virtual servers that have chosen them. */
  async all(gatewayIds: readonly string[] | null): Promise<RemovedEntry[]> {
    const which = gatewayIds === null ? sql.empty : sql`WHERE gateway_id IN ${sql.list(gatewayIds)}`;
    const records = await this.#database.query<FullRecord>(
      sql`SELECT entry_id, gateway_id, kind, entry_key, visibility, team_id, owner_email, fields
          FROM removed_entries ${which} ORDER BY gateway_id, removed_at, entry_id`,
    );
    if (records.length === 0) return [];
    const members = Map.groupBy(
      await this.#database.query<{ entry_id: string; server_id: string }>(
        sql`SELECT entry_id, server_id FROM removed_members
            WHERE entry_id IN (SELECT entry_id FROM removed_entries ${which}) ORDER BY entry_id, server_id`,
      ),
      (member) => member.entry_id,
    );
    return records.map((record) => ({
      gatewayId: record.gateway_id,
      kind: record.kind,
      key: record.entry_key,
      row: rowOf(record),
      serverIds: members.get(record.entry_id)?.map((member) => member.server_id) ?? [],
    }));
  }
}

interface TombstoneRecord {
  readonly entry_id: string;
  readonly kind: EntryKind;
  readonly entry_key: string;
  readonly fields: string;
  readonly removed_at: string;
}

interface FullRecord extends TombstoneFields {
  readonly entry_id: string;
  readonly gateway_id: string;
  readonly kind: EntryKind;
  readonly entry_key: string;
}

function isNamed(kind: EntryKind): boolean {
  return kind === "tool" || kind === "prompt";
}
