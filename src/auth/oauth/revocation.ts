// Revocation of tokens (RFC 7009). Either token of a grant ends the grant, with all of its tokens.
import type { OAuthStore } from "../../store/oauth/oauth_store.ts";
import { digest } from "../logins/logins.ts";
import type { Principal } from "../principal.ts";
import type { Clients } from "./clients/known_clients.ts";
import { OAuthFault } from "./oauth_fault.ts";

export interface RevocationDeps {
  readonly clients: Clients;
  readonly store: Pick<OAuthStore, "grants">;
  /** @throws {SluiceError} UNAUTHENTICATED */
  readonly verify: (token: string) => Promise<Principal>;
  /** Ends the access tokens of grants, in all workers and replicas. */
  readonly revoke: (grantIds: readonly string[], reason: string) => Promise<void>;
}

/**
 * Unknown tokens, and those of other clients, are left alone; the answer is the same.
 * @throws {OAuthFault} invalid_request, invalid_client
 */
export async function revokeToken(
  form: URLSearchParams,
  client: { readonly id: string; readonly secret: string | null },
  { clients, store, verify, revoke }: RevocationDeps,
): Promise<void> {
  const token = form.get("token");
  if (token === null || token === "") throw new OAuthFault("invalid_request", "send token");
  if (await clients.authenticate(client.id, client.secret) === null) {
    throw new OAuthFault("invalid_client", "the client is not known, or its secret is wrong", 401);
  }
  const grantId = await grantOfRefreshToken(token, store) ?? await grantOfAccessToken(token, verify);
  const found = grantId === null ? null : await store.grants.grant(grantId);
  if (found === null || found.consent.clientId !== client.id) return;
  await store.grants.end(found.grant.id);
  await revoke([found.grant.id], "revoked by the client");
}

async function grantOfRefreshToken(
  token: string,
  { grants }: RevocationDeps["store"],
): Promise<string | null> {
  const [id = "", secret = "", ...rest] = token.split(".");
  const found = rest.length > 0 ? null : await grants.grant(id);
  if (found === null) return null;
  const { grant } = found;
  const hashes = [grant.refreshHash, ...grant.formerTokens.map(({ hash }) => hash)];
  return hashes.includes(digest(secret)) ? id : null;
}

async function grantOfAccessToken(token: string, verify: RevocationDeps["verify"]): Promise<string | null> {
  try {
    const { resource, jti } = await verify(token);
    return resource === undefined ? null : jti;
  } catch {
    return null;
  }
}
