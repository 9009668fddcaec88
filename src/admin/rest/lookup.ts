// Finds the row that a path names, if the caller may see it, and handles the fields that several entities share.
import type { Permission } from "../../auth/permission_table.ts";
import type { Principal } from "../../auth/principal.ts";
import { canSee, placeOf, requireChange, requireOwner, requirePlace } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Entities } from "../../store/registry/entities.ts";
import type { EntityRow, EntryRow, GatewayRow } from "../../store/registry/rows.ts";
import { barrierForAll, refusedBy } from "../../upstream/bound/barrier.ts";
import type { AdminDeps, Call } from "./deps.ts";
import { type Fault, fault } from "./faults.ts";

/**
 * @param isNamed whether the path's text is a name of the row; absent: the text is an id
 * @throws {SluiceError} NOT_FOUND if there is no such row, or if the caller may not see it; CONFLICT if several have the name
 */
export async function visibleRow<Row extends EntityRow>(
  { params: { id }, principal }: Call,
  noun: string,
  entities: Entities<Row>,
  isNamed?: (row: Row, text: string) => boolean,
): Promise<Row> {
  const row = await entities.get(id);
  if (row !== null && canSee(principal, row)) return row;
  const named = isNamed === undefined
    ? []
    : (await entities.list()).filter((each) => isNamed(each, id) && canSee(principal, each));
  if (named.length > 1) {
    const ids = named.map((each) => each.id).join(", ");
    throw new SluiceError("CONFLICT", {
      reason: `Several ${noun.toLowerCase()}s have the name or slug "${id}"; use one of the ids ${ids}`,
    });
  }
  if (named.length === 0) throw new SluiceError("NOT_FOUND", { what: `${noun} ${id}` });
  return named[0];
}

/**
 * The same, if the caller may change the row. A row that the caller may not see is answered like an unknown one.
 * @throws {SluiceError} NOT_FOUND, CONFLICT, FORBIDDEN
 */
export async function changeableRow<Row extends EntityRow>(
  call: Call,
  noun: string,
  entities: Entities<Row>,
  isNamed?: (row: Row, text: string) => boolean,
): Promise<Row> {
  const row = await visibleRow(call, noun, entities, isNamed);
  if (call.permission !== null) requireChange(call.principal, call.permission, row);
  return row;
}

/**
 * The gateway whose id, name or slug the path has.
 * @throws {SluiceError} NOT_FOUND, CONFLICT if several gateways have the name
 */
export function visibleGateway(call: Call): Promise<GatewayRow> {
  return visibleRow(call, "Gateway", call.deps.store.gateways, isGatewayNamed);
}

/** The same, if the caller may change the gateway. @throws {SluiceError} NOT_FOUND, CONFLICT, FORBIDDEN */
export function changeableGateway(call: Call): Promise<GatewayRow> {
  return changeableRow(call, "Gateway", call.deps.store.gateways, isGatewayNamed);
}

export function isGatewayNamed({ name, slug }: GatewayRow, text: string): boolean {
  return name === text || slug === text;
}

/**
 * The row after a write, read again for the answer.
 * @throws {SluiceError} NOT_FOUND if somebody else has deleted it meanwhile
 */
export function stillThere<Row>(row: Row | null, what: string): Row {
  if (row === null) throw new SluiceError("NOT_FOUND", { what });
  return row;
}

/** All gateways by id. A list of thousands of entities needs one query for them. */
export async function gatewaysById({ store }: AdminDeps): Promise<Map<string, GatewayRow>> {
  return new Map((await store.gateways.list()).map((row) => [row.id, row]));
}

/** Whether an entry and its gateway are enabled. */
export function isOnAt(gateways: ReadonlyMap<string, GatewayRow>) {
  return ({ enabled, gatewayId }: Pick<EntryRow, "enabled" | "gatewayId">) =>
    enabled && gateways.get(gatewayId ?? "")?.enabled !== false;
}

export async function gatewayOf(
  { store }: AdminDeps,
  { gatewayId }: { readonly gatewayId: string | null },
): Promise<GatewayRow | undefined> {
  return gatewayId === null ? undefined : await store.gateways.get(gatewayId) ?? undefined;
}

/** The gateway, or undefined if the caller may not see it: an entity can be visible although its upstream is not. */
export function knownGateway(principal: Principal, gateway: GatewayRow | undefined): GatewayRow | undefined {
  return gateway !== undefined && canSee(principal, gateway) ? gateway : undefined;
}

/** @throws {SluiceError} NOT_FOUND if the entity is disabled, UPSTREAM_DISABLED if its gateway is */
export async function requireUsable(
  deps: AdminDeps,
  noun: string,
  row: EntityRow & { readonly gatewayId: string | null },
): Promise<void> {
  if (!row.enabled) throw new SluiceError("NOT_FOUND", { what: `${noun} ${row.id}` });
  const gateway = await gatewayOf(deps, row);
  if (gateway === undefined) return;
  const barrier = barrierForAll(gateway);
  if (barrier !== null) throw refusedBy(barrier, gateway.name);
}

interface SharingInput {
  readonly tags?: readonly string[];
  readonly visibility?: EntityRow["visibility"];
  readonly team_id?: string | null;
  readonly owner_email?: string | null;
}

/**
 * The fields of a new entity with the team that it belongs to.
 * @throws {SluiceError} FORBIDDEN if the caller may not create it there, or for this owner
 */
export function placed(
  principal: Principal,
  permission: Permission,
  raw: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { team_id: team, owner_email: owner } = raw;
  requireOwner(principal, permission, owner);
  return { ...raw, team_id: placeOf(principal, permission, typeof team === "string" ? team : null) };
}

/** Checks a change of team and owner. @throws {SluiceError} FORBIDDEN */
export function requireMove(
  { principal, permission }: Call,
  { team_id: team, owner_email: owner }: Readonly<Record<string, unknown>>,
  row: EntityRow,
): void {
  if (permission === null) return;
  if (team !== undefined && team !== row.teamId) {
    requirePlace(principal, permission, typeof team === "string" ? team : null);
  }
  if (owner !== row.ownerEmail) requireOwner(principal, permission, owner);
}

/** Owner, visibility and tags of a new entity. */
export function newSharing(input: SharingInput, { email }: Principal) {
  return {
    tags: input.tags ?? [],
    visibility: input.visibility ?? "public",
    teamId: input.team_id ?? null,
    ownerEmail: input.owner_email ?? email,
    createdBy: email,
  };
}

/** Changes of visibility, team, owner and tags. An entity always keeps an owner. */
export function sharingChanges(input: SharingInput) {
  return {
    tags: input.tags,
    visibility: input.visibility,
    teamId: input.team_id,
    ownerEmail: input.owner_email ?? undefined,
  };
}

/**
 * A fault if an entity with visibility "team" names no team.
 * @param row the entity before the request; null for a new one
 */
export function sharingFaults(
  raw: Readonly<Record<string, unknown>>,
  row: EntityRow | null,
  loc: readonly string[],
): Fault[] {
  const visibility = raw.visibility ?? row?.visibility;
  const teamId = raw.team_id === undefined ? row?.teamId : raw.team_id;
  if (visibility !== "team" || teamId) return [];
  return [fault([...loc, "team_id"], 'Field required with visibility "team"', "missing")];
}

/**
 * Faults for changes of fields that come from the upstream. A client may send back the value that it read.
 * @param read the entity in the format of answers
 */
export function upstreamFieldFaults(
  input: Readonly<Record<string, unknown>>,
  read: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): Fault[] {
  return fields.flatMap((field) => {
    const value = input[field];
    const current = read[field.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())] ?? null;
    if (value === undefined || value === null || JSON.stringify(value) === JSON.stringify(current)) return [];
    return [fault(["body", field], "comes from the upstream and cannot be changed here", "not_changeable")];
  });
}
