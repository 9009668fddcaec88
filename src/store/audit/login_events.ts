// Which audit records are events of logins, and whose.
import type { AuditRecord } from "./audit_record.ts";

/** The events, by the operations that they come of, under ContextForge's names where it has them. */
export const LOGIN_EVENTS: Readonly<Record<string, string>> = {
  login: "login",
  loginByEmail: "login",
  finishSsoLogin: "sso_login",
  logout: "logout",
  refreshSession: "session_refresh",
  setUp: "registration",
  createUser: "registration",
  registerUser: "registration",
  changePassword: "password_change",
  changeOldPassword: "password_change",
  forgotPassword: "PASSWORD_RESET_REQUESTED",
  resetPassword: "PASSWORD_RESET_COMPLETED",
  resetPasswordByPath: "PASSWORD_RESET_COMPLETED",
  unlockUser: "ACCOUNT_UNLOCKED",
};

/** The address of the user whom the event concerns; null: nobody is known. */
export function eventUserOf({ entity, actor }: Pick<AuditRecord, "entity" | "actor">): string | null {
  return entity?.kind === "user" ? entity.id : actor?.email ?? null;
}
