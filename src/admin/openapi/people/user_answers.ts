// Schemas of answers about logins and users.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { count, flag, text, textOrNull, time, timeOrNull, WARNINGS } from "../answers.ts";

export const user = z.strictObject({
  email: text("The email address of the user, in lower case.", "ann@example.com"),
  full_name: textOrNull("The name of the user.", "Ann"),
  is_admin: flag("Whether the user is an administrator.", false),
  is_active: flag("Whether the user's logins and tokens are accepted."),
  auth_provider: text(
    "Where the user signs in: `local` with a password, or the id of an identity provider.",
    "local",
  ),
  created_at: time("When the user was created."),
  last_login: timeOrNull("The last login; null: never."),
  email_verified: flag("Always false: the gateway verifies no addresses.", false),
  password_change_required: flag("Whether the password must be changed before the next login.", false),
  failed_login_attempts: count("Wrong passwords since the last login.", 0),
  locked_until: timeOrNull("No password is accepted before this time; null: the account is not locked."),
  is_locked: flag("Whether the account is locked now.", false),
  ...WARNINGS,
}).describe("A user.");

export const loggedIn = z.strictObject({
  access_token: text("The token, for the header `Authorization: Bearer`.", "TOKEN"),
  token_type: field(z.literal("bearer"), "Always `bearer`.", "bearer"),
  expires_in: count("For how many seconds the token is valid.", 28_800),
  user,
  ...WARNINGS,
}).describe("A token of a login.");

export const done = z.strictObject({
  success: field(z.literal(true), "Always true.", true),
  message: text("What was done.", "User ann@example.com deleted"),
  ...WARNINGS,
}).describe("The answer of a request that returns no entity.");

export const passwordWasSet = z.strictObject({
  success: field(z.literal(true), "Always true.", true),
  message: text("What was done.", "Password set; log in"),
  email: text("The email address of the user.", "ann@example.com"),
  ...WARNINGS,
}).describe("The user whose password was set.");

export const validLink = z.strictObject({
  valid: field(z.literal(true), "Always true: other links are refused.", true),
  message: text("The same, as a sentence.", "Reset token is valid"),
  expires_at: time("When the link expires."),
}).describe("A one-time link that works.");

export const passwordLink = z.strictObject({
  email: text("The email address of the user.", "ann@example.com"),
  token: text("The one-time token. Only this answer has it.", "TOKEN"),
  link: text(
    "The page where the user sets the password, below the gateway's address.",
    "/admin/reset-password#TOKEN",
  ),
  expires_at: time("When the link expires."),
  ...WARNINGS,
}).describe("A one-time link.");

export const loggedOut = z.strictObject({
  message: text("What was done.", "Logged out successfully"),
  revoked_token: text("The id of the token.", "0f6e4c1a-9b7d-4c55-a2b8-7d0c5f1e2b9a"),
  logout_url: field(
    z.string().nullable(),
    "Where a person who signed in at an identity provider ends that session too; null for others.",
    null,
  ),
}).describe("The token that was revoked.");
