// /auth/email/events and /auth/email/admin/events: logins and changes of passwords, as the audit trail has them.
import { SluiceError } from "../../base/errors.ts";
import type { AuditRecord, ChainedRecord } from "../../store/audit/audit_record.ts";
import { eventUserOf, LOGIN_EVENTS } from "../../store/audit/login_events.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { allEventsQuery, eventsQuery } from "../rest/people/session_schemas.ts";

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
  asked: { readonly limit: number; readonly offset: number; readonly email?: string },
) {
  if (auditTrail === null) {
    throw new SluiceError("CONFLICT", {
      reason: "the audit trail has these events, and it is off; set AUDIT_TRAIL_ENABLED=true",
    });
  }
  return (await auditRecords.events(asked)).map(eventIn);
}

function eventIn({ sequence, text }: ChainedRecord) {
  const record: AuditRecord = JSON.parse(text);
  const { at, outcome, code, operation, address } = record;
  return {
    id: sequence,
    timestamp: at,
    user_email: eventUserOf(record),
    event_type: LOGIN_EVENTS[operation ?? ""],
    success: outcome === "done",
    ip_address: address === "" ? null : address,
    failure_reason: code,
  };
}
