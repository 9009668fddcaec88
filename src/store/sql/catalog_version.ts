// The version of what workers keep in memory. A worker reads the database again when the number has grown.
import { type Database, sql } from "./sql.ts";

/** Raises the version. Called in every transaction that changes the registry, a revocation, or who may do what. */
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

/** Raises the version, and that of API tokens, of which workers read on their own what has changed. @returns the latter */
export async function raiseTokensVersion(tx: Database): Promise<number> {
  const [row] = await tx.query<{ tokens_version: number | string }>(
    sql`UPDATE catalog_version SET version = version + 1, tokens_version = tokens_version + 1
        RETURNING tokens_version`,
  );
  return Number(row.tokens_version);
}
