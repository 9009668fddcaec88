// Room `people`: pages of users, teams and roles. This file has what the REST API says of them, as far as pages show it.

export interface User {
  readonly email: string;
  readonly full_name: string | null;
  readonly is_admin: boolean;
  readonly is_active: boolean;
  readonly auth_provider: string;
  readonly created_at: string;
  readonly last_login: string | null;
  readonly password_change_required: boolean;
  readonly locked_until: string | null;
  readonly is_locked: boolean;
}

export interface Role {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly scope: RoleScope;
  readonly permissions: readonly string[];
  readonly is_system_role: boolean;
}

export type RoleScope = "global" | "team" | "server";

export interface Assignment {
  readonly role_id: string;
  readonly role_name: string | null;
  readonly scope: RoleScope;
  readonly scope_id: string | null;
  readonly expires_at: string | null;
  readonly is_active: boolean;
}

export interface Team {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly is_personal: boolean;
  readonly visibility: "private" | "public";
  readonly member_count: number;
}

export interface Member {
  readonly user_email: string;
  readonly role: "owner" | "member";
  readonly joined_at: string;
}

export interface JoinRequest {
  readonly id: string;
  readonly user_email: string;
  readonly message: string | null;
  readonly requested_at: string;
}

export interface FoundTeam {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly member_count: number;
}

export interface Invitation {
  readonly id: string;
  readonly email: string;
  readonly role: string;
  readonly expires_at: string;
  /** In the answer to the invitation alone. */
  readonly token: string | null;
}
