// What replicas tell each other: small events over Redis, which may be lost. Whoever acts on one asks the database.

/** The catalog in the database has a new version. */
export type BusEvent = { readonly type: "catalog_changed" };

export interface Publisher {
  /** Never throws and is waited for by nobody: who does not hear of it finds it at the next look (MAX_INTERVAL). */
  publish(event: BusEvent): void;
}

export interface Listener {
  onEvent(event: BusEvent): void;
  /** Listening, from now on or again: what was published before may have been missed. */
  onListening(): void;
}

/** Where there is no Redis nobody is told; the others look at the database now and then. */
export const NO_PUBLISHER: Publisher = { publish: () => {} };

const TYPES: ReadonlySet<unknown> = new Set<BusEvent["type"]>(["catalog_changed"]);

/** @returns null for what is no event that we know: a newer version of the program may share the Redis */
export function parseBusEvent(text: string): BusEvent | null {
  try {
    const event = JSON.parse(text);
    return TYPES.has(event?.type) ? event : null;
  } catch {
    return null;
  }
}
