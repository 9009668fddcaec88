// Lists of API tokens, and what they were used for.
import { requireNoApiToken } from "../../auth/api_tokens/narrowing.ts";
import { holds } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import type { RevokedTokenRow } from "../../store/registry/revoked_tokens.ts";
import type { TokenFilter } from "../../store/tokens/api_tokens.ts";
import type { ShownToken } from "../../store/tokens/token_rows.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { allTokensQuery, tokensQuery, tokenUsageQuery } from "../rest/people/token_schemas.ts";
import { visibleTeam } from "../people/people_lookup.ts";
import { tokenRead, usageRead } from "./token_shapes.ts";

const DAY_MS = 86_400_000;

/** The caller's own, and those of the caller's teams. */
export async function listTokens(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  requireNoApiToken(principal);
  const query = queryOf(call, tokensQuery);
  const user = await deps.store.people.users.get(principal.email);
  if (user === null) return await list(call, query, { userId: "" });
  const teamIds = (principal.grants?.inTeams ?? []).flatMap(({ ids }) => ids);
  return await list(call, query, { userId: user.id, teamIds });
}

export async function listTeamTokens(call: Call): Promise<AdminResponse> {
  requireNoApiToken(call.principal);
  const query = queryOf(call, tokensQuery);
  const { id } = await visibleTeam({ ...call, params: { id: call.params.team } });
  return await list(call, query, { teamIds: [id] });
}

export async function listAllTokens(call: Call): Promise<AdminResponse> {
  requireNoApiToken(call.principal);
  const { user_email: email, ...query } = queryOf(call, allTokensQuery);
  if (email === undefined) return await list(call, query, {});
  const user = await call.deps.store.people.users.get(email);
  return await list(call, query, { userId: user?.id ?? "" });
}

export async function getToken(call: Call): Promise<AdminResponse> {
  return ok(tokenRead(await readableToken(call)));
}

export async function getTokenUsage(call: Call): Promise<AdminResponse> {
  const row = await readableToken(call);
  const { days: period } = validated(tokenUsageQuery, Object.fromEntries(call.query), ["query"]);
  const today = Math.floor(call.deps.now().getTime() / DAY_MS);
  const { tokenUses } = call.deps.store;
  const days = await tokenUses.days(row.id, today - period + 1);
  return ok(usageRead(row, { period, days, addresses: await tokenUses.addresses(row.id) }));
}

/** Revoked tokens without a row: those of `sluice token`, of logins and of identity providers. */
export async function listRevokedTokens({ deps }: Call): Promise<AdminResponse> {
  return ok((await deps.store.revokedTokens.list()).map(revokedRead));
}

/** A token of the caller; for administrators any. @throws {SluiceError} NOT_FOUND, also if it is another user's */
async function readableToken({ deps, params: { id }, principal }: Call): Promise<ShownToken> {
  requireNoApiToken(principal);
  const row = await deps.store.apiTokens.get(id);
  const mayRead = row !== null &&
    (row.email === principal.email || holds(principal, "admin.user_management"));
  if (!mayRead) throw new SluiceError("NOT_FOUND", { what: `Token ${id}` });
  return row;
}

async function list(
  { deps }: Call,
  { include_inactive, limit, offset }: ReturnType<typeof tokensQuery.parse>,
  whose: Omit<TokenFilter, "includeInactive">,
): Promise<AdminResponse> {
  const filter = { ...whose, includeInactive: include_inactive };
  const { tokens, total } = await deps.store.apiTokens.list(filter, { limit, offset });
  return ok({ tokens: tokens.map(tokenRead), total, limit, offset });
}

function queryOf<Schema extends Parameters<typeof validated>[0]>({ query }: Call, schema: Schema) {
  return validated(schema, Object.fromEntries(query), ["query"]);
}

function revokedRead({ jti, revokedAt, revokedBy, reason, expiresAt }: RevokedTokenRow) {
  return {
    jti,
    revokedAt,
    revokedBy,
    revocationReason: reason,
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
}
