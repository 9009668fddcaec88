// The order of all lists: gateways in registration order, and each gateway's entries in the order they were first seen.
import type { EntityRow, GatewayRow } from "../../store/registry/rows.ts";

/**
 * The position of an entry. It never changes while the entry exists, so that a client that reads a list in pages gets each
 * entry once, even if other entries come and go.
 */
export interface ListPosition {
  /** ISO 8601, UTC. */
  readonly gatewayCreatedAt: string;
  readonly gatewayId: string;
  readonly position: number;
  readonly id: string;
}

/** A row with its gateway. */
export interface Placed<Row extends PlacedRow = PlacedRow> {
  readonly row: Row;
  readonly gateway: GatewayRow;
}

export type PlacedRow = EntityRow & { readonly gatewayId: string | null; readonly position: number };

export function positionOf({ row, gateway }: Placed): ListPosition {
  return {
    gatewayCreatedAt: gateway.createdAt,
    gatewayId: gateway.id,
    position: row.position,
    id: row.id,
  };
}

/** Negative if `a` comes first. Texts are compared by code unit, so that all machines agree. */
export function comparePositions(a: ListPosition, b: ListPosition): number {
  return compare(a.gatewayCreatedAt, b.gatewayCreatedAt) || compare(a.gatewayId, b.gatewayId) ||
    a.position - b.position || compare(a.id, b.id);
}

/** Negative if `a` was seen first. Entries that were first seen together are in list order. */
export function byFirstSeen(a: Placed, b: Placed): number {
  return compare(a.row.createdAt, b.row.createdAt) || comparePositions(positionOf(a), positionOf(b));
}

/** Sorts gateways by registration. */
export function inRegistrationOrder(gateways: readonly GatewayRow[]): GatewayRow[] {
  return [...gateways].sort((a, b) => compare(a.createdAt, b.createdAt) || compare(a.id, b.id));
}

/** The rows of the given gateways in list order, each with its gateway. */
export function inListOrder<Row extends PlacedRow>(
  rows: readonly Row[],
  gateways: ReadonlyMap<string, GatewayRow>,
): Placed<Row>[] {
  return rows.flatMap((row) => {
    const gateway = gateways.get(row.gatewayId ?? "");
    return gateway === undefined ? [] : [{ row, gateway, at: positionOf({ row, gateway }) }];
  }).sort((a, b) => comparePositions(a.at, b.at)).map(({ row, gateway }) => ({ row, gateway }));
}

/** The index of the first entry after a position. Entries must be in list order. */
export function indexAfter(entries: readonly Placed[], position: ListPosition): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comparePositions(positionOf(entries[middle]!), position) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
