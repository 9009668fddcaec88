// /auth/email/events and /auth/email/admin/events: logins and changes of passwords, as the audit trail has them.
import { SluiceError } from "../../base/errors.ts";
import type { AuditRecord } from "../../store/audit/audit_record.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { allEventsQuery, eventsQuery } from "../rest/people/session_schemas.ts";

/** The events, by the operations that they come of, under ContextForge's names where it has them. */
const TYPES: Readonly<Record<string, string>> = {
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

/** Records that one answer looks at: events are some among many. */
const MAX_SEARCHED = 20_000;
const PART = 1_000;

export async function listMyEvents({ deps, principal, query }: Call): Promise<AdminResponse> {
  const asked = validated(eventsQuery, Object.fromEntries(query), ["query"]);
  return ok(await eventsOf(deps, { ...asked, email: principal.email }));
}

export async function listAllEvents({ deps, query }: Call): Promise<AdminResponse> {
  const { user_email: email, ...asked } = validated(allEventsQuery, Object.fromEntries(query), ["query"]);
  return ok(await eventsOf(deps, { ...asked, email }));
}

/** The newest first. */
async function eventsOf(
  { auditTrail, auditRecords }: Pick<AdminDeps, "auditTrail" | "auditRecords">,
  { limit, offset, email }: { readonly limit: number; readonly offset: number; readonly email?: string },
) {
  if (auditTrail === null) {
    throw new SluiceError("CONFLICT", {
      reason: "the audit trail has these events, and it is off; set AUDIT_TRAIL_ENABLED=true",
    });
  }
  const events = [];
  let before: number | undefined;
  for (let searched = 0; searched < MAX_SEARCHED && events.length < offset + limit; searched += PART) {
    const records = await auditRecords.list({
      limit: PART,
      before,
      ...(email === undefined ? {} : { about: email }),
    });
    for (const { sequence, text } of records) {
      const record: AuditRecord = JSON.parse(text);
      const type = TYPES[record.operation ?? ""];
      if (type !== undefined) events.push(eventOf(sequence, record, type));
    }
    if (records.length < PART) break;
    before = records.at(-1)!.sequence;
  }
  return events.slice(offset, offset + limit);
}

function eventOf(id: number, { at, outcome, code, actor, entity, address }: AuditRecord, type: string) {
  return {
    id,
    timestamp: at,
    user_email: entity?.kind === "user" ? entity.id : actor?.email ?? null,
    event_type: type,
    success: outcome === "done",
    ip_address: address === "" ? null : address,
    failure_reason: code,
  };
}
