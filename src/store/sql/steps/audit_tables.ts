// The audit trail's columns and indexes for look-ups, as the step of the schema that makes them. It is never edited.
import { type Database, sql } from "../sql.ts";

/** The operations whose records are events of logins. */
const EVENTS = [
  ...["login", "loginByEmail", "finishSsoLogin", "logout", "refreshSession", "setUp", "createUser"],
  ...["registerUser", "changePassword", "changeOldPassword", "forgotPassword", "resetPassword"],
  ...["resetPasswordByPath", "unlockUser"],
];

/** A field of the record's text. PostgreSQL reads no JSON with the escape of NUL; a client may have put it into a name. */
const FIELD = {
  sqlite: (path: string) => sql`json_extract(record, ${`$.${path}`})`,
  postgres: (path: string) =>
    sql`CASE WHEN POSITION('\\u0000' IN record) = 0 THEN record::json #>> string_to_array(${path}, '.') END`,
} as const;

/**
 * Calls of many users to many tools wrote to as many pages of the indexes by email and entity. Now the number of the block of 1,024 records
 * comes first in these indexes, so that new records go to few pages. Nobody asked the index by time.
 */
export async function indexAuditRecords(tx: Database): Promise<void> {
  await tx.run(sql`DROP INDEX audit_records_at`);
  await tx.run(sql`DROP INDEX audit_records_email`);
  await tx.run(sql`DROP INDEX audit_records_entity_id`);
  await tx.run(sql`ALTER TABLE audit_records ADD COLUMN event_of TEXT`);
  const field = FIELD[tx.dialect];
  await tx.run(
    sql`UPDATE audit_records SET event_of = LOWER(COALESCE(
          CASE WHEN ${field("entity.kind")} = 'user' THEN ${field("entity.id")} END, email, ''))
        WHERE ${field("operation")} IN ${sql.list(EVENTS)}`,
  );
  if (tx.dialect === "sqlite") {
    // The number is SQLite's own key of the row, so that it needs no index of its own.
    await tx.run(
      sql`CREATE TABLE audit_records_by_number (
            sequence INTEGER NOT NULL PRIMARY KEY,
            at BIGINT NOT NULL,
            email TEXT,
            entity_id TEXT,
            record TEXT NOT NULL,
            hash TEXT NOT NULL,
            event_of TEXT)`,
    );
    await tx.run(
      sql`INSERT INTO audit_records_by_number
          SELECT sequence, at, email, entity_id, record, hash, event_of FROM audit_records ORDER BY sequence`,
    );
    await tx.run(sql`DROP TABLE audit_records`);
    await tx.run(sql`ALTER TABLE audit_records_by_number RENAME TO audit_records`);
  }
  await tx.run(sql`CREATE INDEX audit_records_email ON audit_records ((sequence / 1024), email, sequence)`);
  await tx.run(
    sql`CREATE INDEX audit_records_entity_id ON audit_records ((sequence / 1024), entity_id, sequence)`,
  );
  await tx.run(sql`CREATE INDEX audit_records_events ON audit_records (sequence) WHERE event_of IS NOT NULL`);
  await tx.run(
    sql`CREATE INDEX audit_records_event_of ON audit_records (event_of, sequence) WHERE event_of IS NOT NULL`,
  );
}
