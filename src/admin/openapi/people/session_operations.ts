// The operations of one's own session, of the events of logins, and of the administration of single sign-on.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { allEventsQuery, approvalAction, eventsQuery } from "../../rest/people/session_schemas.ts";
import { count, flag, text, textOrNull, time, timeOrNull } from "../answers.ts";
import { operations } from "../operation.ts";
import { user } from "./user_answers.ts";

const validated = z.strictObject({
  valid: field(z.literal(true), "Always true: other tokens are refused.", true),
  expires_at: timeOrNull("When the token expires; null: never."),
  expires_in: field(z.int().nullable(), "The same in seconds from now.", 28_800),
  user: field(user.nullable(), "The user record of the caller; null: there is none."),
  session_source: text("`local`, `sso` or `api_token`.", "local"),
  config: field(
    z.strictObject({
      token_expiry: count("For how many seconds the token of a login is valid.", 28_800),
      max_lifetime: count("For how many seconds after a login its tokens can be continued.", 86_400),
    }),
    "How long logins last.",
  ),
}).describe("The token of the request.");

const refreshed = z.strictObject({
  access_token: text("The new token.", "TOKEN"),
  token_type: field(z.literal("bearer"), "Always `bearer`.", "bearer"),
  expires_in: count("For how many seconds the new token is valid.", 28_800),
  expires_at: time("When the new token expires."),
}).describe("Another token of the same login.");

export const authEvent = z.strictObject({
  id: count("The number of the record in the audit trail.", 17),
  timestamp: time("When it happened."),
  user_email: textOrNull("The email address of the user.", "ann@example.com"),
  event_type: text("What happened.", "login"),
  success: flag("Whether it succeeded."),
  ip_address: textOrNull("The address of the client; for IPv6 its network.", "192.0.2.1"),
  failure_reason: textOrNull("The code of the error; null: it succeeded.", null),
}).describe("A login, a logout or a change of a password.");

const providerFields = {
  id: text("The id of the provider.", "main"),
  name: text("The same.", "main"),
  display_name: text("The name of the provider for people.", "Example"),
  provider_type: text("Always `oidc`.", "oidc"),
  is_enabled: flag("Always true."),
  trusted_domains: field(z.array(z.string()), "Email domains that may sign in; none: all.", ["example.com"]),
  auto_create_users: flag("Whether a first sign-in makes a user."),
};

const summary = z.strictObject(providerFields).describe("An identity provider of the settings.");
const provider = z.strictObject({
  ...providerFields,
  client_id: text("The gateway's client id there.", "sluice"),
  issuer: text("The issuer of its tokens.", "https://idp.example.com"),
  scope: text("The scopes that the gateway asks for.", "openid profile email"),
  authorization_url: textOrNull("As the settings say; null: as its metadata say.", null),
  token_url: textOrNull("As the settings say; null: as its metadata say.", null),
  userinfo_url: textOrNull("As the settings say; null: as its metadata say.", null),
  jwks_uri: textOrNull("As the settings say; null: as its metadata say.", null),
  team_mapping: field(z.record(z.string(), z.unknown()), "The team of each group."),
  provider_metadata: field(
    z.record(z.string(), z.unknown()),
    "The role of each group, and the groups of administrators.",
  ),
}).describe("An identity provider of the settings, without its secret.");

const waiting = z.strictObject({
  id: text("The id of the user.", "0123456789abcdef0123456789abcdef"),
  email: text("The email address of the user.", "ann@example.com"),
  full_name: text("The name of the user.", "Ann"),
  auth_provider: text("The provider where the user signed in.", "main"),
  requested_at: time("When the user signed in for the first time."),
  expires_at: timeOrNull("Always null: a user waits until somebody decides."),
  status: text("Always `pending`.", "pending"),
}).describe("A user who waits for an administrator.");

const PROVIDER = { provider: "The id of the provider." };
const written = {
  description: "Refused: identity providers are in the settings (`SSO_PROVIDERS`).",
  answers: { 200: summary },
  errors: ["CONFLICT"] as const,
};

export const sessionOperations = {
  ...operations("Logins", {
    validateSession: {
      summary: "Read what the token of the request is",
      answers: { 200: validated },
    },
    refreshSession: {
      summary: "Replace the token of a login by a new one",
      description:
        "The former token ends. The new one lasts as a login does, until `SESSION_MAX_LIFETIME` after the login at most.",
      answers: { 200: refreshed },
      errors: ["UNAUTHENTICATED", "FORBIDDEN", "PASSWORD_CHANGE_REQUIRED", "RATE_LIMITED"],
    },
    listMyEvents: {
      summary: "List one's own logins and changes of passwords",
      description:
        "The newest first, as the audit trail has them. At most 20,000 of its records are looked at.",
      query: eventsQuery,
      answers: { 200: authEvent.array() },
      errors: ["CONFLICT"],
    },
  }),
  ...operations("Users", {
    listAllEvents: {
      summary: "List logins and changes of passwords",
      description:
        "The newest first, as the audit trail has them. At most 20,000 of its records are looked at.",
      query: allEventsQuery,
      answers: { 200: authEvent.array() },
      errors: ["CONFLICT"],
    },
    listSsoProvidersOfSettings: {
      summary: "List the identity providers of the settings",
      answers: { 200: summary.array() },
    },
    getSsoProvider: { summary: "Read an identity provider", path: PROVIDER, answers: { 200: provider } },
    createSsoProvider: { summary: "Add an identity provider", ...written },
    updateSsoProvider: { summary: "Change an identity provider", path: PROVIDER, ...written },
    deleteSsoProvider: { summary: "Delete an identity provider", path: PROVIDER, ...written },
    listPendingApprovals: {
      summary: "List users of first sign-ins who wait for an administrator",
      description: "With `SSO_REQUIRE_ADMIN_APPROVAL`. At most 1,000, the oldest first.",
      answers: { 200: waiting.array() },
    },
    decideApproval: {
      summary: "Activate or delete a user who waits",
      path: { approval: "The id of the user." },
      body: { schema: approvalAction, example: { action: "approve" } },
      answers: {
        200: z.strictObject({
          message: text("What was done.", "User ann@example.com approved successfully"),
        }),
      },
    },
  }),
};

export const NAMED_SESSION_ANSWERS = { AuthEvent: authEvent, SsoProvider: summary, WaitingUser: waiting };
