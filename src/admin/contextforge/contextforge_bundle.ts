// Makes an import of the database of a ContextForge.
import { SluiceError } from "../../base/errors.ts";
import type { DatabaseSettings } from "../../store/open_database.ts";
import type { AdminDeps } from "../rest/deps.ts";
import type { Bundle, LeftOut } from "../transfer/bundle.ts";
import { contextForgeSecrets } from "../transfer/contextforge_secrets.ts";
import { peopleOfSource } from "./people_of_source.ts";
import { contextForgeBundles } from "./sealed_bundles.ts";
import { registryOfSource } from "./registry_of_source.ts";
import { readSourceDatabase } from "./source_database.ts";
import { LACKING } from "./source_tables.ts";
import { listOf } from "./source_values.ts";

export interface BundleOptions {
  readonly settings: DatabaseSettings;
  /** ContextForge's AUTH_ENCRYPTION_SECRET; null: not known. */
  readonly encryptionSecret: string | null;
  readonly deps: Pick<AdminDeps, "checkEgress" | "now">;
}

export interface ContextForgeBundle {
  readonly bundle: Bundle;
  /** Headers that ContextForge passes to every upstream that names none. */
  readonly passedEverywhere: readonly string[];
}

/**
 * @param place the path of a SQLite file, or a URL
 * @throws {SluiceError} SOURCE_UNUSABLE, also if the secret opens none of the stored credentials; SETTINGS_INVALID
 */
export async function contextForgeBundle(
  place: string,
  { settings, encryptionSecret, deps }: BundleOptions,
): Promise<ContextForgeBundle> {
  const { tables, lacking } = await readSourceDatabase(place, settings);
  const leftOut: LeftOut[] = [];
  const people = peopleOfSource(tables, leftOut, deps.now());
  const open = encryptionSecret === null
    ? () => Promise.resolve(null)
    : await contextForgeSecrets(encryptionSecret);
  const { unreadable, withCredentials, ...registry } = await registryOfSource(tables, {
    deps,
    open,
    openBundle: contextForgeBundles(encryptionSecret),
    leftOut,
  });
  if (unreadable.length > 0 && unreadable.length === withCredentials) {
    throw wrongSecret(unreadable, encryptionSecret === null);
  }
  for (const [what, amount] of lacking) {
    const reason = what === LACKING.oauth_tokens
      ? "each user connects the upstream again"
      : "not supported yet";
    leftOut.push({ kind: "other", label: `${amount} ${what}`, reason });
  }
  const passedEverywhere = listOf(tables.global_config[0]?.passthrough_headers ?? null).map(String);
  return { bundle: { ...registry, ...people, leftOut }, passedEverywhere };
}

function wrongSecret(gateways: readonly string[], isUnknown: boolean): SluiceError {
  const named = gateways.slice(0, 5).map((name) => JSON.stringify(name)).join(", ");
  const more = gateways.length > 5 ? ` and ${gateways.length - 5} more` : "";
  const why = isUnknown
    ? "there is no AUTH_ENCRYPTION_SECRET"
    : "this AUTH_ENCRYPTION_SECRET does not open them";
  return new SluiceError("SOURCE_UNUSABLE", {
    source: "ContextForge",
    reason:
      `its gateways ${named}${more} have credentials, and ${why}. Nothing was imported. Name a file with ` +
      "ContextForge's AUTH_ENCRYPTION_SECRET by --secret-file",
  });
}
