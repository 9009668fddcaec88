// The operations of roles.
import * as z from "zod";
import {
  permissionCheck,
  revokeQuery,
  roleAssign,
  roleCreate,
  roleUpdate,
  teamQuery,
} from "../../rest/people_schemas.ts";
import { operations } from "../operation.ts";
import { assignment, finished, permissionAnswer, permissionTable, role } from "./team_answers.ts";

const ROLE = { role: "The id or name of the role." };
const EMAIL = { email: "The email address of the user." };
const permissions = z.array(z.string());

export const roleOperations = operations("Roles", {
  listRoles: {
    summary: "List roles",
    description: "The built-in roles, then custom ones by name.",
    answers: { 200: role.array() },
  },
  createRole: {
    summary: "Create a role",
    description: "A permission that the gateway does not ask for is kept, and the answer warns of it.",
    body: { schema: roleCreate, example: { name: "auditor", scope: "global", permissions: ["tools.read"] } },
    answers: { 201: role },
    errors: ["CONFLICT"],
  },
  getRole: { summary: "Read a role", path: ROLE, answers: { 200: role } },
  updateRole: {
    summary: "Change a custom role",
    description:
      "Only the fields of the body change. Users who have the role have the new permissions at once.",
    path: ROLE,
    body: { schema: roleUpdate, example: { permissions: ["tools.read", "tools.execute"] } },
    answers: { 200: role },
    errors: ["CONFLICT"],
  },
  deleteRole: {
    summary: "Delete a custom role",
    description: "Its assignments end with it.",
    path: ROLE,
    answers: { 200: finished },
    errors: ["CONFLICT"],
  },
  listUserRoles: {
    summary: "List the roles that a user was assigned",
    description: "Without the roles that follow from being a user, and from being in a team.",
    path: EMAIL,
    answers: { 200: assignment.array() },
  },
  assignRole: {
    summary: "Assign a role to a user",
    description: "A role in a team counts as long as the user is a member of the team.",
    path: EMAIL,
    body: { schema: roleAssign, example: { role_id: "developer", scope: "team", scope_id: "TEAM" } },
    answers: { 200: assignment },
    errors: ["CONFLICT"],
  },
  revokeRole: {
    summary: "Take a role away from a user",
    path: { ...EMAIL, ...ROLE },
    query: revokeQuery,
    answers: { 200: finished },
    errors: ["CONFLICT"],
  },
  checkPermission: {
    summary: "Has a user a permission?",
    description: "The answer is for a token that narrows nothing, such as that of a login.",
    body: {
      schema: permissionCheck,
      example: { user_email: "ann@example.com", permission: "tools.execute" },
    },
    answers: { 200: permissionAnswer },
  },
  listUserPermissions: {
    summary: "List the permissions of a user",
    path: EMAIL,
    query: teamQuery,
    answers: { 200: permissions },
  },
  listPermissions: { summary: "List all permissions", answers: { 200: permissionTable } },
  listMyRoles: {
    summary: "List the roles that the caller was assigned",
    answers: { 200: assignment.array() },
    errors: ["NOT_FOUND"],
  },
  listMyPermissions: {
    summary: "List the permissions of the caller",
    description: "As far as the token of the request goes.",
    query: teamQuery,
    answers: { 200: permissions },
  },
});
