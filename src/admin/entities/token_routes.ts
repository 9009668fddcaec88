// /tokens: revokes tokens. Tokens are not stored: a token's id is its claim `jti`, and the token itself is never sent.
import type { RevokedTokenRow } from "../../store/registry/revoked_tokens.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { requireObject } from "../rest/fields.ts";
import { jti, tokenRevoke } from "../rest/schemas.ts";

/** `DELETE /tokens/{jti}` answers 204, as in ContextForge. An optional body has `reason` and `expires_at` (ISO 8601). */
export async function revokeToken(call: Call): Promise<AdminResponse> {
  const { deps, params, principal } = call;
  const id = validated(jti, params.id, ["path", "token_id"]);
  const body = await call.body();
  const given = validated(tokenRevoke, body === undefined ? {} : requireObject(body, ["body"]), ["body"]);
  await deps.store.revokedTokens.revoke({
    jti: id,
    revokedBy: principal.email,
    reason: given.reason ?? null,
    expiresAt: given.expires_at ?? null,
  });
  await deps.catalogChanged();
  return ok(null, 204);
}

export async function listRevokedTokens({ deps }: Call): Promise<AdminResponse> {
  return ok((await deps.store.revokedTokens.list()).map(shape));
}

function shape({ jti, revokedAt, revokedBy, reason, expiresAt }: RevokedTokenRow) {
  return {
    jti,
    revokedAt,
    revokedBy,
    revocationReason: reason,
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
}
