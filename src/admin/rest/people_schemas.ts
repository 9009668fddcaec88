// Schemas of requests about users, teams, roles and quotas. The names of fields are ContextForge's.
import * as z from "zod";
import { isEmailAddress, MAX_EMAIL_CHARS } from "../../auth/logins/email_address.ts";
import { MAX_PASSWORD_CHARS } from "../../auth/logins/password_rules.ts";
import { MAX_QUOTA, MAX_QUOTA_WINDOW_S } from "../../config/settings/governance/quota_settings.ts";
import { QUOTA_KINDS } from "../../store/quotas/quota_rows.ts";
import { field } from "./described.ts";
import { flag } from "./queries.ts";
import { CONTROL } from "./values.ts";

export const email = z.string().trim().toLowerCase().max(MAX_EMAIL_CHARS).refine(
  isEmailAddress,
  "must be an email address, without invisible characters and other forms of usual ones",
);
const password = z.string().min(1).max(MAX_PASSWORD_CHARS);
const fullName = z.string().trim().max(255).refine(
  (text) => !CONTROL.test(text),
  "must not contain control characters",
)
  .nullable().optional();

const EMAIL = field(email, "The email address of the user.", "ann@example.com");
const NEW_PASSWORD = field(
  password,
  "A new password, of at least `PASSWORD_MIN_LENGTH_USER` characters.",
  "correct horse battery",
);
const FULL_NAME = field(fullName, "The name of the user.", "Ann");

export const loginBody = z.object({
  email: field(email.optional(), "The email address of the user.", "ann@example.com"),
  username: field(email.optional(), "Another name of the field `email`."),
  password: field(password, "The password.", "correct horse battery"),
}).describe("Email and password.");

export const passwordChange = z.object({
  old_password: field(password, "The present password.", "correct horse battery"),
  new_password: NEW_PASSWORD,
}).describe("A change of the caller's own password.");

export const oldPasswordChange = z.object({ email: EMAIL, ...passwordChange.shape }).describe(
  "A change of a password by a user without a token.",
);

export const setup = z.object({
  token: field(z.string().min(1).max(255), "The one-time token that the start has printed.", "TOKEN"),
  email: EMAIL,
  password: NEW_PASSWORD,
  full_name: FULL_NAME,
}).describe("The first administrator.");

const RESET = {
  new_password: NEW_PASSWORD,
  confirm_password: field(
    password.optional(),
    "The new password once more, as ContextForge's clients send it.",
  ),
};

export const passwordReset = z.object({
  token: field(z.string().min(1).max(255), "The one-time token of the link.", "TOKEN"),
  ...RESET,
}).describe("A new password, with a one-time token.");

export const passwordResetByPath = z.object(RESET).describe(
  "A new password, with the one-time token of the path.",
);

export const userCreate = z.object({
  email: EMAIL,
  password: NEW_PASSWORD,
  full_name: FULL_NAME,
  is_admin: field(z.boolean().default(false), "Whether the user is an administrator."),
  is_active: field(z.boolean().default(true), "Whether the user's logins and tokens are accepted."),
  password_change_required: field(
    z.boolean().default(false),
    "Whether the user must change the password before the first login.",
  ),
}).describe("A new user.");

export const userUpdate = z.object({
  full_name: FULL_NAME,
  is_admin: field(z.boolean().nullable().optional(), "Whether the user is an administrator."),
  is_active: field(z.boolean().nullable().optional(), "Whether the user's logins and tokens are accepted."),
  password_change_required: field(
    z.boolean().nullable().optional(),
    "Whether the user must change the password before the next login.",
  ),
  password: field(password.nullable().optional(), "A new password. Tokens of earlier logins end."),
}).describe("Changes of a user.");

export const usersQuery = z.object({
  limit: field(z.coerce.number().int().min(1).max(1_000).default(50), "The number of users in one part."),
  cursor: field(z.string().max(255).optional(), "Where the part begins: `nextCursor` of the part before."),
  include_pagination: field(
    z.enum(["true", "false"]).default("false"),
    "Whether the answer is an object with the cursor of the next part.",
  ),
});

const teamName = z.string().trim().min(1).max(255).refine(
  (text) => !CONTROL.test(text),
  "must not contain control characters",
);
const teamRole = z.enum(["owner", "member"]);

const TEAM = {
  name: field(teamName, "The name of the team, which no other team has.", "Travel"),
  description: field(z.string().max(1_000).nullable().optional(), "The description of the team."),
  visibility: field(
    z.enum(["private", "public"]).optional(),
    "Whether everybody with a user record can find the team, and join it.",
    "private",
  ),
  max_members: field(
    z.int().min(1).max(100_000).nullable().optional(),
    "The limit of members; null for that of `MAX_MEMBERS_PER_TEAM`.",
  ),
};

export const teamCreate = z.object(TEAM).describe("A new team.");
export const teamUpdate = z.object(TEAM).partial().describe("Changes of a team.");

export const memberAdd = z.object({
  email: EMAIL,
  role: field(teamRole.default("member"), "Owners manage the team.", "member"),
}).describe("A user to add or invite.");

export const memberUpdate = z.object({ role: field(teamRole, "Owners manage the team.", "owner") })
  .describe("Another role of a member.");

export const publicTeamsQuery = z.object({
  limit: field(z.coerce.number().int().min(1).max(10_000).default(1_000), "The number of teams."),
  skip: field(z.coerce.number().int().min(0).default(0), "The number of teams to leave out at the start."),
  q: field(
    z.string().max(200).optional(),
    "Only teams that have each of these words in their name, in upper or lower case.",
  ),
});

export const teamsQuery = publicTeamsQuery.extend({
  include_personal: flag(true, "Whether the list has the personal team of the caller too."),
});

const scope = z.enum(["global", "team", "server"]);
const permission = z.string().regex(
  /^(\*|[a-z0-9_]+([.:][a-z0-9_]+)+)$/,
  "must be a permission such as tools.read, or *",
);

const ROLE = {
  name: field(teamName, "The name of the role, which no other role has.", "auditor"),
  description: field(z.string().max(1_000).nullable().optional(), "The description of the role."),
  permissions: field(
    z.array(permission).max(200),
    "The permissions that the role grants; `*` for all of them.",
    ["tools.read"],
  ),
};

export const roleCreate = z.object({
  ...ROLE,
  scope: field(scope, "The scope that the role is made for. It can be assigned in any scope.", "team"),
}).describe("A new role.");
export const roleUpdate = z.object(ROLE).partial().describe("Changes of a role.");

export const roleAssign = z.object({
  role_id: field(z.string().min(1).max(255), "The id or name of the role.", "developer"),
  scope: field(scope, "Where the role counts.", "team"),
  scope_id: field(z.string().max(255).nullable().optional(), "The id of the team or virtual server."),
  expires_at: field(
    z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)).nullable().optional(),
    "When the role ends by itself; null: when it is revoked.",
    "2027-01-01T00:00:00Z",
  ),
}).describe("A role for a user.");

export const revokeQuery = z.object({
  scope: field(scope.default("global"), "Where the role counts."),
  scope_id: field(z.string().max(255).default(""), "The id of the team or virtual server."),
});

export const permissionCheck = z.object({
  user_email: EMAIL,
  permission: field(permission, "The permission.", "tools.execute"),
  team_id: field(z.string().max(255).nullable().optional(), "The team in which the permission is asked for."),
}).describe("A question about a user.");

export const teamQuery = z.object({
  team_id: field(
    z.string().max(255).optional(),
    "Only permissions in this team. Without it: permissions anywhere.",
  ),
});

const quotaLimit = z.int().min(0).max(MAX_QUOTA).nullable();

const QUOTA = {
  calls: field(quotaLimit.optional(), "The calls in a window; null: no limit.", 1_000),
  seconds: field(
    quotaLimit.optional(),
    "The seconds in a window between requests to upstreams and their answers; null: no limit.",
    600,
  ),
  bytes: field(
    quotaLimit.optional(),
    "The bytes in a window of parameters and answers; null: no limit.",
    50_000_000,
  ),
};
const quotaWindow = z.int().min(1).max(MAX_QUOTA_WINDOW_S);

export const quotaCreate = z.object({
  kind: field(z.enum(QUOTA_KINDS), "What the quota is for.", "user"),
  target: field(
    z.string().trim().min(1).max(1_000).refine(
      (text) => !CONTROL.test(text),
      "must not contain control characters",
    ),
    "The email address of a user, the id of a team, the `jti` of a token, the id or name of a tool; " +
      "`*` for each that has no quota of its own.",
    "ann@example.com",
  ),
  ...QUOTA,
  window: field(quotaWindow, "The length of a window in seconds.", 3_600),
}).describe("A new quota. At least one of `calls`, `seconds` and `bytes` is a number.");

export const quotaUpdate = z.object({
  ...QUOTA,
  window: field(
    quotaWindow.optional(),
    "The length of a window in seconds. Another length begins a new count.",
  ),
}).describe("Changes of a quota. At least one limit must remain.");
