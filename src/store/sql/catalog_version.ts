// The version of the catalog that workers keep in memory, and the ids of the writes that have raised it. A worker reads the database again
// when the version has changed.
import { newId } from "./new_id.ts";
import { type Database, sql, type SqlQuery } from "./sql.ts";

/** The number of versions whose writes and changed ids are kept. */
export const KEPT_VERSIONS = 1_000;

/** The versions of one snapshot: of everything, of users, teams and roles, and of API tokens and other rights. */
export interface KnownVersions {
  readonly catalog: number;
  readonly people: number;
  readonly tokens: number;
  /**
   * The random id of the write that has made the version of the catalog. A database that has lost writes gives their versions to other
   * writes: after a failover to a standby, or after the restore of a backup.
   */
  readonly write: string;
}

interface VersionRow {
  readonly version: number | string;
  readonly people_version: number | string;
  readonly tokens_version: number | string;
  readonly write_id: string;
}

/** The columns of `catalog_version` that `versionsOf` reads. */
export const VERSION_COLUMNS = sql`version, people_version, tokens_version, write_id`;

export async function readVersions(tx: Database): Promise<KnownVersions> {
  const [row] = await tx.query<Record<string, unknown>>(sql`SELECT ${VERSION_COLUMNS} FROM catalog_version`);
  return versionsOf(row);
}

export function versionsOf(row: Record<string, unknown>): KnownVersions {
  const { version, people_version: people, tokens_version: tokens, write_id: write } =
    row as unknown as VersionRow;
  return { catalog: Number(version), people: Number(people), tokens: Number(tokens), write };
}

/** The version of the catalog as one text. Two texts are equal if nothing was written between them. */
export function catalogVersionOf({ catalog, write }: Pick<KnownVersions, "catalog" | "write">): string {
  return `${catalog} ${write}`;
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
  return registryVersionOf(await raise(tx, sql.empty));
}

/** Raises the versions of the catalog and of people: users, teams and roles. @returns the version of people */
export async function raisePeopleVersion(tx: Database): Promise<number> {
  return (await raise(tx, sql`, people_version = people_version + 1`)).people;
}

/**
 * Raises the versions of the catalog and of rights: API tokens, revocations, quotas, and logins of people at upstreams. Workers read the
 * rights again, and nothing of the registry.
 * @returns the version of rights
 */
export async function raiseRightsVersion(tx: Database): Promise<number> {
  return (await raise(tx, sql`, tokens_version = tokens_version + 1`)).tokens;
}

async function raise(tx: Database, others: SqlQuery): Promise<KnownVersions> {
  const [row] = await tx.query<Record<string, unknown>>(
    sql`UPDATE catalog_version SET version = version + 1, write_id = ${newId()} ${others}
        RETURNING ${VERSION_COLUMNS}`,
  );
  const versions = versionsOf(row);
  const { catalog, write } = versions;
  await tx.run(sql`DELETE FROM catalog_writes WHERE version <= ${catalog - KEPT_VERSIONS}`);
  await tx.run(sql`INSERT INTO catalog_writes (version, write_id) VALUES (${catalog}, ${write})`);
  return versions;
}

/**
 * Does the database still have the write that has made these versions? If not, any row may have changed since: the database has lost the
 * write, a step of the schema or a gateway of a former version came after it, or it is too long ago.
 */
export async function hasWrite(
  tx: Database,
  { catalog, write }: Pick<KnownVersions, "catalog" | "write">,
): Promise<boolean> {
  const rows = await tx.query(
    sql`SELECT version FROM catalog_writes WHERE version = ${catalog} AND write_id = ${write}`,
  );
  return rows.length > 0;
}

/** Raises the version of the catalog, and makes every worker read all rows: any of them may have changed. */
export async function raiseAllVersions(tx: Database): Promise<void> {
  await tx.run(sql`DELETE FROM catalog_writes`);
  await raise(tx, sql.empty);
}
