// Settings of the audit trail.
import { bool, int, oneOf, setting } from "../setting.ts";

export const AUDIT_SETTINGS = [
  setting({
    name: "AUDIT_TRAIL_ENABLED",
    kind: bool(),
    default: "false",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc:
      "Record who changed what by the REST API, logins, and refused requests, in a chain of records that " +
      "`sluice audit verify` checks.",
  }),
  setting({
    name: "AUDIT_RETENTION_DAYS",
    kind: int({ min: 1, max: 3_650, hint: "days" }),
    default: "365",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "How long records of the audit trail are kept.",
  }),
  setting({
    name: "AUDIT_MAX_RECORDS",
    kind: int({ min: 1_000, max: 100_000_000 }),
    default: "1000000",
    scope: "replica",
    reloadable: true,
    state: "active",
    doc: "How many records of the audit trail are kept. Above this number, the oldest are deleted.",
  }),
  setting({
    name: "AUDIT_TOOL_CALLS",
    kind: oneOf(["off", "failures", "all"]),
    default: "off",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "Which calls of tools AUDIT_TRAIL_ENABLED records: none, those that fail or are refused, or all. Calls that the " +
      "caller has no permission for are always recorded.",
  }),
  setting({
    name: "AUDIT_MAX_WAITING",
    kind: int({ min: 100, max: 1_000_000 }),
    default: "10000",
    scope: "worker",
    reloadable: false,
    state: "active",
    doc: "Records of calls that may wait for the database, of about 1 KB each.",
  }),
  setting({
    name: "AUDIT_WHEN_FULL",
    kind: oneOf(["drop", "refuse"]),
    default: "drop",
    scope: "replica",
    reloadable: false,
    state: "active",
    doc:
      "What happens above AUDIT_MAX_WAITING: `drop` loses records, and the chain gets a record of the gap; `refuse` answers " +
      "calls and writes that would be recorded with 503 AUDIT_UNAVAILABLE.",
  }),
] as const;
