// A write to users, teams or roles.
import { SluiceError } from "../../base/errors.ts";
import { type ChangedPeople, tellPeopleChanged } from "./people_changes.ts";
import { ConstraintError, type Database } from "../sql/sql.ts";

/**
 * Runs `write` in a transaction, and tells the workers of the change.
 * @param changed what `write` changes
 * @param conflict why the write is refused, if the database has a row with the same unique values
 * @throws {SluiceError} CONFLICT; what `write` throws
 */
export async function writePeople<T>(
  database: Database,
  changed: ChangedPeople,
  conflict: string,
  write: (tx: Database) => Promise<T>,
): Promise<T> {
  try {
    return await database.transaction(async (tx) => {
      // First, because it makes concurrent writes wait: counts and limits hold until the commit.
      await tellPeopleChanged(tx, changed);
      return await write(tx);
    });
  } catch (error) {
    if (!(error instanceof ConstraintError) || error.kind !== "unique") throw error;
    throw new SluiceError("CONFLICT", { reason: conflict }, { cause: error });
  }
}
