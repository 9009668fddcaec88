// /auth/validate and /auth/refresh: what the caller's token is, and another token of the same login.
import { isWhole } from "../../auth/api_tokens/narrowing.ts";
import { SluiceError } from "../../base/errors.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { callersRecord } from "./people_lookup.ts";
import { shownUser } from "./user_shapes.ts";

export async function validateSession({ deps, principal }: Call): Promise<AdminResponse> {
  const { jti, expiresAt, apiToken, email } = principal;
  const { people } = deps.store;
  const user = await people.users.get(email);
  const isSso = jti !== null && await people.sso.find(jti) !== null;
  return {
    ...ok({
      valid: true,
      expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
      expires_in: expiresAt === null
        ? null
        : Math.max(0, Math.floor((expiresAt - deps.now().getTime()) / 1000)),
      user: user === null ? null : await shownUser(deps, user),
      session_source: apiToken !== null ? "api_token" : isSso ? "sso" : "local",
      config: {
        token_expiry: deps.accounts.loginMs / 1000,
        max_lifetime: deps.accounts.longestLoginMs / 1000,
      },
    }),
    headers: NO_STORE,
  };
}

/** The former token ends with the answer, and works for one renewal only. */
export async function refreshSession(call: Call): Promise<AdminResponse> {
  const { deps, principal } = call;
  const { jti, loggedInAt, expiresAt: formerEnd, email } = principal;
  if (loggedInAt === undefined || jti === null || !isWhole(principal)) {
    throw new SluiceError("FORBIDDEN", {
      reason: "only the token of a login is continued; API tokens have an expiry of their own",
    });
  }
  const user = await callersRecord(call);
  await deps.logins.requireRenewable(user, loggedInAt);
  const next = crypto.randomUUID();
  const login = await deps.store.transaction(async (store) => {
    const revocation = { jti, revokedBy: email, reason: "replaced by a new token", expiresAt: formerEnd };
    if (!await store.revokedTokens.revokeFirst(revocation)) {
      throw new SluiceError("UNAUTHENTICATED", {
        reason: "the token has been replaced already; log in again",
      });
    }
    const provider = (await store.people.sso.find(jti))?.provider ?? "local";
    const login = await deps.logins.renewed(user, { jti: next, provider, loggedInAt });
    const expiresAt = deps.now().getTime() + login.expiresInSeconds * 1000;
    await deps.sso?.renew(store.people, jti, { jti: next, expiresAt });
    return { ...login, expiresAt };
  });
  await deps.catalogChanged();
  return {
    ...ok({
      access_token: login.token,
      token_type: "bearer",
      expires_in: login.expiresInSeconds,
      expires_at: new Date(login.expiresAt).toISOString(),
    }),
    headers: NO_STORE,
  };
}

const NO_STORE = { "cache-control": "no-store" };
