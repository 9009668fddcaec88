// The version of what workers keep in memory. A worker reads the database again when the number has grown.
import { type Database, sql } from "./sql.ts";

/** The versions of one snapshot: of everything, of users, teams and roles, and of API tokens and other rights. */
export interface KnownVersions {
  readonly catalog: number;
  readonly people: number;
  readonly tokens: number;
}

interface VersionRow {
  readonly version: number | string;
  readonly people_version: number | string;
  readonly tokens_version: number | string;
}

export async function readVersions(tx: Database): Promise<KnownVersions> {
  const [row] = await tx.query<VersionRow>(
    sql`SELECT version, people_version, tokens_version FROM catalog_version`,
  );
  return versionsOf(row);
}

function versionsOf({ version, people_version: people, tokens_version: tokens }: VersionRow): KnownVersions {
  return { catalog: Number(version), people: Number(people), tokens: Number(tokens) };
}

/**
 * The version of the registry: of upstreams, virtual servers and what they offer. The other versions raise the catalog's with them, so the
 * rest of it counts changes of the registry.
 */
export function registryVersionOf({ catalog, people, tokens }: KnownVersions): number {
  return catalog - people - tokens;
}

/** Raises the version, and that of the registry. @returns the latter */
export async function raiseRegistryVersion(tx: Database): Promise<number> {
  const [row] = await tx.query<VersionRow>(
    sql`UPDATE catalog_version SET version = version + 1 RETURNING version, people_version, tokens_version`,
  );
  return registryVersionOf(versionsOf(row));
}

/** Raises the version, and that of users, teams and roles, of which workers read on their own what has changed. @returns the latter */
export async function raisePeopleVersion(tx: Database): Promise<number> {
  const [row] = await tx.query<{ people_version: number | string }>(
    sql`UPDATE catalog_version SET version = version + 1, people_version = people_version + 1
        RETURNING people_version`,
  );
  return Number(row.people_version);
}

/**
 * Raises the version, and that of what else concerns rights: API tokens, revocations, quotas and logins of people at upstreams. Workers read
 * these again, and nothing that upstreams offer.
 * @returns the latter
 */
export async function raiseRightsVersion(tx: Database): Promise<number> {
  const [row] = await tx.query<{ tokens_version: number | string }>(
    sql`UPDATE catalog_version SET version = version + 1, tokens_version = tokens_version + 1
        RETURNING tokens_version`,
  );
  return Number(row.tokens_version);
}
