// Brings stored entries in line with mcp/list_entries.ts: databases of former versions hold entries that clients cannot read.
import { isRefused, judgeEntry, type ListKind } from "../../mcp/list_entries.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import { type Database, sql, type SqlQuery } from "./sql.ts";

interface Stored {
  readonly id: string;
  readonly key: string;
  readonly definition: string;
  readonly revision: string | null;
}

const TABLES: readonly [kind: ListKind, table: SqlQuery, key: SqlQuery, condition: SqlQuery][] = [
  ["tool", sql.id("tools"), sql.id("original_name"), sql``],
  ["resource", sql.id("resources"), sql.id("uri"), sql`WHERE t.is_template = 0`],
  ["template", sql.id("resources"), sql.id("uri"), sql`WHERE t.is_template = 1`],
  ["prompt", sql.id("prompts"), sql.id("original_name"), sql``],
];

/**
 * Repairs entries that can be repaired. Of the others it keeps what a client needs to read them; the next refresh leaves them
 * out and remembers what an operator has decided about them.
 */
export async function repairStoredEntries(tx: Database): Promise<void> {
  for (const [kind, table, keyColumn, condition] of TABLES) {
    const rows = await tx.query<Stored>(
      sql`SELECT t.id, t.${keyColumn} AS key, t.definition, g.protocol_version AS revision
          FROM ${table} t LEFT JOIN gateways g ON g.id = t.gateway_id ${condition}`,
    );
    for (const { id, key, definition, revision } of rows) {
      const judged = judgeEntry(kind, definition, revision ?? STATELESS_REVISION);
      const text = isRefused(judged) ? leastOf(kind, key) : judged.text;
      if (text !== definition) await tx.run(sql`UPDATE ${table} SET definition = ${text} WHERE id = ${id}`);
      const sessionText = isRefused(judged) ? null : judged.sessionText;
      if (sessionText !== null) {
        await tx.run(sql`UPDATE ${table} SET session_definition = ${sessionText} WHERE id = ${id}`);
      }
    }
  }
}

/** The smallest entry that clients can read. */
function leastOf(kind: ListKind, key: string): string {
  const name = JSON.stringify(key.toWellFormed());
  switch (kind) {
    case "tool":
      return `{"name":${name},"inputSchema":{"type":"object"}}`;
    case "resource":
      return `{"uri":${name},"name":${name}}`;
    case "template":
      return `{"uriTemplate":${name},"name":${name}}`;
    case "prompt":
      return `{"name":${name}}`;
  }
}
