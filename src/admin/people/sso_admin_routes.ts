// /auth/sso/admin/providers and /auth/sso/pending-approvals: the providers of the settings, and users who wait for an administrator.
import { SluiceError } from "../../base/errors.ts";
import type { SsoProvider } from "../../config/sso_providers.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { readFields } from "../rest/fields.ts";
import { approvalAction } from "../rest/people/session_schemas.ts";

export function listSsoProvidersOfSettings({ deps }: Call): Promise<AdminResponse> {
  return Promise.resolve(ok((deps.sso?.providers ?? []).map(summary)));
}

export function getSsoProvider({ deps, params: { provider: id } }: Call): Promise<AdminResponse> {
  const provider = deps.sso?.providers.find((each) => each.id === id);
  if (provider === undefined) throw new SluiceError("NOT_FOUND", { what: `Provider ${id}` });
  const { client_id, issuer, scope, endpoints, teams, roles, admin_groups } = provider;
  return Promise.resolve(ok({
    ...summary(provider),
    ...{ client_id, issuer, scope },
    authorization_url: endpoints.authorization_endpoint ?? null,
    token_url: endpoints.token_endpoint ?? null,
    userinfo_url: endpoints.userinfo_endpoint ?? null,
    jwks_uri: endpoints.jwks_uri ?? null,
    team_mapping: teams,
    provider_metadata: { role_mappings: roles, admin_groups },
  }));
}

/** Providers come from the settings, so that all replicas have the same. Changes and deletions are refused alike. */
export function createSsoProvider(): Promise<AdminResponse> {
  throw new SluiceError("CONFLICT", {
    reason:
      "identity providers are in the settings (SSO_PROVIDERS, `sluice help sso`); change them there, and reload the gateway",
  });
}

/** Users whom a first sign-in has made, and whom nobody has activated yet (SSO_REQUIRE_ADMIN_APPROVAL). */
export async function listPendingApprovals({ deps }: Call): Promise<AdminResponse> {
  const rows = await deps.store.people.sso.waiting(MAX_WAITING);
  return ok(rows.map(({ user, provider }) => ({
    id: user.id,
    email: user.email,
    full_name: user.fullName ?? user.email,
    auth_provider: provider,
    requested_at: user.createdAt,
    expires_at: null,
    status: "pending",
  })));
}

const MAX_WAITING = 1_000;

/** An approval activates the user; a rejection deletes it, so that a further sign-in asks again. */
export async function decideApproval(call: Call): Promise<AdminResponse> {
  const { deps, params: { approval } } = call;
  const { people } = deps.store;
  const waiting = (await people.sso.waiting(MAX_WAITING)).find(({ user }) => user.id === approval);
  if (waiting === undefined) throw new SluiceError("NOT_FOUND", { what: `Approval request ${approval}` });
  const { action } = validated(
    approvalAction,
    readFields(call, await call.body(), ["body"], {
      schema: approvalAction,
      withoutEffect: ["reason", "notes"],
    }),
    ["body"],
  );
  const { email } = waiting.user;
  if (action === "approve") await people.users.update(email, { isActive: true });
  else await people.users.delete(email);
  await deps.catalogChanged();
  const isApproved = action === "approve";
  return {
    ...ok({ message: isApproved ? `User ${email} approved successfully` : `User ${email} rejected` }),
    about: { kind: "user", id: email },
    audited: isApproved
      ? { is_active: { before: false, after: true } }
      : { email: { before: email, after: null } },
  };
}

function summary({ id, display_name, trusted_domains, create_users }: SsoProvider) {
  return {
    id,
    name: id,
    display_name,
    provider_type: "oidc",
    is_enabled: true,
    trusted_domains,
    auto_create_users: create_users,
  };
}
