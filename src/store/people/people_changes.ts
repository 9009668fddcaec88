// Which users, teams and roles the last writes have changed. Workers read the rows of these alone, because all rows of a large
// installation take a worker longer than a write.
import { raisePeopleVersion } from "../sql/catalog_version.ts";
import { type Database, sql } from "../sql/sql.ts";

/** Ids. A user has changed with its memberships and the assignments of its roles. */
export interface ChangedPeople {
  readonly users?: readonly string[];
  readonly teams?: readonly string[];
  readonly roles?: readonly string[];
}

/** The last so many versions keep their ids. */
export const KEPT_VERSIONS = 1_000;

/** A write of more ids keeps none, and a worker that needs more reads all rows. */
export const MAX_CHANGED = 1_000;

const IDS_PER_INSERT = 100;

/**
 * Raises the version of users, teams and roles in the transaction of a write, with what the write changes.
 * @param changed "all": the workers read all rows
 */
export async function tellPeopleChanged(tx: Database, changed: ChangedPeople | "all"): Promise<void> {
  const version = await raisePeopleVersion(tx);
  await tx.run(sql`DELETE FROM people_changes WHERE version <= ${version - KEPT_VERSIONS}`);
  if (changed === "all") return;
  const ids = (kind: string, list: readonly string[] = []) => [...new Set(list)].map((id) => ({ kind, id }));
  const all = [...ids("user", changed.users), ...ids("team", changed.teams), ...ids("role", changed.roles)];
  if (all.length > MAX_CHANGED) return;
  for (let start = 0; start < all.length; start += IDS_PER_INSERT) {
    const tuples = all.slice(start, start + IDS_PER_INSERT)
      .map(({ kind, id }) => sql`(${version}, ${kind}, ${id})`);
    await tx.run(sql`INSERT INTO people_changes (version, kind, id) VALUES ${sql.join(tuples)}`);
  }
}

/**
 * What has changed after the version `known` up to `version`, the present one. Each version between has to have ids: one without was
 * written by an older gateway, changed too much, or was long ago.
 * @returns null: all rows have to be read
 */
export async function changedSince(
  tx: Database,
  known: number,
  version: number,
): Promise<Required<ChangedPeople> | null> {
  if (known > version || version - known > KEPT_VERSIONS) return null;
  const changes = await tx.query<{ version: number | string; kind: string; id: string }>(
    sql`SELECT version, kind, id FROM people_changes WHERE version > ${known} LIMIT ${MAX_CHANGED + 1}`,
  );
  if (changes.length > MAX_CHANGED) return null;
  if (new Set(changes.map((each) => Number(each.version))).size < version - known) return null;
  const ids = (kind: string) => [
    ...new Set(changes.filter((each) => each.kind === kind).map(({ id }) => id)),
  ];
  return { users: ids("user"), teams: ids("team"), roles: ids("role") };
}
