// Schemas of answers about tokens.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { count, flag, json, text, textOrNull, time, timeOrNull, WARNINGS } from "../answers.ts";

const texts = (description: string, example: string[]) => field(z.array(z.string()), description, example);

const TOKEN = {
  id: text("The id of the token, its claim `jti`.", "5b0f7f6e-0d0e-4a51-9d38-3f0f2f6d2c11"),
  name: text("The name of the token.", "ci"),
  description: textOrNull("The description of the token.", null),
  user_email: text("The owner.", "ann@example.com"),
  team_id: textOrNull(
    "The only team that the token counts for; null: all teams of the owner; an empty text: none.",
    null,
  ),
  server_id: textOrNull("The only virtual server that the token opens; null: all.", "clock"),
  resource_scopes: texts("The only permissions of the token; none: all of its owner's.", ["tools.read"]),
  ip_restrictions: texts("The addresses and networks of its clients; none: all.", ["192.0.2.0/24"]),
  time_restrictions: field(json, "When the token may be used.", {}),
  usage_limits: field(json, "How many requests the token may be used for.", { requests_per_hour: 100 }),
  created_at: time("When the token was made."),
  expires_at: timeOrNull("When the token expires; null: never."),
  last_used: timeOrNull("The last use, at most a second old; null: never."),
  is_active: flag("Whether the token is switched on."),
  is_revoked: flag("Whether the token is refused for good.", false),
  revoked_at: timeOrNull("When the token was revoked."),
  revoked_by: textOrNull("Who revoked the token.", null),
  revocation_reason: textOrNull("Why the token was revoked.", null),
  tags: texts("The tags of the token.", ["ci"]),
};

const token = z.strictObject(TOKEN).describe("An API token, without the token itself.");

export const shownToken = z.strictObject({ ...TOKEN, ...WARNINGS }).describe("An API token.");

export const createdToken = z.strictObject({
  token,
  access_token: text("The token, for the header `Authorization: Bearer`. No other answer has it.", "TOKEN"),
  ...WARNINGS,
}).describe("A new API token.");

export const tokenList = z.strictObject({
  tokens: field(z.array(token), "The tokens of this part, the latest first."),
  total: count("The number of tokens in all parts."),
  limit: count("The limit of the request.", 50),
  offset: count("The offset of the request.", 0),
}).describe("A part of a list of API tokens.");

export const tokenUsage = z.strictObject({
  period_days: count("The number of days, today included.", 30),
  total_requests: count("Requests with the token, refused ones included."),
  successful_requests: count("Requests with an HTTP status below 400."),
  blocked_requests: count("Requests that the limits of the token refused.", 0),
  success_rate: field(z.number(), "The part of successful requests, 0 to 1.", 1),
  average_response_time_ms: field(z.number(), "Of the requests that were not refused.", 12.5),
  top_endpoints: field(
    z.array(z.tuple([z.string(), z.int()])),
    "The endpoints with the most requests. `messages`: further messages of batches and WebSockets.",
    [["mcp", 3]],
  ),
  last_used: timeOrNull("The last use, at most a second old; null: never."),
  addresses: field(
    z.array(z.strictObject({
      address: text("The IP address of the client.", "192.0.2.7"),
      last_used: time("When the address was last seen, about."),
    })),
    "The ten latest addresses of clients, refused ones included.",
  ),
}).describe("What an API token was used for.");

export const revokedToken = z.strictObject({
  jti: text("The id of the token, its claim `jti`.", "5b0f7f6e-0d0e-4a51-9d38-3f0f2f6d2c11"),
  revokedAt: time("When the token was revoked."),
  revokedBy: textOrNull("Who revoked the token.", "admin@example.com"),
  revocationReason: textOrNull("Why the token was revoked.", "lost laptop"),
  expiresAt: timeOrNull("When the token expires, and the revocation is deleted."),
}).describe("A revoked token.");
