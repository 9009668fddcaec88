// Log of the rows that recent writes have changed. Workers read these rows only, because reading all rows of a large installation takes
// longer than the write.
import { KEPT_VERSIONS } from "./catalog_version.ts";
import { type Database, sql, type SqlQuery } from "./sql.ts";

/** Limit of ids. A write of more ids keeps none, and a worker that needs more ids reads all rows. */
export const MAX_CHANGED = 1_000;

const IDS_PER_INSERT = 100;

/** The ids that each version has changed. `Key` is a group of ids. */
export class ChangeLog<Key extends string> {
  readonly #table: SqlQuery;
  readonly #kinds: readonly (readonly [key: Key, kind: string])[];

  /**
   * @param table with the columns `version`, `kind` and `id`
   * @param kinds the value of `kind` for each group
   */
  constructor(table: string, kinds: Readonly<Record<Key, string>>) {
    this.#table = sql.id(table);
    this.#kinds = Object.entries<string>(kinds) as [Key, string][];
  }

  /**
   * Stores the ids that a version has changed, in the transaction of the write that has raised the version.
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
   * The ids that have changed after the version `known`, up to the present `version`. Every version between needs ids. A version has none
   * if an older gateway wrote it, if it changed too many rows, or if it is too old.
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
