// Events between replicas, over Redis. An event can be lost, and has no data: the receiver reads the database.

/** The catalog in the database has a new version. */
export type BusEvent = { readonly type: "catalog_changed" };

export interface Publisher {
  /** Never throws, and does not wait. A replica that misses the event finds the change within MAX_INTERVAL. */
  publish(event: BusEvent): void;
}

export interface Listener {
  onEvent(event: BusEvent): void;
  /** Listening has started, or started again. Earlier events may have been missed. */
  onListening(): void;
}

/** Without Redis no events are sent. Replicas check the database periodically. */
export const NO_PUBLISHER: Publisher = { publish: () => {} };

const TYPES: ReadonlySet<unknown> = new Set<BusEvent["type"]>(["catalog_changed"]);

/** @returns null for an unknown event: a newer version of the program may use the same Redis */
export function parseBusEvent(text: string): BusEvent | null {
  try {
    const event = JSON.parse(text);
    return TYPES.has(event?.type) ? event : null;
  } catch {
    return null;
  }
}
