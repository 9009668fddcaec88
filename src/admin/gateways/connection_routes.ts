// /connections: the logins of the caller at upstreams, and for operators those of everybody.
import { mayChange } from "../../auth/rbac.ts";
import type { ConnectionRow } from "../../store/upstream_tokens/connections.ts";
import { connectPath } from "../../upstream/authorization/login/person_login.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { stateOfConnection } from "../connections/connection_state.ts";

export async function listConnections({ deps, principal }: Call): Promise<AdminResponse> {
  const now = deps.now().getTime();
  const found = await deps.connecting.list(principal);
  return ok(found.map(({ gateway, target, row, mayChange }) => ({
    ...shown(gateway.id, gateway.name, row, now),
    connection: target.credentials.login!.connection,
    may_connect: mayChange,
    connect_path: connectPath(gateway.id),
  })));
}

/** Of the upstreams that the caller may change. Those that will end or have ended come first. */
export async function listAllConnections({ deps, principal }: Call): Promise<AdminResponse> {
  const now = deps.now().getTime();
  const gateways = await deps.store.gateways.list();
  const names = new Map(
    gateways.filter((row) => mayChange(principal, "gateways.update", row)).map(({ id, name }) => [id, name]),
  );
  const rows = await deps.store.connections.listAll();
  const all = rows.filter(({ gatewayId }) => names.has(gatewayId)).map((row) => ({
    ...shown(row.gatewayId, names.get(row.gatewayId)!, row, now),
    owner: row.owner === "" ? null : row.owner,
  }));
  const isWell = ({ state }: { readonly state: string }) => state === "connected" ? 1 : 0;
  return ok(all.sort((one, other) => isWell(one) - isWell(other)));
}

export async function disconnectUpstream({ deps, principal, params }: Call): Promise<AdminResponse> {
  await deps.connecting.disconnect(principal, params.id, null);
  return ok(null, 204);
}

export async function disconnectUser({ deps, principal, params }: Call): Promise<AdminResponse> {
  await deps.connecting.disconnect(principal, params.id, params.owner);
  return ok(null, 204);
}

function shown(id: string, name: string, row: ConnectionRow | null, now: number) {
  return {
    gateway_id: id,
    gateway_name: name,
    state: stateOfConnection(row, now),
    connected_at: row === null ? null : new Date(row.connectedAt).toISOString(),
    expires_at: row === null || row.expiresAt === null ? null : new Date(row.expiresAt).toISOString(),
    is_renewable: row?.isRenewable ?? false,
    fault: row?.fault ?? null,
    wanted_scope: row?.wantedScope ?? null,
  };
}
