// Users, teams and roles in memory for tests; a test names only what matters to it.
import { People, type PeopleOptions } from "../../src/auth/people.ts";
import type { PeopleRows, StandingRow } from "../../src/store/people/person_rows.ts";

export interface TestRows extends Omit<PeopleRows, "members"> {
  readonly members: readonly ReturnType<typeof memberOf>[];
}

export function peopleOf(
  { members = [], ...rows }: Partial<TestRows>,
  options: Partial<PeopleOptions> = {},
): People {
  const byUser = Map.groupBy(members, ({ userId }) => userId);
  const memberships = [...byUser].map(([userId, own]) => ({
    userId,
    memberships: JSON.stringify(Object.fromEntries(own.map(({ teamId, role }) => [teamId, role]))),
  }));
  return new People(
    {
      version: 1,
      changed: null,
      users: [],
      teams: [],
      roles: [],
      assignments: [],
      ...rows,
      members: memberships,
    },
    { platformAdminEmail: "root@x", requireUser: false, now: () => 0, ...options },
  );
}

export function userOf(email: string, given: Partial<StandingRow> = {}): StandingRow {
  return { id: `id-${email}`, email, isAdmin: false, isActive: true, tokensValidFrom: null, ...given };
}

export function memberOf(teamId: string, email: string, role: "owner" | "member" = "member") {
  return { teamId, userId: `id-${email}`, role };
}

export function grantOf(
  email: string,
  roleId: string,
  scope: "global" | "team" | "server" = "global",
  scopeId = "",
  expiresAt: number | null = null,
) {
  return { userId: `id-${email}`, roleId, scope, scopeId, expiresAt };
}
