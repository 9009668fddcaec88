// Makes API tokens, for the REST API and for the command line.
import { hashOf } from "../../auth/api_tokens/api_token_caller.ts";
import { mayUseTeam, requireGrantable, type TokenPlace } from "../../auth/api_tokens/narrowing.ts";
import { signApiToken } from "../../auth/api_tokens/sign_api_token.ts";
import { isPermission, PERMISSIONS } from "../../auth/permission_table.ts";
import type { Principal } from "../../auth/principal.ts";
import { canSee } from "../../auth/rbac.ts";
import { LimitFault, readLimits } from "../../auth/token_limits.ts";
import { nearName } from "../../config/near_name.ts";
import type { Registry } from "../../store/registry/registry.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import { NO_TEAM, type ShownToken } from "../../store/tokens/token_rows.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { type Fault, fault, refuse } from "../rest/faults.ts";
import { stillThere } from "../rest/lookup.ts";
import type { tokenCreate, tokenUpdate } from "../rest/people/token_schemas.ts";

export type IssueDeps = Pick<AdminDeps, "store" | "apiTokens" | "now">;

/** The owner of a token: the id of the user record, and the rights of the user. */
export interface TokenOwner {
  readonly id: string;
  readonly principal: Principal;
}

export interface TokenOrder {
  readonly owner: TokenOwner;
  readonly given: Omit<ReturnType<typeof tokenCreate.parse>, "team_id" | "user_email">;
  readonly teamId: string | null;
}

type Scope = NonNullable<ReturnType<typeof tokenUpdate.parse>["scope"]>;

const DAY_MS = 86_400_000;

/**
 * Makes and stores a token. The gateway keeps its hash only.
 * @throws {SluiceError} VALIDATION_FAILED, INVALID_REQUEST for permissions that the owner does not have, CONFLICT
 */
export async function issueToken(
  deps: IssueDeps,
  { owner: { id: userId, principal }, given, teamId }: TokenOrder,
): Promise<{ readonly row: ShownToken; readonly accessToken: string }> {
  const { store, apiTokens } = deps;
  if (teamId !== null && teamId !== NO_TEAM && !await hasTeam(store, principal, teamId)) {
    refuse([fault(["body", "team_id"], "must be a team of which the owner of the token is a member")]);
  }
  const scope = given.scope ?? {};
  const place = { teamId, serverId: serverOf(scope) };
  const narrowing = await narrowingOf(store, { owner: principal, scope, place });
  const expiresAt = expiryOf(deps, given.expires_in_days ?? null);
  const id = crypto.randomUUID();
  const { email, isAdmin } = principal;
  const accessToken = await signApiToken(
    { id, email, isAdmin, teamId, expiresAt, ...narrowing },
    apiTokens.signer,
  );
  await store.apiTokens.insert({
    ...{ id, userId, teamId, expiresAt, tokenHash: hashOf(accessToken) },
    name: given.name,
    description: given.description ?? null,
    tags: given.tags ?? [],
    isActive: given.is_active ?? true,
    ...narrowing,
  }, apiTokens.maxPerUser);
  return { row: stillThere(await store.apiTokens.get(id), `Token ${id}`), accessToken };
}

/** May a token of the owner be for this team? */
export async function hasTeam(store: Registry, owner: Principal, teamId: string): Promise<boolean> {
  return mayUseTeam(owner, teamId) && await store.people.teams.get(teamId) !== null;
}

export function serverOf({ server_id }: Scope): string | null {
  return server_id === undefined || server_id === null || server_id === "" ? null : serverIdOf(server_id);
}

/** The fields that narrow a token. @throws {SluiceError} VALIDATION_FAILED, INVALID_REQUEST */
export async function narrowingOf(
  store: Registry,
  { owner, scope, place }: { readonly owner: Principal; readonly scope: Scope; readonly place: TokenPlace },
) {
  const faults: Fault[] = [];
  const { serverId } = place;
  const server = serverId === null ? null : await store.servers.get(serverId);
  if (serverId !== null && (server === null || !canSee(owner, server))) {
    faults.push(
      fault(["body", "scope", "server_id"], "must be the id of a virtual server that the owner sees"),
    );
  }
  try {
    readLimits(scope);
  } catch (error) {
    if (!(error instanceof LimitFault)) throw error;
    faults.push(fault(["body", "scope", error.field], error.message));
  }
  refuse(faults);
  const permissions = [...new Set(scope.permissions ?? [])];
  requireGrantable(owner, permissions, place);
  return {
    serverId,
    permissions,
    ipRestrictions: (scope.ip_restrictions ?? []).map((text) => text.trim()),
    timeRestrictions: scope.time_restrictions ?? {},
    usageLimits: scope.usage_limits ?? {},
  };
}

/** @throws {SluiceError} VALIDATION_FAILED */
function expiryOf({ apiTokens, now }: IssueDeps, days: number | null): number | null {
  if (days === null && apiTokens.requireExpiration) {
    refuse([fault(["body", "expires_in_days"], "is required: REQUIRE_TOKEN_EXPIRATION is set", "missing")]);
  }
  // Claims have whole seconds.
  return days === null ? null : Math.floor((now().getTime() + days * DAY_MS) / 1000) * 1000;
}

/** A permission that the gateway does not ask for opens nothing. */
export function withWarnings<Body extends object>(body: Body, scope: Scope | null | undefined) {
  const unknown = (scope?.permissions ?? []).filter((name) => name !== "*" && !isPermission(name));
  if (unknown.length === 0) return body;
  const warnings = unknown.map((name) => {
    const near = nearName(name, PERMISSIONS);
    const question = near === null ? "" : `; did you mean ${near}?`;
    return fault(
      ["body", "scope", "permissions"],
      `"${name}" is no permission here, and opens nothing${question}`,
      "no_effect",
    );
  });
  return { ...body, warnings };
}
