// All users, teams and roles with all their fields, for an import that compares them.
import { type Database, sql } from "../sql/sql.ts";
import type { Table } from "../sql/table.ts";
import type { AssignmentRow, MemberRow, RoleRow, TeamRow, UserRow } from "./person_rows.ts";
import { ASSIGNMENTS, MEMBERS, ROLES, TEAMS, USERS } from "./person_tables.ts";

export interface Everybody {
  readonly users: readonly UserRow[];
  /** Personal ones too. */
  readonly teams: readonly TeamRow[];
  readonly members: readonly MemberRow[];
  readonly roles: readonly RoleRow[];
  readonly assignments: readonly AssignmentRow[];
}

/** Reads within one transaction to be consistent. */
export async function readEverybody(database: Database): Promise<Everybody> {
  const all = async <Row extends object>(table: Table<Row>) => {
    const records = await database.query<Record<string, unknown>>(sql`SELECT * FROM ${table.id}`);
    return records.map((record) => table.decode(record));
  };
  return {
    users: await all(USERS),
    teams: await all(TEAMS),
    members: await all(MEMBERS),
    roles: await all(ROLES),
    assignments: await all(ASSIGNMENTS),
  };
}
