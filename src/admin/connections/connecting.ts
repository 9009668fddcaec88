// Room `connections`: logins of people at upstreams. This file decides who may connect what, for pages and the REST API alike.
import type { Principal } from "../../auth/principal.ts";
import { mayChange, requirePermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { barrierTo } from "../../catalog/snapshot/reach.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { Registry } from "../../store/registry/registry.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { type ConnectionRow, SHARED_OWNER } from "../../store/upstream_tokens/connections.ts";
import type { OwnAddresses } from "../../upstream/authorization/login/login_client.ts";
import type { BegunLogin, ConnectTarget, LoginFlow } from "../../upstream/authorization/login/login_flow.ts";
import { needsConnection } from "./connection_state.ts";

export interface ConnectingDeps {
  readonly store: Registry;
  readonly flow: LoginFlow;
  /** null: the upstream wants no logins of people. @throws {SluiceError} SECRET_UNREADABLE */
  readonly targetOf: (row: GatewayRow) => Promise<ConnectTarget | null>;
  readonly catalog: () => Catalog;
  /** Lists an upstream that was never listed. */
  readonly refresh: (gatewayId: string) => Promise<unknown>;
  /** Resolves when all workers of this replica know of the changed login. */
  readonly catalogChanged: () => Promise<void>;
}

/** An upstream where people log in, and the login that concerns a caller. */
export interface Connectable {
  readonly gateway: GatewayRow;
  readonly target: ConnectTarget;
  /** The owner of the login that the caller's calls use. */
  readonly owner: string;
  /** null: there is none yet. */
  readonly row: ConnectionRow | null;
  /** May the caller log in and disconnect? */
  readonly mayChange: boolean;
}

export class Connecting {
  constructor(private readonly deps: ConnectingDeps) {}

  /** The upstreams where the caller's calls need a login, by name. */
  async list(principal: Principal): Promise<Connectable[]> {
    const found: Connectable[] = [];
    const rows = await this.deps.store.connections.listOf(principal.email);
    for (const gateway of await this.deps.store.gateways.list()) {
      const each = await this.#connectable(principal, gateway, rows);
      if (each !== null) found.push(each);
    }
    return found.sort((one, other) => one.gateway.name < other.gateway.name ? -1 : 1);
  }

  /** @throws {SluiceError} NOT_FOUND */
  async find(principal: Principal, gatewayId: string): Promise<Connectable> {
    const gateway = await this.deps.store.gateways.get(gatewayId);
    const rows = await this.deps.store.connections.listOf(principal.email);
    const found = gateway === null ? null : await this.#connectable(principal, gateway, rows);
    if (found === null) throw new SluiceError("NOT_FOUND", { what: "Connection" });
    return found;
  }

  /** @throws {SluiceError} NOT_FOUND, FORBIDDEN, UPSTREAM_LOGIN_FAILED */
  async begin(
    principal: Principal,
    gatewayId: string,
    how: { readonly addresses: OwnAddresses; readonly next: string },
  ): Promise<BegunLogin> {
    const found = await this.#changeable(principal, gatewayId);
    return await this.deps.flow.begin(found.target, { ...how, owner: found.owner });
  }

  /** @returns the page to go to @throws {SluiceError} as `begin()` */
  async finish(
    principal: Principal,
    gatewayId: string,
    came: {
      readonly answer: URLSearchParams;
      /** The address that the browser came to, without the query. */
      readonly cameTo: string;
      readonly sealed: string | undefined;
      readonly addresses: OwnAddresses;
    },
  ): Promise<string> {
    const { target, owner, gateway } = await this.#changeable(principal, gatewayId);
    const next = await this.deps.flow.finish(target, { ...came, owner });
    await this.deps.catalogChanged();
    // A failure is told on the upstream's page.
    if (gateway.registration !== null) await this.deps.refresh(gatewayId).catch(() => {});
    return next;
  }

  /**
   * @param owner of the login; null: the one that the caller's calls use. Another one's needs the right to change the upstream
   * @throws {SluiceError} NOT_FOUND, FORBIDDEN
   */
  async disconnect(principal: Principal, gatewayId: string, owner: string | null): Promise<void> {
    const isOwn = owner === null || owner === principal.email;
    const found = isOwn ? await this.#changeable(principal, gatewayId) : null;
    const gateway = found?.gateway ?? await this.deps.store.gateways.get(gatewayId);
    if (!isOwn && (gateway === null || !mayChange(principal, "gateways.update", gateway))) {
      requirePermission(principal, "gateways.update");
      throw new SluiceError("NOT_FOUND", { what: "Connection" });
    }
    const whose = owner ?? found!.owner;
    const target = gateway === null ? null : await this.deps.targetOf(gateway).catch(() => null);
    if (!await this.deps.flow.disconnect(gatewayId, whose, target)) {
      throw new SluiceError("NOT_FOUND", { what: "Connection" });
    }
    await this.deps.catalogChanged();
  }

  async #changeable(principal: Principal, gatewayId: string): Promise<Connectable> {
    const found = await this.find(principal, gatewayId);
    if (found.mayChange) return found;
    throw new SluiceError("FORBIDDEN", {
      reason: "all callers share this login; connecting it needs gateways.update",
    });
  }

  async #connectable(
    principal: Principal,
    gateway: GatewayRow,
    rows: readonly ConnectionRow[],
  ): Promise<Connectable | null> {
    if (gateway.authType !== "oauth") return null;
    const barrier = barrierTo(this.deps.catalog(), { principal, serverId: null }, gateway.id);
    const mayUpdate = mayChange(principal, "gateways.update", gateway);
    if (barrier !== null && !mayUpdate) return null;
    const target = await this.deps.targetOf(gateway).catch(() => null);
    if (target === null || !needsConnection(target)) return null;
    const isShared = target.credentials.login!.connection === "shared";
    const owner = isShared ? SHARED_OWNER : principal.email;
    const row = rows.find((each) => each.gatewayId === gateway.id && each.owner === owner) ?? null;
    return { gateway, target, owner, row, mayChange: !isShared || mayUpdate };
  }
}
