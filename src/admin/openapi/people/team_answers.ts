// Schemas of answers about teams and roles.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { absent, count, EXAMPLE_ID, flag, text, textOrNull, time, timeOrNull, WARNINGS } from "../answers.ts";

const teamRole = field(z.enum(["owner", "member"]), "Owners manage the team.", "member");

export const team = z.strictObject({
  id: text("The id of the team.", EXAMPLE_ID),
  name: text("The name of the team.", "Travel"),
  slug: text("The form in which names of teams are compared.", "travel"),
  description: textOrNull("The description of the team.", null),
  created_by: text("Who created the team.", "ada@example.com"),
  is_personal: flag("Whether the team belongs to one user.", false),
  visibility: field(
    z.enum(["private", "public"]),
    "Whether everybody with a user record can join.",
    "private",
  ),
  max_members: field(
    z.int().nullable(),
    "The limit of members; null for that of `MAX_MEMBERS_PER_TEAM`.",
    null,
  ),
  member_count: count("The number of members.", 2),
  created_at: time("When the team was created."),
  updated_at: time("When the team last changed."),
  is_active: flag("Always true."),
  ...WARNINGS,
}).describe("A team.");

export const teamList = z.strictObject({
  teams: field(z.array(team), "The teams."),
  total: count("The number of teams that the caller sees."),
}).describe("The teams that the caller sees.");

export const foundTeam = z.strictObject({
  id: text("The id of the team.", EXAMPLE_ID),
  name: text("The name of the team.", "Travel"),
  description: textOrNull("The description of the team.", null),
  member_count: count("The number of members.", 2),
  created_at: time("When the team was created."),
  is_joinable: flag("Always true."),
}).describe("A public team that the caller is not in.");

export const member = z.strictObject({
  id: text("The id of the membership.", `${EXAMPLE_ID}-${EXAMPLE_ID}`),
  team_id: text("The id of the team.", EXAMPLE_ID),
  user_email: text("The email address of the member.", "ann@example.com"),
  role: teamRole,
  joined_at: time("When the member joined."),
  invited_by: absent("Always null: a field of ContextForge."),
  is_active: flag("Always true."),
  grant_source: textOrNull("`sso`: the groups of an identity provider gave it; null: a person did.", null),
  ...WARNINGS,
}).describe("A member of a team.");

export const invitation = z.strictObject({
  id: text("The id of the invitation.", EXAMPLE_ID),
  team_id: text("The id of the team.", EXAMPLE_ID),
  team_name: text("The name of the team.", "Travel"),
  email: text("The invited email address.", "bob@example.com"),
  role: teamRole,
  invited_by: text("Who sent the invitation.", "ada@example.com"),
  invited_at: time("When the invitation was made."),
  expires_at: time("When the invitation expires."),
  token: textOrNull(
    "The token that accepts the invitation. Only the answer to the invitation has it.",
    "TOKEN",
  ),
  is_active: flag("Always true."),
  is_expired: flag("Always false.", false),
  ...WARNINGS,
}).describe("An invitation to a team.");

const scope = field(z.enum(["global", "team", "server"]), "Where the role counts.", "team");

export const role = z.strictObject({
  id: text("The id of the role. A built-in role has its name as id.", "developer"),
  name: text("The name of the role.", "developer"),
  description: text("The description of the role.", "Use and change the entries of a team"),
  scope,
  permissions: field(z.array(z.string()), "The permissions that the role grants.", ["tools.read"]),
  effective_permissions: field(z.array(z.string()), "Those of them that the gateway asks for.", [
    "tools.read",
  ]),
  inherits_from: absent("Always null: a field of ContextForge."),
  created_by: text("Who created the role; `system` for a built-in role.", "system"),
  is_system_role: flag("Whether the role is built in."),
  is_active: flag("Always true."),
  created_at: timeOrNull("When the role was created; null for a built-in role."),
  updated_at: timeOrNull("When the role last changed; null for a built-in role."),
  ...WARNINGS,
}).describe("A role.");

export const joinRequest = z.strictObject({
  id: text("The id of the request.", EXAMPLE_ID),
  team_id: text("The id of the team.", EXAMPLE_ID),
  team_name: text("The name of the team.", "Travel"),
  user_email: text("The email address of the user who asks.", "ann@example.com"),
  message: textOrNull("What the user wrote to the owners.", "I book the trains."),
  status: text("Always `pending`: requests that are decided are gone.", "pending"),
  requested_at: time("When the user asked."),
  expires_at: time("When the request expires."),
  ...WARNINGS,
}).describe("A request to join a team.");

export const assignment = z.strictObject({
  id: text("The id of the assignment.", EXAMPLE_ID),
  user_email: text("The email address of the user.", "ann@example.com"),
  role_id: text("The id of the role.", "developer"),
  role_name: textOrNull("The name of the role; null: the role is gone.", "developer"),
  scope,
  scope_id: textOrNull("The id of the team or virtual server; null with scope `global`.", EXAMPLE_ID),
  granted_by: text("Who assigned the role.", "ada@example.com"),
  granted_at: time("When the role was assigned."),
  expires_at: timeOrNull("When the role ends by itself; null: when it is revoked."),
  is_active: flag("Whether the role counts: it has not ended."),
  grant_source: textOrNull("`sso`: the groups of an identity provider gave it; null: a person did.", null),
  ...WARNINGS,
}).describe("A role of a user.");

export const permissionAnswer = z.strictObject({
  user_email: text("The email address of the user.", "ann@example.com"),
  permission: text("The permission.", "tools.execute"),
  granted: flag("Whether the user has the permission."),
  checked_at: time("When the question was answered."),
  checked_by: text("Who asked.", "ada@example.com"),
  ...WARNINGS,
}).describe("What a user may do whose token narrows nothing.");

export const permissionTable = z.strictObject({
  all_permissions: field(z.array(z.string()), "All permissions.", ["tools.read"]),
  permissions_by_resource: field(
    z.record(z.string(), z.array(z.string())),
    "The same by what they are about.",
    { tools: ["tools.read"] },
  ),
  total_count: count("The number of permissions.", 30),
}).describe("The permissions that the gateway asks for.");

export const finished = z.strictObject({ message: text("What was done.", "Role deleted successfully") })
  .describe("The answer of a request that returns no role.");
