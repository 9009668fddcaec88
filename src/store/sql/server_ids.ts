// Ids of virtual servers. A UUID has two forms, with and without dashes; the registry keeps one of them.
import { type Database, sql } from "./sql.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id as the registry has it. A UUID, in either form, is 32 lower-case hex digits, as in ContextForge. */
export function serverIdOf(text: string): string {
  return UUID.test(text) ? text.replaceAll("-", "").toLowerCase() : text;
}

const REFERRING = ["server_tools", "server_resources", "server_prompts", "removed_members"];

/** The columns of `servers` besides the id and the unique name, at the step that runs rewriteServerIds(). */
const COLUMNS = sql.join(
  [
    ...["enabled", "visibility", "team_id", "owner_email", "tags", "created_at", "updated_at", "created_by"],
    ...["modified_by", "version", "description", "icon", "naming", "tool_overrides", "server_info"],
    ...["instructions", "gateway_ids", "member_tags", "excluded", "revisions"],
  ].map(sql.id),
);

/** Brings stored ids into the registry's form. A server whose id another server has in that form is left alone. */
export async function rewriteServerIds(tx: Database): Promise<void> {
  const servers = await tx.query<{ id: string; name: string }>(sql`SELECT id, name FROM servers`);
  const taken = new Set(servers.map(({ id }) => id));
  for (const { id: old, name } of servers) {
    const id = serverIdOf(old);
    if (taken.has(id)) continue;
    taken.add(id);
    // Foreign keys refer to the row, so it is copied before the references change. Names are unique.
    await tx.run(sql`UPDATE servers SET name = ${`~${id}`} WHERE id = ${old}`);
    await tx.run(
      sql`INSERT INTO servers (id, name, ${COLUMNS}) SELECT ${id}, ${name}, ${COLUMNS} FROM servers WHERE id = ${old}`,
    );
    for (const table of REFERRING) {
      await tx.run(sql`UPDATE ${sql.id(table)} SET server_id = ${id} WHERE server_id = ${old}`);
    }
    await tx.run(sql`DELETE FROM servers WHERE id = ${old}`);
  }
}
