// The version of what workers keep in memory. A worker reads the database again when the number has grown.
import { type Database, sql } from "./sql.ts";

/** The versions of one snapshot: of everything, of users, teams and roles, and of API tokens and other rights. */
export interface KnownVersions {
  readonly catalog: number;
  readonly people: number;
  readonly tokens: number;
}

export async function readVersions(tx: Database): Promise<KnownVersions> {
  const [row] = await tx.query<Record<"version" | "people_version" | "tokens_version", number | string>>(
    sql`SELECT version, people_version, tokens_version FROM catalog_version`,
  );
  return {
    catalog: Number(row.version),
    people: Number(row.people_version),
    tokens: Number(row.tokens_version),
  };
}

/**
 * Has anything changed besides people and other rights? Each of their versions raises the catalog's with it, so another change is one that
 * the catalog's version counts alone. Versions that are lower than before are those of a restored backup, and count as a change.
 */
export function hasOtherChanges(known: KnownVersions, present: KnownVersions): boolean {
  const others = ({ catalog, people, tokens }: KnownVersions) => catalog - people - tokens;
  const isOlder = present.people < known.people || present.tokens < known.tokens;
  return isOlder || others(present) !== others(known);
}

/**
 * Raises the version. Called in every transaction that changes upstreams, virtual servers or what they offer, also where one of the
 * functions below is called.
 */
export async function raiseCatalogVersion(tx: Database): Promise<void> {
  await tx.run(sql`UPDATE catalog_version SET version = version + 1`);
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
