// Log of the upstreams and virtual servers that recent writes have changed.
import {
  hasWrite,
  type KnownVersions,
  raiseRegistryVersion,
  readVersions,
  registryVersionOf,
} from "../../sql/catalog_version.ts";
import { ChangeLog } from "../../sql/change_log.ts";
import type { Database } from "../../sql/sql.ts";

/** Ids. A change of an upstream's entries, tombstones or held changes is a change of the upstream. */
export interface ChangedRegistry {
  readonly gateways?: readonly string[];
  readonly servers?: readonly string[];
}

const CHANGES = new ChangeLog("registry_changes", { gateways: "gateway", servers: "server" });

/**
 * Raises the version of the registry, and stores the ids that a write has changed. Every transaction that changes upstreams, their entries
 * or virtual servers calls this function. A refresh need not name virtual servers: the members that it takes away come back with it. The
 * deletion of an entry by an operator names them, because the entry comes back without them.
 * @param changed "all": the workers read everything
 */
export async function tellRegistryChanged(tx: Database, changed: ChangedRegistry | "all"): Promise<void> {
  await CHANGES.note(tx, await raiseRegistryVersion(tx), changed);
}

/** The ids that have changed since `known`. @returns null: everything has to be read, for example after a failover that has lost writes */
export async function registryChangedSince(
  tx: Database,
  known: KnownVersions,
): Promise<Required<ChangedRegistry> | null> {
  if (!await hasWrite(tx, known)) return null;
  const present = await readVersions(tx);
  return await CHANGES.since(tx, registryVersionOf(known), registryVersionOf(present));
}
