// Stores gateways: after their upstreams were tried, or at once for the leader of the cluster to try.
import { SluiceError } from "../../base/errors.ts";
import { createNaming } from "../../catalog/snapshot/tool_name.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { Discovery, GatewayRow, PendingRegistration } from "../../store/registry/rows.ts";
import type { Credentials } from "../../upstream/credentials.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { discoverTarget, sealCredentials, shownCredentials, written } from "./gateway_credentials.ts";
import type { GatewayDraft } from "./gateway_draft.ts";

export interface RegistrationOptions {
  /** Try the upstream first, and store nothing if it fails. Otherwise the gateway is stored at once, and tried afterwards. */
  readonly wait: boolean;
  /** Called when the upstream has introduced itself, and is asked for its lists. */
  readonly onListing?: () => void;
}

/**
 * Connects to the upstream of a draft and lists it, with the checks of a registration.
 * @throws {SluiceError} EGRESS_DENIED, COMMAND_DENIED, CONFLICT, UPSTREAM_*
 */
export async function tryOut(deps: AdminDeps, draft: GatewayDraft): Promise<Discovery> {
  await deps.checkEgress(new URL(draft.row.url));
  await refuseTaken(deps, deps.store, draft);
  return await tried(deps, draft);
}

/**
 * Stores a new gateway. One that is switched off is stored untried.
 * @throws {SluiceError} EGRESS_DENIED, COMMAND_DENIED, CONFLICT; UPSTREAM_* if it was tried
 */
export async function register(
  deps: AdminDeps,
  draft: GatewayDraft,
  { wait, onListing }: RegistrationOptions,
): Promise<void> {
  const { row } = draft;
  await deps.checkEgress(new URL(row.url));
  await refuseTaken(deps, deps.store, draft);
  const isTried = wait && row.enabled && !isLoginOfPeople(draft.credentials);
  const discovery = isTried ? await tried(deps, draft, onListing) : null;
  const saved = await deps.store.transaction(async (store) => {
    await refuseTaken(deps, store, draft); // again: another request may have registered it meanwhile
    await store.gateways.insert(discovery === null ? { ...row, ...untried(deps, draft) } : row);
    return discovery === null
      ? null
      : await store.saveDiscovery(row.id, discovery, createNaming(deps.toolNames));
  });
  if (saved !== null) deps.onHeld(row.name, saved.holding);
  await deps.catalogChanged();
}

/**
 * Gives a gateway the place, the credentials and the state of a draft. What it offers stays until its new place was listed.
 * @throws {SluiceError} as `register`
 */
export async function replace(
  deps: AdminDeps,
  before: GatewayRow,
  draft: GatewayDraft,
  { wait, onListing }: RegistrationOptions,
): Promise<void> {
  const { url, transport, enabled } = draft.row;
  const { credentials } = draft;
  await deps.checkEgress(new URL(url));
  await refuseTaken(deps, deps.store, { ...draft, row: { ...draft.row, id: before.id } });
  const isTried = wait && enabled && !isLoginOfPeople(credentials);
  const discovery = isTried ? await tried(deps, draft, onListing) : null;
  const changes = {
    ...{ url, transport, enabled },
    ...await sealCredentials(deps, before.id, credentials),
    modifiedBy: draft.row.createdBy,
  };
  const saved = await deps.store.transaction(async (store) => {
    await store.gateways.update(
      before.id,
      discovery === null ? { ...changes, ...untried(deps, draft) } : changes,
    );
    return discovery === null
      ? null
      : await store.saveDiscovery(before.id, discovery, createNaming(deps.toolNames));
  });
  if (saved !== null) deps.onHeld(before.name, saved.holding);
  await deps.catalogChanged();
}

/** The first try of a registration, due now. */
export function firstTry({ now }: Pick<AdminDeps, "now">, isTransportOpen: boolean): PendingRegistration {
  return { tries: 0, nextTryAt: now().toISOString(), isTransportOpen };
}

/** @throws {SluiceError} CONFLICT if the name is in use, or the URL with the same credentials */
export async function refuseTaken(
  deps: AdminDeps,
  store: Registry,
  { row: { id, slug, url }, credentials }: {
    readonly row: Pick<GatewayRow, "id" | "slug" | "url">;
    readonly credentials: Credentials | null;
  },
): Promise<void> {
  for (const other of await store.gateways.list()) {
    if (other.id === id) continue;
    if (other.slug === slug) {
      throw new SluiceError("CONFLICT", {
        reason: `A gateway named "${other.name}" exists already (names are compared as "${slug}")`,
      });
    }
    if (other.url !== url || other.authType !== (credentials?.type ?? null)) continue;
    if (written(await shownCredentials(deps, other)) === written(credentials)) {
      throw new SluiceError("CONFLICT", {
        reason: `Gateway "${other.name}" has this URL and these credentials already`,
      });
    }
  }
}

/** Does the upstream wait for a login of a person before anything can be asked of it? */
export function isLoginOfPeople(credentials: Credentials | null): boolean {
  return credentials?.type === "oauth" && credentials.grant === "authorization_code";
}

/** @throws {SluiceError} INVALID_REQUEST if a person has to log in first; UPSTREAM_* */
async function tried(
  deps: AdminDeps,
  { row, credentials, isTransportOpen }: GatewayDraft,
  onListing?: () => void,
): Promise<Discovery> {
  if (isLoginOfPeople(credentials)) {
    throw new SluiceError("INVALID_REQUEST", {
      reason: "an upstream where people log in can only be tried after it was registered and connected",
    });
  }
  return await deps.discover(await discoverTarget(deps, row, credentials, isTransportOpen), onListing);
}

/** The fields of a gateway whose upstream has not been listed. One that waits for a login is listed after it. */
export function untried(
  deps: Pick<AdminDeps, "now">,
  { isTransportOpen, credentials }: Pick<GatewayDraft, "isTransportOpen" | "credentials">,
): Pick<GatewayRow, "registration" | "reachable" | "lastError"> {
  const registration = firstTry(deps, isTransportOpen);
  return isLoginOfPeople(credentials)
    ? {
      registration: { ...registration, nextTryAt: null },
      reachable: false,
      lastError: "It waits for a login: connect it on the page Your connections",
    }
    : { registration, reachable: false, lastError: null };
}
