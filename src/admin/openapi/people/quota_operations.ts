// The operations of quotas.
import * as z from "zod";
import { QUOTA_KINDS } from "../../../store/quotas/quota_rows.ts";
import { field } from "../../rest/described.ts";
import { quotaCreate, quotaUpdate } from "../../rest/people_schemas.ts";
import { count, EXAMPLE_ID, text, time } from "../answers.ts";
import { operations } from "../operation.ts";

const limit = (description: string, example: number) =>
  field(z.int().nullable(), `${description}; null: no limit.`, example);

export const quota = z.strictObject({
  id: text("The id of the quota.", EXAMPLE_ID),
  kind: field(z.enum(QUOTA_KINDS), "What the quota is for.", "user"),
  target: text("The user, team, token or tool; `*`: each without a quota of its own.", "ann@example.com"),
  calls: limit("The calls in a window", 1_000),
  seconds: limit("The seconds of upstream time in a window", 600),
  bytes: limit("The bytes in a window", 50_000_000),
  window: count("The length of a window in seconds.", 3_600),
  created_by: text("The email address of who has set the quota.", "admin@example.com"),
  created_at: time("When the quota was set."),
  updated_at: time("When the quota was changed last."),
}).describe("A quota.");

const ID = { id: "The id of the quota." };

export const quotaOperations = operations("Quotas", {
  listQuotas: {
    summary: "List quotas",
    description: "By kind and target. Defaults of the settings `QUOTA_*` are not in the list.",
    answers: { 200: quota.array() },
  },
  createQuota: {
    summary: "Set a quota",
    description: "All workers of this replica know the quota when the answer comes.",
    body: {
      schema: quotaCreate,
      example: { kind: "user", target: "ann@example.com", calls: 1_000, window: 3_600 },
    },
    answers: { 201: quota },
    errors: ["CONFLICT"],
  },
  getQuota: { summary: "Read a quota", path: ID, answers: { 200: quota } },
  updateQuota: {
    summary: "Change a quota",
    description: "Only the fields of the body change. What was used in the present window stays used.",
    path: ID,
    body: { schema: quotaUpdate, example: { calls: 2_000 } },
    answers: { 200: quota },
  },
  deleteQuota: { summary: "Delete a quota", path: ID, answers: { 204: null } },
});
