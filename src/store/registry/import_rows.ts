// Writes the rows of an import, many at once. The import has decided before what is written, from what it read in the same transaction.
import { tellRegistryChanged } from "./changes/registry_changes.ts";
import { ConstraintError, type Database, sql } from "../sql/sql.ts";
import { SluiceError } from "../../base/errors.ts";
import { tellPeopleChanged } from "../people/people_changes.ts";
import type { AssignmentRow, MemberRow, RoleRow, TeamRow, UserRow } from "../people/person_rows.ts";
import { ASSIGNMENTS, MEMBERS, ROLES, TEAMS, USERS } from "../people/person_tables.ts";
import type { Table } from "../sql/table.ts";
import { type ImportedToken, insertImportedTokens } from "../tokens/api_tokens.ts";
import type { RevokedTokenRow } from "./revoked_tokens.ts";
import type { GatewayRow, PromptRow, ResourceRow, ServerRow, ToolRow } from "./rows.ts";
import { GATEWAYS, PROMPTS, RESOURCES, SERVERS, TOOLS } from "./tables.ts";
import { MEMBERSHIP } from "./removed_entries.ts";

/** New rows, with their ids and times. */
export interface ImportedRows {
  readonly gateways: readonly GatewayRow[];
  readonly tools: readonly ToolRow[];
  readonly resources: readonly ResourceRow[];
  readonly prompts: readonly PromptRow[];
  readonly servers: readonly ServerRow[];
  readonly users: readonly UserRow[];
  readonly teams: readonly TeamRow[];
  readonly members: readonly MemberRow[];
  readonly roles: readonly RoleRow[];
  readonly assignments: readonly AssignmentRow[];
  readonly tokens: readonly ImportedToken[];
  readonly revocations: readonly RevokedTokenRow[];
}

/** Between two calls of `onRows`. */
const ROWS_AT_ONCE = 1_000;

const MEMBERS_PER_INSERT = 200;

const REVOCATIONS_PER_INSERT = 100;

/**
 * Runs in `tx`.
 * @param onRows called with the number of rows since the last call
 * @throws {SluiceError} CONFLICT if a row has an id or a name that is in use
 */
export async function insertImported(
  tx: Database,
  rows: ImportedRows,
  onRows: (count: number) => void = () => {},
): Promise<void> {
  const insertAll = async <Row extends object>(table: Table<Row>, all: readonly Row[]) => {
    for (let start = 0; start < all.length; start += ROWS_AT_ONCE) {
      const some = all.slice(start, start + ROWS_AT_ONCE);
      for (const statement of table.inserts(some)) await tx.run(statement);
      onRows(some.length);
    }
  };
  try {
    await insertAll(USERS, rows.users);
    await insertAll(TEAMS, rows.teams);
    await insertAll(MEMBERS, rows.members);
    await insertAll(ROLES, rows.roles);
    await insertAll(ASSIGNMENTS, rows.assignments);
    await insertImportedTokens(tx, rows.tokens);
    onRows(rows.tokens.length);
    await insertAll(GATEWAYS.table, rows.gateways);
    await insertAll(TOOLS.table, rows.tools);
    await insertAll(RESOURCES.table, rows.resources);
    await insertAll(PROMPTS.table, rows.prompts);
    await insertAll(SERVERS.table, rows.servers);
    for (const server of rows.servers) {
      await insertMembers(tx, "tool", server.id, server.toolIds);
      await insertMembers(tx, "resource", server.id, server.resourceIds);
      await insertMembers(tx, "prompt", server.id, server.promptIds);
    }
    await insertRevocations(tx, rows.revocations);
    await tellRegistryChanged(tx, "all");
    await tellPeopleChanged(tx, "all");
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    throw new SluiceError("CONFLICT", { reason: `The database refuses a row: ${error.message}` }, {
      cause: error,
    });
  }
}

async function insertMembers(
  tx: Database,
  kind: "tool" | "resource" | "prompt",
  serverId: string,
  ids: readonly string[],
): Promise<void> {
  const { table, column } = MEMBERSHIP[kind];
  for (let start = 0; start < ids.length; start += MEMBERS_PER_INSERT) {
    const tuples = ids.slice(start, start + MEMBERS_PER_INSERT)
      .map((id, i) => sql`(${serverId}, ${id}, ${start + i})`);
    await tx.run(sql`INSERT INTO ${table} (server_id, ${column}, position) VALUES ${sql.join(tuples)}`);
  }
}

async function insertRevocations(tx: Database, rows: readonly RevokedTokenRow[]): Promise<void> {
  for (let start = 0; start < rows.length; start += REVOCATIONS_PER_INSERT) {
    const tuples = rows.slice(start, start + REVOCATIONS_PER_INSERT).map((
      { jti, revokedAt, revokedBy, reason, expiresAt },
    ) => sql`(${jti}, ${revokedAt}, ${revokedBy}, ${reason}, ${expiresAt})`);
    await tx.run(
      sql`INSERT INTO revoked_tokens (jti, revoked_at, revoked_by, reason, expires_at) VALUES ${
        sql.join(tuples)
      }`,
    );
  }
}
