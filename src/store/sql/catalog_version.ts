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
 * The version of the registry: of upstreams, their entries, and virtual servers. A change of people or rights raises the version of the
 * catalog too, so the difference counts the changes of the registry.
 */
export function registryVersionOf({ catalog, people, tokens }: KnownVersions): number {
  return catalog - people - tokens;
}

/** Raises the versions of the catalog and of the registry. @returns the version of the registry */
export async function raiseRegistryVersion(tx: Database): Promise<number> {
  const [row] = await tx.query<VersionRow>(
    sql`UPDATE catalog_version SET version = version + 1 RETURNING version, people_version, tokens_version`,
  );
  return registryVersionOf(versionsOf(row));
}

/** Raises the versions of the catalog and of people: users, teams and roles. @returns the version of people */
export async function raisePeopleVersion(tx: Database): Promise<number> {
  const [row] = await tx.query<{ people_version: number | string }>(
    sql`UPDATE catalog_version SET version = version + 1, people_version = people_version + 1
        RETURNING people_version`,
  );
  return Number(row.people_version);
}

/**
 * Raises the versions of the catalog and of rights: API tokens, revocations, quotas, and logins of people at upstreams. Workers read the
 * rights again, and nothing of the registry.
 * @returns the version of rights
 */
export async function raiseRightsVersion(tx: Database): Promise<number> {
  const [row] = await tx.query<{ tokens_version: number | string }>(
    sql`UPDATE catalog_version SET version = version + 1, tokens_version = tokens_version + 1
        RETURNING tokens_version`,
  );
  return Number(row.tokens_version);
}
