// Tables of virtual servers, for the steps of the schema that make them. A step is never edited.
import { sql, type SqlQuery } from "../sql.ts";

/** The table of a virtual server's tools, resources or prompts, with their order. */
export function membership(noun: string): SqlQuery[] {
  const table = sql.id(`server_${noun}s`);
  const member = sql.id(`${noun}_id`);
  return [
    sql`CREATE TABLE ${table} (
      server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
      ${member} TEXT NOT NULL REFERENCES ${sql.id(`${noun}s`)} (id) ON DELETE CASCADE,
      position INTEGER NOT NULL,
      PRIMARY KEY (server_id, ${member}))`,
    sql`CREATE INDEX ${sql.id(`server_${noun}s_member`)} ON ${table} (${member})`,
  ];
}
