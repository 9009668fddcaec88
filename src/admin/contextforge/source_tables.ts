// Room `contextforge`: reads the database of a ContextForge, and makes an import of it. This file knows the tables and columns. Every value
// is read as text, so that both databases answer alike; values that are too long are cut, so that a hostile file takes a bounded memory.
import { OUR_TABLES } from "../../store/sql/foreign_database.ts";
import { type Database, sql, type SqlQuery } from "../../store/sql/sql.ts";

/** A row by column. A value that is null or whose column this version of ContextForge lacks is null. */
export type SourceRow = Readonly<Record<string, string | null>>;

export type SourceTables = Readonly<Record<TableName, readonly SourceRow[]>>;

interface SourceTable {
  /** A database without one of these columns is of another version. */
  readonly needs: readonly string[];
  /** Columns that later versions have. */
  readonly mayHave: readonly string[];
}

const ENTITY = [
  ...["id", "name", "enabled", "tags", "visibility", "team_id", "owner_email"],
  ...["created_at", "updated_at", "created_by"],
];

/** Columns of ContextForge 1.0.0-RC1 to 1.0.8 (mcpgateway/db.py). */
const TABLES = {
  email_users: {
    needs: [
      ...["email", "password_hash", "full_name", "is_admin", "is_active", "password_change_required"],
      ...["auth_provider", "created_at", "updated_at", "last_login"],
    ],
    mayHave: ["id"],
  },
  email_teams: {
    needs: [
      ...["id", "name", "slug", "description", "created_by", "is_personal", "visibility", "max_members"],
      ...["is_active", "created_at", "updated_at"],
    ],
    mayHave: [],
  },
  email_team_members: {
    needs: ["team_id", "user_email", "role", "joined_at", "is_active"],
    mayHave: [],
  },
  roles: {
    needs: [
      ...["id", "name", "description", "scope", "permissions", "inherits_from", "created_by"],
      ...["is_system_role", "is_active", "created_at", "updated_at"],
    ],
    mayHave: [],
  },
  user_roles: {
    needs: [
      ...["id", "user_email", "role_id", "scope", "scope_id", "granted_by", "granted_at", "expires_at"],
      "is_active",
    ],
    mayHave: [],
  },
  gateways: {
    needs: [
      ...ENTITY,
      ...["url", "description", "transport", "auth_type", "auth_value", "passthrough_headers"],
      ...["ca_certificate", "oauth_config"],
    ],
    mayHave: [
      ...["auth_query_params", "refresh_interval_seconds", "gateway_mode", "client_cert", "client_key"],
      ...["add_headers", "remove_headers", "identity_propagation", "status"],
    ],
  },
  tools: {
    needs: [
      ...ENTITY,
      ...["original_name", "custom_name", "display_name", "description", "integration_type", "gateway_id"],
      ...["input_schema", "output_schema", "annotations", "jsonpath_filter"],
    ],
    mayHave: ["original_description", "title", "timeout_ms", "plugin_chain_pre", "plugin_chain_post"],
  },
  resources: {
    needs: [...ENTITY, "uri", "description", "mime_type", "uri_template", "gateway_id"],
    mayHave: ["title"],
  },
  prompts: {
    needs: [
      ...ENTITY,
      ...["original_name", "custom_name", "display_name", "description", "argument_schema", "gateway_id"],
    ],
    mayHave: ["title"],
  },
  servers: {
    needs: [...ENTITY, "description", "icon"],
    mayHave: ["oauth_enabled"],
  },
  server_tool_association: { needs: ["server_id", "tool_id"], mayHave: [] },
  server_resource_association: { needs: ["server_id", "resource_id"], mayHave: [] },
  server_prompt_association: { needs: ["server_id", "prompt_id"], mayHave: [] },
  email_api_tokens: {
    needs: [
      ...["id", "user_email", "team_id", "name", "description", "jti", "token_hash", "server_id"],
      ...["resource_scopes", "ip_restrictions", "time_restrictions", "usage_limits", "created_at"],
      ...["expires_at", "last_used", "is_active", "tags"],
    ],
    mayHave: [],
  },
  token_revocations: {
    needs: ["jti", "revoked_at", "revoked_by", "reason"],
    mayHave: ["token_expiry"],
  },
  global_config: { needs: ["passthrough_headers"], mayHave: [] },
} as const satisfies Readonly<Record<string, SourceTable>>;

export type TableName = keyof typeof TABLES;

/** Tables of features that Sluice lacks, and what their rows are called. The report counts the rows. */
export const LACKING: Readonly<Record<string, string>> = {
  a2a_agents: "A2A agents",
  grpc_services: "gRPC services",
  llm_providers: "language model providers",
  sso_providers: "providers of single sign-on",
  tool_plugin_bindings: "bindings of plugins to tools",
  oauth_tokens: "OAuth tokens of upstreams",
  registered_oauth_clients: "OAuth clients of upstreams",
  email_team_invitations: "invitations to teams",
  email_team_join_requests: "requests to join a team",
};

/** Rows that an import reads of one table. */
const MAX_ROWS = 200_000;
/** Characters of one value; a longer one is cut behind the limit, and its row is left out. */
export const MAX_CHARS = 1_000_000;
/** Characters of all values of a table. */
const MAX_TABLE_CHARS = 300_000_000;

/** Why a database cannot be imported. */
export class UnusableSource extends Error {}

export interface Source {
  readonly tables: SourceTables;
  /** The rows of features that Sluice lacks, by what they are called. */
  readonly lacking: ReadonlyMap<string, number>;
}

type AnyRow = Readonly<Record<string, unknown>>;

/**
 * Yields queries, and takes their rows, so that it reads SQLite within one call and PostgreSQL without blocking.
 * @throws {UnusableSource}
 */
export function* readSource(dialect: Database["dialect"]): Generator<SqlQuery, Source, readonly AnyRow[]> {
  const columns = new Map<string, Set<string>>();
  for (const { relation, name } of yield COLUMNS[dialect]) {
    const names = columns.get(String(relation)) ?? new Set();
    columns.set(String(relation), names.add(String(name)));
  }
  refuseOther(
    columns,
    columns.has("alembic_version") ? (yield sql`SELECT version_num FROM alembic_version`) : [],
  );
  const tables: Record<string, readonly SourceRow[]> = {};
  for (const [table, { needs, mayHave }] of Object.entries<SourceTable>(TABLES)) {
    const present = [...needs, ...mayHave.filter((name) => columns.get(table)!.has(name))];
    const [size] = yield measure(table, present);
    if (Number(size!.amount) > MAX_ROWS) {
      throw new UnusableSource(`its table ${table} has ${size!.amount} rows; the limit is ${MAX_ROWS}`);
    }
    if (Number(size!.chars) > MAX_TABLE_CHARS) {
      throw new UnusableSource(
        `its table ${table} holds ${size!.chars} characters; the limit is ${MAX_TABLE_CHARS}`,
      );
    }
    const rows = yield select(table, present);
    tables[table] = rows.map((row) => ({
      ...Object.fromEntries(mayHave.map((name) => [name, null])),
      ...row as SourceRow,
    }));
  }
  const lacking = new Map<string, number>();
  for (const [table, name] of Object.entries(LACKING)) {
    if (!columns.has(table)) continue;
    const [count] = yield sql`SELECT COUNT(*) AS amount FROM ${sql.id(table)}`;
    if (Number(count!.amount) > 0) lacking.set(name, Number(count!.amount));
  }
  return { tables: tables as SourceTables, lacking };
}

const COLUMNS: Readonly<Record<Database["dialect"], SqlQuery>> = {
  sqlite: sql`SELECT m.name AS relation, c.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table'`,
  postgres: sql`SELECT table_name AS relation, column_name AS name FROM information_schema.columns
    WHERE table_schema = current_schema()`,
};

function refuseOther(columns: ReadonlyMap<string, ReadonlySet<string>>, versions: readonly AnyRow[]): void {
  if (columns.has("schema_migrations") && OUR_TABLES.some((name) => columns.has(name))) {
    throw new UnusableSource(
      "it is a database of Sluice. `sluice backup` and `sluice restore` move it as it is",
    );
  }
  if (!columns.has("alembic_version") || !columns.has("gateways")) {
    throw new UnusableSource("it is no database of ContextForge");
  }
  for (const [table, { needs }] of Object.entries<SourceTable>(TABLES)) {
    const present = columns.get(table);
    const missing = present === undefined ? null : needs.find((name) => !present.has(name));
    if (missing === undefined) continue;
    const what = missing === null ? `no table ${table}` : `no column ${missing} in its table ${table}`;
    const version = String(versions[0]?.version_num ?? "unknown").slice(0, 40);
    throw new UnusableSource(
      `it has ${what}, so it is not of ContextForge 1.0 (its schema is version ${version}). Start ContextForge ` +
        "1.0.7 with it once, which brings it up to date",
    );
  }
}

function asText(name: string): SqlQuery {
  return sql`CAST(${sql.id(name)} AS TEXT)`;
}

function measure(table: string, names: readonly string[]): SqlQuery {
  const lengths = names.map((name) => sql`COALESCE(LENGTH(${asText(name)}), 0)`);
  return sql`SELECT COUNT(*) AS amount, COALESCE(SUM(${sql.join(lengths, " + ")}), 0) AS chars FROM ${
    sql.id(table)
  }`;
}

/** In the order of the first column, or of the time of creation. */
function select(table: string, names: readonly string[]): SqlQuery {
  const values = names.map((name) => sql`SUBSTR(${asText(name)}, 1, ${MAX_CHARS + 1}) AS ${sql.id(name)}`);
  const order = ["created_at", "granted_at", "joined_at", "revoked_at", ...names.slice(0, 2)]
    .filter((name) => names.includes(name)).map(sql.id);
  return sql`SELECT ${sql.join(values)} FROM ${sql.id(table)} ORDER BY ${sql.join(order)}`;
}
