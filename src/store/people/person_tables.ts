// The tables of users, teams and roles.
import { Table } from "../sql/table.ts";
import type {
  AssignmentRow,
  InvitationRow,
  JoinRequestRow,
  MemberRow,
  RoleRow,
  SsoSessionRow,
  TeamRow,
  UserRow,
} from "./person_rows.ts";

export const USERS = new Table<UserRow>("users", {
  id: "text",
  email: "text",
  fullName: "text",
  passwordHash: "text",
  isAdmin: "boolean",
  isActive: "boolean",
  passwordChangeRequired: "boolean",
  failedAttempts: "integer",
  lockedUntil: "integer",
  tokensValidFrom: "integer",
  lastLogin: "text",
  createdAt: "text",
  updatedAt: "text",
});

export const TEAMS = new Table<TeamRow>("teams", {
  id: "text",
  name: "text",
  slug: "text",
  description: "text",
  isPersonal: "boolean",
  visibility: "text",
  maxMembers: "integer",
  createdBy: "text",
  createdAt: "text",
  updatedAt: "text",
});

export const MEMBERS = new Table<MemberRow>("team_members", {
  teamId: "text",
  userId: "text",
  role: "text",
  joinedAt: "text",
  source: "text",
});

export const INVITATIONS = new Table<InvitationRow>("team_invitations", {
  id: "text",
  teamId: "text",
  email: "text",
  role: "text",
  invitedBy: "text",
  invitedAt: "text",
  expiresAt: "integer",
  tokenHash: "text",
});

export const JOIN_REQUESTS = new Table<JoinRequestRow>("team_join_requests", {
  id: "text",
  teamId: "text",
  userId: "text",
  message: "text",
  requestedAt: "text",
  expiresAt: "integer",
});

export const ROLES = new Table<RoleRow>("roles", {
  id: "text",
  name: "text",
  description: "text",
  scope: "text",
  permissions: "json",
  createdBy: "text",
  createdAt: "text",
  updatedAt: "text",
});

export const ASSIGNMENTS = new Table<AssignmentRow>("role_assignments", {
  id: "text",
  userId: "text",
  roleId: "text",
  scope: "text",
  scopeId: "text",
  grantedBy: "text",
  grantedAt: "text",
  expiresAt: "integer",
});

export const SSO_SESSIONS = new Table<SsoSessionRow>("sso_sessions", {
  jti: "text",
  provider: "text",
  subject: "text",
  sid: "text",
  userId: "text",
  idToken: "text",
  expiresAt: "integer",
});
