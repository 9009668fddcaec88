// The operation of the audit trail.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { auditQuery } from "../../rest/queries.ts";
import { count, EXAMPLE_ID, text, textOrNull, time } from "../answers.ts";
import { operations } from "../operation.ts";

const entity = z.strictObject({
  kind: text("The kind of entity.", "gateway"),
  id: text("The id of the entity, or the email address of a user.", EXAMPLE_ID),
  name: text("The name by which a client has called a tool; absent for other entities.", "time-now")
    .optional(),
});

const actor = z.strictObject({
  subject: text("The subject of the token.", "ann@example.com"),
  email: text("The email address of the token.", "ann@example.com"),
  tokenId: textOrNull("The id of the token.", "0f6e4c1a-9b7d-4c55-a2b8-7d0c5f1e2b9a"),
});

const change = z.strictObject({
  before: field(z.unknown(), "The value before; null: there was none.", false),
  after: field(z.unknown(), "The value after; null: there is none.", true),
});

const auditRecord = z.strictObject({
  sequence: count("The number of the record in the chain."),
  hash: text("SHA-256 of the number, the hash of the record before, and the record.", "9f2c…"),
  at: time("When the request was answered."),
  outcome: field(
    z.enum(["done", "refused", "failed"]),
    "`refused`: the caller may not do it. `failed`: anything else went wrong.",
    "done",
  ),
  status: field(z.int(), "The HTTP status of the answer.", 200),
  code: textOrNull("The code of the error; null: no error.", null),
  operation: textOrNull(
    "The operation, or `tools/call`; null: the request was refused before it was known.",
    "updateGateway",
  ),
  method: text("The HTTP method; empty for a command.", "PUT"),
  endpoint: text(
    "The name of the endpoint, as in the metrics; `command line` and `configuration file` for what needs no token.",
    "admin",
  ),
  permission: textOrNull("The permission that the operation needs.", "gateways.update"),
  entity: field(entity.nullable(), "What the request is about; null: not one entity.", {
    kind: "gateway",
    id: EXAMPLE_ID,
  }),
  actor: field(actor.nullable(), "Who sent the request; null: nobody with a valid token."),
  address: text("The address of the client; for IPv6 its network. Empty for a command.", "192.0.2.7"),
  correlationId: text("The id that the log lines of the request have.", "0f6e4c1a9b7d4c55a2b8"),
  count: count("How many refusals or failures the record stands for.", 1),
  fields: field(z.array(z.string()), "The names of the fields of the request's body.", ["enabled"]),
  changes: field(z.record(z.string(), change), "The fields that changed. Secrets are masked.", {
    enabled: { before: false, after: true },
  }),
}).describe("One record of the audit trail.");

export const auditOperations = operations("Operation", {
  listAuditRecords: {
    summary: "Read the audit trail",
    description: "The newest record first. `sluice help audit` says what is recorded.",
    query: auditQuery,
    answers: {
      200: z.strictObject({
        records: field(z.array(auditRecord), "The records of this part of the trail."),
        nextCursor: textOrNull("The value of `cursor` for the next part; null after the last part.", null),
      }).describe("A part of the audit trail."),
    },
  },
});
