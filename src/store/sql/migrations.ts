// The schema, as numbered steps that only go forward. A released step is never edited: add the next one.
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { type DatabaseContents, refuseForeign } from "./foreign_database.ts";
import { type Database, sql, type SqlQuery } from "./sql.ts";

export interface Migration {
  readonly name: string;
  readonly statements: readonly SqlQuery[];
}

// Columns that every registered entity has (EntityRow). Times are ISO text, booleans 0 or 1, JSON text: the same in both databases.
const ENTITY = sql`
  id TEXT NOT NULL PRIMARY KEY,
  enabled INTEGER NOT NULL,
  visibility TEXT NOT NULL,
  team_id TEXT,
  owner_email TEXT,
  tags TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  created_by TEXT,
  modified_by TEXT,
  version INTEGER NOT NULL`;

/** Number n is `MIGRATIONS[n - 1]`. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: "registry",
    statements: [
      sql`CREATE TABLE catalog_version (id INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL)`,
      sql`INSERT INTO catalog_version (id, version) VALUES (1, 0)`,
      sql`CREATE TABLE gateways (${ENTITY},
        name TEXT NOT NULL,
        slug TEXT NOT NULL UNIQUE,
        url TEXT NOT NULL,
        description TEXT,
        transport TEXT NOT NULL,
        auth_type TEXT,
        auth_secret TEXT,
        passthrough_headers TEXT,
        ca_certificate TEXT,
        session_mode TEXT NOT NULL,
        capabilities TEXT NOT NULL,
        server_info TEXT,
        instructions TEXT,
        protocol_version TEXT,
        stateful INTEGER,
        reachable INTEGER NOT NULL,
        last_seen TEXT,
        last_error TEXT,
        last_refresh_at TEXT,
        refresh_interval_seconds INTEGER)`,
      sql`CREATE TABLE tools (${ENTITY},
        gateway_id TEXT REFERENCES gateways (id) ON DELETE CASCADE,
        original_name TEXT NOT NULL,
        name TEXT NOT NULL UNIQUE,
        custom_name TEXT,
        display_name TEXT,
        description TEXT,
        definition TEXT NOT NULL,
        position INTEGER NOT NULL,
        reachable INTEGER NOT NULL,
        timeout_ms INTEGER)`,
      sql`CREATE UNIQUE INDEX tools_original_name ON tools (gateway_id, original_name)`,
      sql`CREATE TABLE resources (${ENTITY},
        gateway_id TEXT REFERENCES gateways (id) ON DELETE CASCADE,
        uri TEXT NOT NULL,
        name TEXT NOT NULL,
        is_template INTEGER NOT NULL,
        definition TEXT NOT NULL,
        position INTEGER NOT NULL)`,
      sql`CREATE UNIQUE INDEX resources_uri ON resources (COALESCE(gateway_id, ''), uri, is_template)`,
      sql`CREATE INDEX resources_gateway_id ON resources (gateway_id)`,
      sql`CREATE TABLE prompts (${ENTITY},
        gateway_id TEXT REFERENCES gateways (id) ON DELETE CASCADE,
        original_name TEXT NOT NULL,
        name TEXT NOT NULL UNIQUE,
        custom_name TEXT,
        display_name TEXT,
        description TEXT,
        definition TEXT NOT NULL,
        position INTEGER NOT NULL)`,
      sql`CREATE UNIQUE INDEX prompts_original_name ON prompts (gateway_id, original_name)`,
      sql`CREATE TABLE servers (${ENTITY}, name TEXT NOT NULL UNIQUE, description TEXT, icon TEXT)`,
      ...["tool", "resource", "prompt"].flatMap(membership),
      sql`CREATE TABLE session_records (
        id TEXT NOT NULL PRIMARY KEY, record TEXT NOT NULL, expires_at BIGINT NOT NULL)`,
      sql`CREATE INDEX session_records_expires_at ON session_records (expires_at)`,
    ],
  },
  {
    name: "naming per virtual server",
    statements: [
      sql`ALTER TABLE servers ADD COLUMN naming TEXT NOT NULL DEFAULT 'prefixed'`,
      sql`ALTER TABLE servers ADD COLUMN tool_overrides TEXT NOT NULL DEFAULT '{}'`,
      sql`ALTER TABLE servers ADD COLUMN server_info TEXT`,
      sql`ALTER TABLE servers ADD COLUMN instructions TEXT`,
    ],
  },
  {
    name: "leases",
    statements: [
      sql`CREATE TABLE leases (
        name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, expires_at BIGINT NOT NULL, term INTEGER NOT NULL)`,
    ],
  },
  {
    name: "health checks",
    statements: [
      sql`ALTER TABLE gateways ADD COLUMN last_checked_at TEXT`,
      sql`ALTER TABLE gateways ADD COLUMN failed_checks INTEGER NOT NULL DEFAULT 0`,
    ],
  },
  {
    name: "cache records",
    statements: [
      sql`CREATE TABLE cache_records (
        cache_key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, expires_at BIGINT NOT NULL)`,
      sql`CREATE INDEX cache_records_expires_at ON cache_records (expires_at)`,
      sql`INSERT INTO cache_records (cache_key, value, expires_at)
          SELECT 'session:' || id, record, expires_at FROM session_records`,
      sql`DROP TABLE session_records`,
    ],
  },
  {
    name: "freshness of lists",
    statements: [sql`ALTER TABLE gateways ADD COLUMN list_ttl_ms INTEGER`],
  },
  {
    name: "revoked tokens",
    statements: [
      sql`CREATE TABLE revoked_tokens (
        jti TEXT NOT NULL PRIMARY KEY,
        revoked_at TEXT NOT NULL,
        revoked_by TEXT,
        reason TEXT,
        expires_at BIGINT)`,
      sql`CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at)`,
    ],
  },
  // Whether it can be reached is its gateway's to say.
  { name: "tools without reachable", statements: [sql`ALTER TABLE tools DROP COLUMN reachable`] },
];

/**
 * Brings the schema up to date. Starters that come at the same time run each step once between them.
 * @returns the names of the steps that this call ran
 * @throws {SluiceError} STORE_CANNOT_OPEN when the database is newer than this program, or refuses a step
 */
export async function migrate(database: Database, migrations = MIGRATIONS): Promise<string[]> {
  try {
    return await runSteps(database, migrations);
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    throw new SluiceError("STORE_CANNOT_OPEN", {
      path: database.location,
      reason: `its schema cannot be brought up to date: ${reasonOf(error)}. ` +
        "Sluice needs a database of its own, whose user may create tables in it",
    });
  }
}

async function runSteps(database: Database, migrations: readonly Migration[]): Promise<string[]> {
  // In a transaction, where one writes at a time: PostgreSQL lets two that create one table fail.
  await database.transaction(async (tx) => {
    refuseForeign(await contentsOf(tx), tx.location);
    await tx.run(sql`CREATE TABLE IF NOT EXISTS schema_migrations (
      version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)`);
  });
  const ran: string[] = [];
  for (;;) {
    const name = await database.transaction((tx) => nextStep(tx, migrations));
    if (name === null) return ran;
    ran.push(name);
  }
}

/** The tables where `CREATE TABLE` makes new ones. */
const TABLES: Readonly<Record<Database["dialect"], SqlQuery>> = {
  sqlite: sql`SELECT name FROM sqlite_master WHERE type = 'table'`,
  postgres: sql`SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema()`,
};

async function contentsOf(tx: Database): Promise<DatabaseContents> {
  const rows = await tx.query<{ name: string }>(TABLES[tx.dialect]);
  const tables = new Set(rows.map(({ name }) => name));
  if (!tables.has("schema_migrations")) return { tables, steps: 0 };
  const [counted] = await tx.query<{ steps: number }>(sql`SELECT COUNT(*) AS steps FROM schema_migrations`);
  return { tables, steps: Number(counted.steps) };
}

/** Runs the one step that is due, in the transaction that also notes it; null when there is none. */
async function nextStep(tx: Database, migrations: readonly Migration[]): Promise<string | null> {
  const [row] = await tx.query<{ version: number | null }>(
    sql`SELECT MAX(version) AS version FROM schema_migrations`,
  );
  const version = Number(row.version ?? 0);
  if (version > migrations.length) {
    throw new SluiceError("STORE_CANNOT_OPEN", {
      path: tx.location,
      reason:
        `its schema is version ${version}, written by a newer Sluice; this one knows versions up to ${migrations.length}. ` +
        "Run that newer version, or restore the backup from before the upgrade",
    });
  }
  if (version === migrations.length) return null;
  const { name, statements } = migrations[version];
  for (const statement of statements) await tx.run(statement);
  await tx.run(
    sql`INSERT INTO schema_migrations (version, name, applied_at)
        VALUES (${version + 1}, ${name}, ${new Date().toISOString()})`,
  );
  return name;
}

/** Which tools, resources or prompts a virtual server has, in its order. */
function membership(noun: string): SqlQuery[] {
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
