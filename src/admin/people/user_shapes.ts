// The format of users in answers, as in ContextForge.
import type { UserRow } from "../../store/people/person_rows.ts";

export function userRead(row: UserRow, now: Date) {
  return {
    email: row.email,
    full_name: row.fullName,
    is_admin: row.isAdmin,
    is_active: row.isActive,
    auth_provider: "local",
    created_at: row.createdAt,
    last_login: row.lastLogin,
    email_verified: false,
    password_change_required: row.passwordChangeRequired,
    failed_login_attempts: row.failedAttempts,
    locked_until: row.lockedUntil === null ? null : new Date(row.lockedUntil).toISOString(),
    is_locked: row.lockedUntil !== null && row.lockedUntil > now.getTime(),
  };
}
