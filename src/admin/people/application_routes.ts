// /oauth/applications: the OAuth clients that the caller has allowed something.
import { SluiceError } from "../../base/errors.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";

export async function listApplications({ deps, principal }: Call): Promise<AdminResponse> {
  const user = await deps.store.people.users.get(principal.email);
  const consents = user === null ? [] : await deps.store.oauth.consents.listOf(user.id);
  return ok(consents.map((consent) => ({
    id: consent.id,
    client_id: consent.clientId,
    client_name: consent.clientName,
    client_host: consent.clientHost,
    resource: consent.resource,
    scopes: consent.scope.split(" "),
    created_at: consent.createdAt,
    last_used: consent.usedAt,
  })));
}

/** Ends everything that was issued to the client by this consent. */
export async function disconnectApplication({ deps, params, principal }: Call): Promise<AdminResponse> {
  const { store } = deps;
  const user = await store.people.users.get(principal.email);
  const grants = user === null ? null : await store.oauth.consents.revoke(params.id, user.id);
  if (grants === null) throw new SluiceError("NOT_FOUND", { what: "Application" });
  await deps.endGrants(grants, { revokedBy: principal.email, reason: "disconnected by its user" });
  return ok(null, 204);
}
