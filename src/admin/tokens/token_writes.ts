// Room `tokens`: handlers of API tokens. `routes.ts` loads them. This file makes, changes and revokes them.
import { isWhole, requireNoApiToken, requireNoLimits, teamOfToken } from "../../auth/api_tokens/narrowing.ts";
import type { Principal } from "../../auth/principal.ts";
import { holds } from "../../auth/rbac.ts";
import { isEmpty } from "../../auth/token_limits.ts";
import { SluiceError } from "../../base/errors.ts";
import { revokeTokenOf } from "../../store/registry/revoked_tokens.ts";
import type { ApiTokenChanges } from "../../store/tokens/api_tokens.ts";
import type { ShownToken } from "../../store/tokens/token_rows.ts";
import { type AdminDeps, type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { type Fault, fault, validated } from "../rest/faults.ts";
import { type KnownFields, readFields, requireObject } from "../rest/fields.ts";
import { stillThere } from "../rest/lookup.ts";
import { FIELDS_OF_SCOPE, jti, tokenCreate, tokenRevoke, tokenUpdate } from "../rest/people/token_schemas.ts";
import { hasTeam, issueToken, narrowingOf, serverOf, type TokenOwner, withWarnings } from "./issue_token.ts";
import { tokenRead } from "./token_shapes.ts";

const CREATE: KnownFields = { schema: tokenCreate, judged: FIELDS_OF_SCOPE };
const UPDATE: KnownFields = { schema: tokenUpdate };

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
  requireNoLimits(principal);
  const row = await ownToken(call);
  const given = validated(tokenUpdate, readFields(call, await call.body(), ["body"], UPDATE), ["body"]);
  const { scope } = given;
  const place = { teamId: row.teamId, serverId: serverOf(scope ?? {}) };
  const narrowing = scope === undefined || scope === null
    ? {}
    : await narrowingOf(deps.store, { owner: principal, scope, place });
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
  return ok(
    withWarnings(tokenRead(stillThere(await deps.store.apiTokens.get(row.id), `Token ${row.id}`)), scope),
  );
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
  await revokeTokenOf(deps.store, {
    jti: id,
    revokedBy: principal.email,
    reason: given.reason ?? null,
    expiresAt: given.expires_at ?? null,
  });
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
  requireNoLimits(principal);
  const raw = readFields(call, await call.body(), ["body"], CREATE);
  const given = validated(tokenCreate, raw, ["body"], misplacedLimits(raw));
  const owner = await ownerOf(deps, principal, given.user_email ?? principal.email);
  const asked = teamInPath ?? given.team_id ?? null;
  const teamId = owner.principal === principal ? teamOfToken(principal, asked) : asked;
  if (teamInPath !== null && !await hasTeam(deps.store, owner.principal, teamInPath)) {
    throw new SluiceError("NOT_FOUND", { what: `Team ${teamInPath}` });
  }
  const { row, accessToken } = await issueToken(deps, { owner, given, teamId });
  await deps.catalogChanged();
  return ok(withWarnings({ token: tokenRead(row), access_token: accessToken }, given.scope), 201);
}

/** Limits outside of `scope`: ignored, they would make a token that opens more than its author meant. */
function misplacedLimits(raw: Readonly<Record<string, unknown>>): Fault[] {
  return FIELDS_OF_SCOPE.filter((name) => !isEmpty(raw[name]))
    .map((name) => fault(["body", name], "is no field of a token; what narrows a token belongs in `scope`"));
}

/** @throws {SluiceError} FORBIDDEN, NOT_FOUND, CONFLICT */
async function ownerOf(
  deps: AdminDeps,
  principal: Principal,
  email: string,
): Promise<TokenOwner> {
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

function notFound(id: string): never {
  throw new SluiceError("NOT_FOUND", { what: `Token ${id}` });
}
