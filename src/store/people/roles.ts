// Custom roles, and the assignments of custom and built-in roles to users.
import { SluiceError } from "../../base/errors.ts";
import { newId } from "../sql/new_id.ts";
import { type Database, sql } from "../sql/sql.ts";
import { tellPeopleChanged } from "./people_changes.ts";
import type { AssignmentRow, RoleRow } from "./person_rows.ts";
import { ASSIGNMENTS, ROLES } from "./person_tables.ts";
import { writePeople } from "./write_people.ts";

/** What workers keep in memory is bounded: so many custom roles, and so many assignments of a user. */
export const MAX_ROLES = 1_000;
export const MAX_ASSIGNMENTS_PER_USER = 1_000;

export type NewRole = Omit<RoleRow, "id" | "createdAt" | "updatedAt">;
export type NewAssignment = Omit<AssignmentRow, "id" | "grantedAt">;

export class Roles {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /** @throws {SluiceError} CONFLICT if the name is in use, or if there are MAX_ROLES */
  async insert(given: NewRole): Promise<RoleRow> {
    const time = this.now().toISOString();
    const row: RoleRow = { ...given, id: newId(), createdAt: time, updatedAt: time };
    const conflict = `A role named "${given.name}" exists already`;
    await writePeople(this.database, { roles: [row.id] }, conflict, async (tx) => {
      const [{ amount }] = await tx.query<{ amount: number }>(sql`SELECT COUNT(*) AS amount FROM roles`);
      if (Number(amount) >= MAX_ROLES) {
        throw new SluiceError("CONFLICT", {
          reason: `There are ${MAX_ROLES} custom roles; delete one first`,
        });
      }
      for (const statement of ROLES.inserts([row])) await tx.run(statement);
    });
    return row;
  }

  /** @throws {SluiceError} NOT_FOUND, CONFLICT */
  async update(
    id: string,
    changes: Partial<Pick<RoleRow, "name" | "description" | "permissions">>,
  ): Promise<RoleRow> {
    const conflict = `A role named "${changes.name}" exists already`;
    return await writePeople(this.database, { roles: [id] }, conflict, async (tx) => {
      const assignments = ROLES.assignments({ ...changes, updatedAt: this.now().toISOString() });
      const records = await tx.query<Record<string, unknown>>(
        sql`UPDATE roles SET ${assignments} WHERE id = ${id} RETURNING *`,
      );
      if (records.length === 0) throw new SluiceError("NOT_FOUND", { what: `Role ${id}` });
      return ROLES.decode(records[0]);
    });
  }

  /** Deletes a role and its assignments. @returns false if there was no such role */
  async delete(id: string): Promise<boolean> {
    return await this.database.transaction(async (tx) => {
      const { changes } = await tx.run(sql`DELETE FROM roles WHERE id = ${id}`);
      if (changes === 0) return false;
      const holders = await tx.query<{ user_id: string }>(
        sql`DELETE FROM role_assignments WHERE role_id = ${id} RETURNING user_id`,
      );
      await tellPeopleChanged(tx, { roles: [id], users: holders.map(({ user_id }) => user_id) });
      return true;
    });
  }

  /** The custom roles, by name. */
  async list(): Promise<RoleRow[]> {
    const records = await this.database.query<Record<string, unknown>>(sql`SELECT * FROM roles`);
    return records.map((record) => ROLES.decode(record)).sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /**
   * Assigns a role, and deletes the user's assignments that have expired.
   * @throws {SluiceError} CONFLICT if the user has this role there, or MAX_ASSIGNMENTS_PER_USER
   */
  async assign(given: NewAssignment): Promise<AssignmentRow> {
    const now = this.now();
    const row: AssignmentRow = { ...given, id: newId(), grantedAt: now.toISOString() };
    const conflict = "The user has this role there already; revoke it first to change when it ends";
    await writePeople(this.database, { users: [given.userId] }, conflict, async (tx) => {
      await tx.run(
        sql`DELETE FROM role_assignments WHERE user_id = ${given.userId} AND expires_at <= ${now.getTime()}`,
      );
      const [{ amount }] = await tx.query<{ amount: number }>(
        sql`SELECT COUNT(*) AS amount FROM role_assignments WHERE user_id = ${given.userId}`,
      );
      if (Number(amount) >= MAX_ASSIGNMENTS_PER_USER) {
        throw new SluiceError("CONFLICT", {
          reason: `The user has ${MAX_ASSIGNMENTS_PER_USER} roles; revoke one first`,
        });
      }
      for (const statement of ASSIGNMENTS.inserts([row])) await tx.run(statement);
    });
    return row;
  }

  /** @returns false if the user did not have the role there */
  async revoke(
    { userId, roleId, scope, scopeId }: Omit<NewAssignment, "grantedBy" | "expiresAt">,
  ): Promise<boolean> {
    return await this.database.transaction(async (tx) => {
      const { changes } = await tx.run(
        sql`DELETE FROM role_assignments WHERE user_id = ${userId} AND role_id = ${roleId}
            AND scope = ${scope} AND scope_id = ${scopeId}`,
      );
      if (changes > 0) await tellPeopleChanged(tx, { users: [userId] });
      return changes > 0;
    });
  }

  /** The assignments of a user, the oldest first. */
  async assignmentsOf(userId: string): Promise<AssignmentRow[]> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM role_assignments WHERE user_id = ${userId} ORDER BY granted_at, id`,
    );
    return records.map((record) => ASSIGNMENTS.decode(record));
  }
}
