// The indexes of long lists of users, teams and API tokens, as the step of the schema that makes them. It is never edited.
import { BYTE_ORDER, type Database, sql, type SqlQuery } from "./sql.ts";

/** They find the tokens that cannot be used by what the count of these asks. */
export const TOKEN_INDEXES: readonly SqlQuery[] = [
  sql`CREATE INDEX api_tokens_off ON api_tokens (is_active, revoked_at)
      WHERE is_active = 0 OR revoked_at IS NOT NULL`,
  sql`CREATE INDEX api_tokens_expiry ON api_tokens (expires_at, is_active, revoked_at)
      WHERE is_active = 1 AND revoked_at IS NULL AND expires_at IS NOT NULL`,
];

/** Users and teams are listed in the order of their bytes, whatever the collation of the database. */
export async function indexLists(tx: Database): Promise<void> {
  const bytes = BYTE_ORDER[tx.dialect];
  await tx.run(sql`CREATE INDEX teams_by_name ON teams (is_personal, name ${bytes}, id)`);
  // SQLite compares by bytes: there the unique index serves.
  if (tx.dialect === "postgres") await tx.run(sql`CREATE INDEX users_by_email ON users (email ${bytes})`);
}
