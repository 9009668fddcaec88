// Which rows the last writes have changed. Workers read these alone, because all rows of a large installation take a worker longer than
// a write.
import { type Database, sql, type SqlQuery } from "./sql.ts";

/** The last so many versions keep their ids. */
export const KEPT_VERSIONS = 1_000;

/** A write of more ids keeps none, and a worker that needs more reads all rows. */
export const MAX_CHANGED = 1_000;

const IDS_PER_INSERT = 100;

/** The ids that each version has changed. `Key` are the groups of ids. */
export class ChangeLog<Key extends string> {
  readonly #table: SqlQuery;
  readonly #kinds: readonly (readonly [key: Key, kind: string])[];

  /**
   * @param table with the columns `version`, `kind` and `id`
   * @param kinds how the table calls each group
   */
  constructor(table: string, kinds: Readonly<Record<Key, string>>) {
    this.#table = sql.id(table);
    this.#kinds = Object.entries<string>(kinds) as [Key, string][];
  }

  /**
   * Notes what a version has changed, in the transaction of the write that has raised it.
   * @param changed "all": the workers read all rows
   */
  async note(
    tx: Database,
    version: number,
    changed: Readonly<Partial<Record<Key, readonly string[]>>> | "all",
  ): Promise<void> {
    await tx.run(sql`DELETE FROM ${this.#table} WHERE version <= ${version - KEPT_VERSIONS}`);
    if (changed === "all") return;
    const all = this.#kinds.flatMap(([key, kind]) => [...new Set(changed[key])].map((id) => ({ kind, id })));
    if (all.length > MAX_CHANGED) return;
    for (let start = 0; start < all.length; start += IDS_PER_INSERT) {
      const tuples = all.slice(start, start + IDS_PER_INSERT)
        .map(({ kind, id }) => sql`(${version}, ${kind}, ${id})`);
      await tx.run(sql`INSERT INTO ${this.#table} (version, kind, id) VALUES ${sql.join(tuples)}`);
    }
  }

  /**
   * What has changed after the version `known` up to `version`, the present one. Each version between has to have ids: one without was
   * written by an older gateway, changed too much, or was long ago.
   * @returns null: all rows have to be read
   */
  async since(
    tx: Database,
    known: number,
    version: number,
  ): Promise<Readonly<Record<Key, readonly string[]>> | null> {
    if (known > version || version - known > KEPT_VERSIONS) return null;
    const changes = known === version
      ? []
      : await tx.query<{ version: number | string; kind: string; id: string }>(
        sql`SELECT version, kind, id FROM ${this.#table} WHERE version > ${known} LIMIT ${MAX_CHANGED + 1}`,
      );
    if (changes.length > MAX_CHANGED) return null;
    if (new Set(changes.map((each) => Number(each.version))).size < version - known) return null;
    const idsOf = (kind: string) => [
      ...new Set(changes.filter((each) => each.kind === kind).map(({ id }) => id)),
    ];
    const changed = {} as Record<Key, readonly string[]>;
    for (const [key, kind] of this.#kinds) changed[key] = idsOf(kind);
    return changed;
  }
}
