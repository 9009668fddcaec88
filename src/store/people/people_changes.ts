// Log of the users, teams and roles that recent writes have changed.
import { raisePeopleVersion } from "../sql/catalog_version.ts";
import { ChangeLog } from "../sql/change_log.ts";
import type { Database } from "../sql/sql.ts";

/** Ids. A user has changed with its memberships and the assignments of its roles. */
export interface ChangedPeople {
  readonly users?: readonly string[];
  readonly teams?: readonly string[];
  readonly roles?: readonly string[];
}

const CHANGES = new ChangeLog("people_changes", { users: "user", teams: "team", roles: "role" });

/**
 * Raises the version of users, teams and roles in the transaction of a write, with what the write changes.
 * @param changed "all": the workers read all rows
 */
export async function tellPeopleChanged(tx: Database, changed: ChangedPeople | "all"): Promise<void> {
  await CHANGES.note(tx, await raisePeopleVersion(tx), changed);
}

/** What has changed after the version `known` up to `version`, the present one. @returns null: all rows have to be read */
export function changedSince(
  tx: Database,
  known: number,
  version: number,
): Promise<Required<ChangedPeople> | null> {
  return CHANGES.since(tx, known, version);
}
