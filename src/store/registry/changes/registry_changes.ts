// Which upstreams and virtual servers the last writes have changed.
import {
  type KnownVersions,
  raiseRegistryVersion,
  readVersions,
  registryVersionOf,
} from "../../sql/catalog_version.ts";
import { ChangeLog } from "../../sql/change_log.ts";
import type { Database } from "../../sql/sql.ts";

/** Ids. An upstream has changed with its entries, with those that it has dropped, and with its held changes. */
export interface ChangedRegistry {
  readonly gateways?: readonly string[];
  readonly servers?: readonly string[];
}

const CHANGES = new ChangeLog("registry_changes", { gateways: "gateway", servers: "server" });

/**
 * Raises the version of the registry in the transaction of a write, with what the write changes. Called in every transaction that changes
 * upstreams, virtual servers or what they offer. Virtual servers whose members an upstream takes away or gives back need not be named.
 * @param changed "all": the workers read everything
 */
export async function tellRegistryChanged(tx: Database, changed: ChangedRegistry | "all"): Promise<void> {
  await CHANGES.note(tx, await raiseRegistryVersion(tx), changed);
}

/** What has changed since `known`. @returns null: everything has to be read, also after a backup was restored */
export async function registryChangedSince(
  tx: Database,
  known: KnownVersions,
): Promise<Required<ChangedRegistry> | null> {
  const present = await readVersions(tx);
  if (present.people < known.people || present.tokens < known.tokens) return null;
  return await CHANGES.since(tx, registryVersionOf(known), registryVersionOf(present));
}
