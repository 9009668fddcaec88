// Schemas of requests about API tokens. The names of fields are ContextForge's.
import * as z from "zod";
import { isTokenId, TOKEN_ID_RULE } from "../../../auth/token_id.ts";
import { field } from "../described.ts";
import { email } from "../people_schemas.ts";
import { flag } from "../queries.ts";
import { CONTROL, tags } from "../values.ts";

const name = z.string().trim().min(1).max(255).refine(
  (text) => !CONTROL.test(text),
  "must not contain control characters",
);
const limits = z.record(z.string(), z.unknown()).nullable().optional();

/** Strict: a misspelt limit would make a token that opens more than its author meant. */
const scope = z.strictObject({
  server_id: field(
    z.string().max(255).nullable().optional(),
    "The id of the only virtual server that the token opens.",
    "clock",
  ),
  permissions: field(
    z.array(
      z.string().trim().regex(
        /^(\*|[A-Za-z][\w]*([.:][A-Za-z*][\w]*)+)$/,
        "must be a permission such as tools.read, or *",
      ),
    ).max(200).nullable().optional(),
    "The only permissions of the token. Without any: all of its owner's.",
    ["tools.read", "tools.execute"],
  ),
  ip_restrictions: field(
    z.array(z.string().max(100)).max(100).nullable().optional(),
    "The addresses and networks from which the token may be used.",
    ["192.0.2.0/24", "2001:db8::1"],
  ),
  time_restrictions: field(
    limits,
    "When the token may be used: `start_time` and `end_time`, `days`, `timezone`, `business_hours_only` (9 to 17), `weekdays_only`.",
    { start_time: "08:00", end_time: "18:00", days: ["Monday", "Friday"], timezone: "Europe/Berlin" },
  ),
  usage_limits: field(
    limits,
    "How many requests the token may be used for: `requests_per_hour`, `requests_per_day`, `requests_total`.",
    { requests_per_hour: 100 },
  ),
}).describe("What a token is narrowed to.");

/** Names under which a request without `scope` could mean to narrow a token. */
export const FIELDS_OF_SCOPE = ["scopes", "resource_scopes", ...Object.keys(scope.shape)];

const TOKEN = {
  name: field(name, "The name of the token, which no other token of the owner in the team has.", "ci"),
  description: field(z.string().max(1_000).nullable().optional(), "The description of the token."),
  scope: field(scope.nullable().optional(), "What the token is narrowed to. Without it: nothing."),
  tags: field(tags.nullable().optional(), "Tags, for people."),
  is_active: field(z.boolean().nullable().optional(), "Whether the token is accepted.", true),
};

export const tokenCreate = z.object({
  ...TOKEN,
  expires_in_days: field(
    z.int().min(1).max(36_500).nullable().optional(),
    "The lifetime in days. Without it the token does not expire, which `REQUIRE_TOKEN_EXPIRATION` refuses.",
    30,
  ),
  team_id: field(
    z.string().max(255).nullable().optional(),
    "The only team of the owner that the token counts for. Without it: all of them.",
  ),
  user_email: field(email.nullable().optional(), "The owner. Administrators make tokens for others."),
}).describe("A new API token.");

export const tokenUpdate = z.object(TOKEN).partial().describe("Changes of an API token.");

/** The id of a token is its claim `jti`. */
export const jti = z.string().refine(isTokenId, `must be ${TOKEN_ID_RULE}`);

/** `expires_at` is not in ContextForge. The revocation of a token without a row is deleted after the token expires. */
export const tokenRevoke = z.object({
  reason: field(z.string().max(255).nullable().optional(), "Why the token is revoked.", "lost laptop"),
  expires_at: field(
    z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)).nullable().optional(),
    "When a token that is no API token expires. Without it, its revocation is kept for ever.",
    "2026-12-31T00:00:00Z",
  ),
}).describe("A revocation.");

const LIST = {
  include_inactive: flag(
    false,
    "Whether the list has tokens that are switched off, revoked or expired too.",
  ),
  limit: field(z.coerce.number().int().min(1).max(1_000).default(50), "The number of tokens."),
  offset: field(z.coerce.number().int().min(0).default(0), "The number of tokens to leave out at the start."),
};

export const tokensQuery = z.object(LIST);

export const allTokensQuery = z.object({
  ...LIST,
  user_email: field(email.optional(), "Only tokens of this owner."),
});

export const tokenUsageQuery = z.object({
  days: field(z.coerce.number().int().min(1).max(90).default(30), "The number of days, today included."),
});
