// Users who ask to become members of a public team, until an owner decides or the request expires.
import { SluiceError } from "../../base/errors.ts";
import { NOW_MS } from "../sql/database_clock.ts";
import { newId } from "../sql/new_id.ts";
import { type Database, sql } from "../sql/sql.ts";
import type { JoinRequestRow, MemberRow, TeamRow } from "./person_rows.ts";
import { JOIN_REQUESTS } from "./person_tables.ts";
import { insertMember, type MemberLimits } from "./teams.ts";
import { writePeople } from "./write_people.ts";

/** A request, with the address of the user. */
export interface ShownJoinRequest extends JoinRequestRow {
  readonly email: string;
}

export class JoinRequests {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /**
   * Keeps a request, in the place of a former one of the user for the team, and drops what has expired.
   * @param limits open requests of the team, and of the user
   * @throws {SluiceError} CONFLICT if the user is a member already, or a limit is reached
   */
  async add(
    { teamId, userId, message }: Pick<JoinRequestRow, "teamId" | "userId" | "message">,
    ttlMs: number,
    limits: MemberLimits,
  ): Promise<JoinRequestRow> {
    return await this.database.transaction(async (tx) => {
      const now = NOW_MS[tx.dialect];
      const members = await tx.query(
        sql`SELECT 1 AS is_member FROM team_members WHERE team_id = ${teamId} AND user_id = ${userId}`,
      );
      if (members.length > 0) {
        throw new SluiceError("CONFLICT", { reason: "You are a member of the team already" });
      }
      await tx.run(sql`DELETE FROM team_join_requests WHERE expires_at <= ${now}`);
      const [open] = await tx.query<{ of_team: number | null; of_user: number | null }>(
        sql`SELECT SUM(CASE WHEN team_id = ${teamId} THEN 1 ELSE 0 END) AS of_team,
              SUM(CASE WHEN user_id = ${userId} THEN 1 ELSE 0 END) AS of_user
            FROM team_join_requests
            WHERE (team_id = ${teamId} OR user_id = ${userId}) AND NOT (team_id = ${teamId} AND user_id = ${userId})`,
      );
      if (Number(open.of_team ?? 0) >= limits.members) {
        throw new SluiceError("CONFLICT", {
          reason: `${limits.members} requests wait for the team's owners; try again when they have decided`,
        });
      }
      if (Number(open.of_user ?? 0) >= limits.teams) {
        throw new SluiceError("CONFLICT", {
          reason: `${limits.teams} of your requests wait, the limit of MAX_TEAMS_PER_USER`,
        });
      }
      // By the database's clock, which also decides whether the request has expired.
      const [record] = await tx.query<Record<string, unknown>>(
        sql`INSERT INTO team_join_requests (id, team_id, user_id, message, requested_at, expires_at)
            VALUES (${newId()}, ${teamId}, ${userId}, ${message}, ${this.now().toISOString()}, ${now} + ${ttlMs})
            ON CONFLICT (team_id, user_id) DO UPDATE SET id = excluded.id, message = excluded.message,
              requested_at = excluded.requested_at, expires_at = excluded.expires_at
            RETURNING *`,
      );
      return JOIN_REQUESTS.decode(record);
    });
  }

  /** The requests of a team that wait, the oldest first. */
  async list(teamId: string): Promise<ShownJoinRequest[]> {
    const records = await this.database.query<Record<string, unknown> & { email: string }>(
      sql`SELECT team_join_requests.*, users.email FROM team_join_requests
          JOIN users ON users.id = team_join_requests.user_id
          WHERE team_id = ${teamId} AND expires_at > ${NOW_MS[this.database.dialect]}
          ORDER BY requested_at, team_join_requests.id`,
    );
    return records.map(({ email, ...record }) => ({ ...JOIN_REQUESTS.decode(record), email }));
  }

  /** Makes the user a member. @throws {SluiceError} NOT_FOUND if no such request of the team waits, CONFLICT */
  async approve({ id }: TeamRow, requestId: string, limits: MemberLimits): Promise<MemberRow> {
    const waiting = (await this.list(id)).find((each) => each.id === requestId);
    if (waiting === undefined) throw unknown();
    const changed = { users: [waiting.userId] };
    return await writePeople(
      this.database,
      changed,
      "The user is a member of the team already",
      async (tx) => {
        if (!await remove(tx, id, requestId)) throw unknown();
        return await insertMember(tx, {
          ...{ teamId: id, userId: waiting.userId, role: "member", source: null },
          joinedAt: this.now().toISOString(),
        }, limits);
      },
    );
  }

  /** @throws {SluiceError} NOT_FOUND */
  async reject(teamId: string, requestId: string): Promise<void> {
    if (!await remove(this.database, teamId, requestId)) throw unknown();
  }
}

async function remove(database: Database, teamId: string, id: string): Promise<boolean> {
  const { changes } = await database.run(
    sql`DELETE FROM team_join_requests WHERE id = ${id} AND team_id = ${teamId}`,
  );
  return changes > 0;
}

function unknown(): SluiceError {
  return new SluiceError("NOT_FOUND", { what: "Join request" });
}
