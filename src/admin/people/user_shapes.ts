// The format of users in answers, as in ContextForge.
import type { UserRow } from "../../store/people/person_rows.ts";
import type { Registry } from "../../store/registry/registry.ts";

/** Reads where the user signs in. */
export async function shownUser(
  { store, now }: { readonly store: Pick<Registry, "people">; readonly now: () => Date },
  row: UserRow,
) {
  return userRead(row, now(), await store.people.sso.providersOf([row.id]));
}

/** @param providers where users sign in, by their ids (`SsoSessions.providersOf()`) */
export function userRead(row: UserRow, now: Date, providers: ReadonlyMap<string, string> = new Map()) {
  return {
    email: row.email,
    full_name: row.fullName,
    is_admin: row.isAdmin,
    is_active: row.isActive,
    auth_provider: row.passwordHash === null ? providers.get(row.id) ?? "local" : "local",
    created_at: row.createdAt,
    last_login: row.lastLogin,
    email_verified: false,
    password_change_required: row.passwordChangeRequired,
    failed_login_attempts: row.failedAttempts,
    locked_until: row.lockedUntil === null ? null : new Date(row.lockedUntil).toISOString(),
    is_locked: row.lockedUntil !== null && row.lockedUntil > now.getTime(),
  };
}
