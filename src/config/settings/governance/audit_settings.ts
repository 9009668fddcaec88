// Settings of the audit trail.
import { bool, int, oneOf, setting, text } from "../setting.ts";

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
  setting({
    name: "AUDIT_EXPORT_FILE",
    kind: text("a file name, or - for standard output", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "A file to which the records of AUDIT_TRAIL_ENABLED are appended as JSON lines; `-`: standard output.",
  }),
  setting({
    name: "AUDIT_SYSLOG_URL",
    kind: text(
      "udp://host:port, tcp://host:port or tls://host:port",
      /^(udp|tcp|tls):\/\/(\[[0-9a-f:.]+\]|[^:/?#@[\]\s]+)(:\d{1,5})?\/?$/i,
    ),
    default: null,
    scope: "replica",
    reloadable: false,
    state: "active",
    doc: "A syslog server for these records, as RFC 5424. Without a port: 514, and 6514 for TLS.",
  }),
  setting({
    name: "AUDIT_SYSLOG_CA_CERTS",
    kind: text("a file name", /./),
    default: null,
    scope: "process",
    reloadable: false,
    state: "active",
    doc:
      "PEM file of the certificate authorities to trust for AUDIT_SYSLOG_URL with tls://, besides the system's.",
  }),
  setting({
    name: "AUDIT_WEBHOOK_URL",
    kind: text("an http or https URL", /^https?:\/\/[^\s]+$/i),
    default: null,
    scope: "replica",
    reloadable: false,
    secret: "url",
    state: "active",
    doc:
      "An HTTP server to which these records are posted, signed as Standard Webhooks says. The `SSRF_*` settings apply.",
  }),
  setting({
    name: "AUDIT_WEBHOOK_SECRET",
    kind: text("24 to 512 printable characters", /^[\x21-\x7e]{24,512}$/),
    default: null,
    scope: "replica",
    reloadable: false,
    secret: "value",
    state: "active",
    doc: "The key of the signatures for AUDIT_WEBHOOK_URL: `whsec_` with base64, or any other text.",
  }),
] as const;
