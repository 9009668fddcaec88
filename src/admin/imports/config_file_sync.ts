// Makes the registry follow a configuration file (MCP_CONFIG): its servers are registered, changed and deleted with it.
import type { Principal } from "../../auth/principal.ts";
import type { FaultyEntry, ServerEntry } from "../../client_config/server_entries.ts";
import type { AdminDeps } from "../rest/deps.ts";
import { importServers, removeAbsent } from "./server_import.ts";

/** The file's present content, as plain data. It holds secrets: must not be logged. */
export interface ConfigFileContent {
  /** The mark of its gateways. */
  readonly source: string;
  readonly entries: readonly (ServerEntry | FaultyEntry)[];
  /** Values of variables by name. */
  readonly values: Readonly<Record<string, string>>;
}

/** What an application of the file has done, by names of servers. */
export interface ConfigFileChanges {
  readonly registered: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Registers the file's servers without waiting, and deletes those that it no longer names. Gateways without its mark stay.
 * @throws {SluiceError} STORE_UNAVAILABLE
 */
export async function applyConfigFile(
  deps: AdminDeps,
  operator: Principal,
  { source, entries, values }: ConfigFileContent,
): Promise<ConfigFileChanges> {
  const removed = await removeAbsent(deps, source, entries);
  const results = await importServers(deps, operator, entries, {
    ...{ source, wait: false, isDryRun: false },
    lookUp: ({ name }) => Object.hasOwn(values, name) ? values[name] : undefined,
  });
  const named = (wanted: string) =>
    results.filter(({ outcome }) => outcome === wanted).map(({ name }) => name);
  const leftOut = results.filter(({ outcome }) => outcome === "left_out" || outcome === "failed");
  return {
    registered: named("taken"),
    changed: named("changed"),
    removed,
    leftOut: leftOut.map(({ name, reason }) => ({ name, reason: reason ?? "" })),
  };
}
