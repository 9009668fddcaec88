// Room `tokens`: handlers of API tokens. `routes.ts` loads them. This file makes, changes and revokes them.
import { hashOf } from "../../auth/api_tokens/api_token_caller.ts";
import {
  isWhole,
  mayUseTeam,
  requireGrantable,
  requireNoApiToken,
  teamOfToken,
  type TokenPlace,
} from "../../auth/api_tokens/narrowing.ts";
import { signApiToken } from "../../auth/api_tokens/sign_api_token.ts";
import { isPermission, PERMISSIONS } from "../../auth/permission_table.ts";
import type { Principal } from "../../auth/principal.ts";
import { canSee, holds } from "../../auth/rbac.ts";
import { LimitFault, readLimits } from "../../auth/token_limits.ts";
import { SluiceError } from "../../base/errors.ts";
import { nearName } from "../../config/near_name.ts";
import { serverIdOf } from "../../store/sql/server_ids.ts";
import type { ApiTokenChanges, NewApiToken } from "../../store/tokens/api_tokens.ts";
import { NO_TEAM, type ShownToken } from "../../store/tokens/token_rows.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, fault, refuse, validated } from "../rest/faults.ts";
import { type KnownFields, readFields, requireObject } from "../rest/fields.ts";
import { jti, tokenCreate, tokenRevoke, tokenUpdate } from "../rest/people/token_schemas.ts";
import { tokenRead } from "./token_shapes.ts";

const CREATE: KnownFields = { schema: tokenCreate };
const UPDATE: KnownFields = { schema: tokenUpdate };

const DAY_MS = 86_400_000;

type Scope = NonNullable<ReturnType<typeof tokenUpdate.parse>["scope"]>;

/** The owner is the caller, or a user whom an administrator names. The answer is the only one that has the token. */
export async function createToken(call: Call): Promise<AdminResponse> {
  return await create(call, null);
}

export async function createTeamToken(call: Call): Promise<AdminResponse> {
  return await create(call, call.params.team);
}

/** Only the owner changes a token. The token itself stays as it is: its row decides. */
export async function updateToken(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  requireNoApiToken(principal);
  const row = await ownToken(call);
  const given = validated(tokenUpdate, readFields(call, await call.body(), ["body"], UPDATE), ["body"]);
  const { scope } = given;
  const place = { teamId: row.teamId, serverId: serverOf(scope ?? {}) };
  const narrowing = scope === undefined || scope === null
    ? {}
    : await narrowingOf(deps, { owner: principal, scope, place });
  const changes: ApiTokenChanges = {
    name: given.name,
    description: given.description,
    tags: given.tags ?? undefined,
    isActive: given.is_active ?? undefined,
    ...narrowing,
  };
  if (Object.values(changes).some((value) => value !== undefined)) {
    await deps.store.apiTokens.update(row.id, changes);
    await deps.catalogChanged();
  }
  return ok(withWarnings(tokenRead((await deps.store.apiTokens.get(row.id))!), scope));
}

/**
 * Revokes a token of the caller; of an administrator any token, also one that the gateway has never seen. An optional body has
 * `reason` and `expires_at` (ISO 8601).
 */
export async function revokeToken(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  requireNoApiToken(principal);
  const id = validated(jti, call.params.id, ["path", "token_id"]);
  const row = await deps.store.apiTokens.get(id);
  const isOwn = row !== null && row.email === principal.email;
  if (!isOwn && !holds(principal, "admin.user_management")) notFound(id);
  const body = await call.body();
  const given = validated(tokenRevoke, body === undefined ? {} : requireObject(body, ["body"]), ["body"]);
  const revocation = { revokedBy: principal.email, reason: given.reason ?? null };
  if (!await deps.store.apiTokens.revoke({ id, ...revocation })) {
    await deps.store.revokedTokens.revoke({ jti: id, ...revocation, expiresAt: given.expires_at ?? null });
  }
  await deps.catalogChanged();
  return ok(null, 204);
}

/** The token of the path, if the caller owns it. @throws {SluiceError} NOT_FOUND, also if it is another user's */
export async function ownToken({ deps, params: { id }, principal }: Call): Promise<ShownToken> {
  const row = await deps.store.apiTokens.get(id);
  return row !== null && row.email === principal.email ? row : notFound(id);
}

async function create(call: Call, teamInPath: string | null): Promise<AdminResponse> {
  const { deps, principal } = call;
  requireNoApiToken(principal);
  const given = validated(tokenCreate, readFields(call, await call.body(), ["body"], CREATE), ["body"]);
  const owner = await ownerOf(deps, principal, given.user_email ?? principal.email);
  const asked = teamInPath ?? given.team_id ?? null;
  const teamId = owner.principal === principal ? teamOfToken(principal, asked) : asked;
  if (teamId !== null && teamId !== NO_TEAM && !await hasTeam(deps, owner.principal, teamId)) {
    if (teamInPath !== null) throw new SluiceError("NOT_FOUND", { what: `Team ${teamId}` });
    refuse([fault(["body", "team_id"], "must be a team of which the owner of the token is a member")]);
  }
  const scope = given.scope ?? {};
  const place = { teamId, serverId: serverOf(scope) };
  const narrowing = await narrowingOf(deps, { owner: owner.principal, scope, place });
  const expiresAt = expiryOf(deps, given.expires_in_days ?? null);
  const id = crypto.randomUUID();
  const claims = { id, email: owner.principal.email, isAdmin: owner.principal.isAdmin, teamId, expiresAt };
  const accessToken = await signApiToken({ ...claims, ...narrowing }, deps.apiTokens.signer);
  const row: NewApiToken = {
    ...{ id, userId: owner.id, teamId, expiresAt, tokenHash: hashOf(accessToken) },
    name: given.name,
    description: given.description ?? null,
    tags: given.tags ?? [],
    isActive: given.is_active ?? true,
    ...narrowing,
  };
  await deps.store.apiTokens.insert(row, deps.apiTokens.maxPerUser);
  await deps.catalogChanged();
  const token = tokenRead((await deps.store.apiTokens.get(id))!);
  return ok(withWarnings({ token, access_token: accessToken }, scope), 201);
}

/** @throws {SluiceError} FORBIDDEN, NOT_FOUND, CONFLICT */
async function ownerOf(
  deps: AdminDeps,
  principal: Principal,
  email: string,
): Promise<{ readonly id: string; readonly principal: Principal }> {
  const isOther = email !== principal.email;
  if (isOther && !(holds(principal, "admin.user_management") && isWhole(principal))) {
    throw new SluiceError("FORBIDDEN", {
      reason: "API tokens for others need admin.user_management, and a token that narrows nothing",
    });
  }
  const user = await deps.store.people.users.get(email);
  if (user === null) {
    throw isOther ? new SluiceError("NOT_FOUND", { what: `User ${email}` }) : new SluiceError("CONFLICT", {
      reason:
        `${email} has no user record, and API tokens belong to users. Create the user, or use \`sluice token\``,
    });
  }
  const owner = isOther ? deps.people().callerOf(email) : principal;
  if (owner === null) {
    throw new SluiceError("CONFLICT", {
      reason: `The user ${email} is deactivated; activate the user first`,
    });
  }
  return { id: user.id, principal: owner };
}

async function hasTeam({ store }: AdminDeps, owner: Principal, teamId: string): Promise<boolean> {
  return mayUseTeam(owner, teamId) && await store.people.teams.get(teamId) !== null;
}

function serverOf({ server_id }: Scope): string | null {
  return server_id === undefined || server_id === null || server_id === "" ? null : serverIdOf(server_id);
}

/** The fields that narrow a token. @throws {SluiceError} VALIDATION_FAILED, INVALID_REQUEST */
async function narrowingOf(
  { store }: AdminDeps,
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
function expiryOf({ apiTokens, now }: AdminDeps, days: number | null): number | null {
  if (days === null && apiTokens.requireExpiration) {
    refuse([fault(["body", "expires_in_days"], "is required: REQUIRE_TOKEN_EXPIRATION is set", "missing")]);
  }
  // Claims have whole seconds.
  return days === null ? null : Math.floor((now().getTime() + days * DAY_MS) / 1000) * 1000;
}

/** A permission that the gateway does not ask for opens nothing. */
function withWarnings<Body extends object>(body: Body, scope: Scope | null | undefined) {
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

function notFound(id: string): never {
  throw new SluiceError("NOT_FOUND", { what: `Token ${id}` });
}
