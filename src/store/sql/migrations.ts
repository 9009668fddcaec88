// The database schema, as numbered steps. A released step is never edited; a change is a new step.
import { repairStoredEntries } from "./repair_entries.ts";
import { rewriteServerIds } from "./server_ids.ts";
import { EXECUTION_TABLES } from "./steps/execution_tables.ts";
import { indexAuditRecords } from "./steps/audit_tables.ts";
import { API_TOKEN_TABLES } from "./token_tables.ts";
import { IDENTITIES_BY_ISSUER, JOIN_REQUESTS_TABLE, PEOPLE_CHANGES } from "./steps/people_tables.ts";
import { GATEWAY_HISTORY_TABLES } from "./gateway_tables.ts";
import { DEVICES_ALLOWED_AT, OAUTH_TABLES } from "./steps/oauth_tables.ts";
import {
  ENDED_UPSTREAM_TOKENS,
  UPSTREAM_CLIENTS_BY_VERSION,
  UPSTREAM_CONNECTION_TABLES,
  UPSTREAM_TOKEN_TABLES,
} from "./steps/upstream_token_tables.ts";
import { CATALOG_WRITES } from "./steps/catalog_tables.ts";
import { REGISTRY_CHANGES } from "./steps/registry_change_tables.ts";
import { membership } from "./steps/server_tables.ts";
import { SSO_TABLES } from "./sso_tables.ts";
import { indexLists, TOKEN_INDEXES } from "./list_indexes.ts";
import { type Database, sql, type SqlQuery } from "./sql.ts";

export interface Migration {
  readonly name: string;
  readonly statements: readonly SqlQuery[];
  /** Runs after the statements, in their transaction. */
  readonly run?: (tx: Database) => Promise<void>;
}

// The columns of every registered entity (EntityRow). Times are ISO texts, booleans are 0 or 1, and JSON is text, in both databases.
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

/** Step number n is `MIGRATIONS[n - 1]`. */
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
  // A tool is reachable if its gateway is.
  { name: "tools without reachable", statements: [sql`ALTER TABLE tools DROP COLUMN reachable`] },
  {
    name: "removed entries",
    statements: [
      sql`CREATE TABLE removed_entries (
        entry_id TEXT NOT NULL PRIMARY KEY,
        gateway_id TEXT NOT NULL REFERENCES gateways (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        entry_key TEXT NOT NULL,
        visibility TEXT NOT NULL,
        team_id TEXT,
        owner_email TEXT,
        fields TEXT NOT NULL,
        removed_at TEXT NOT NULL)`,
      sql`CREATE INDEX removed_entries_gateway_id ON removed_entries (gateway_id, kind)`,
      sql`CREATE TABLE removed_members (
        entry_id TEXT NOT NULL REFERENCES removed_entries (entry_id) ON DELETE CASCADE,
        server_id TEXT NOT NULL REFERENCES servers (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        PRIMARY KEY (entry_id, server_id))`,
      sql`CREATE INDEX removed_members_server_id ON removed_members (server_id)`,
    ],
  },
  {
    name: "entries that clients can read",
    statements: [
      sql`ALTER TABLE gateways ADD COLUMN skipped TEXT NOT NULL DEFAULT '[]'`,
      sql`ALTER TABLE gateways ADD COLUMN list_warnings TEXT NOT NULL DEFAULT '[]'`,
      sql`ALTER TABLE tools ADD COLUMN session_definition TEXT`,
    ],
    run: repairStoredEntries,
  },
  {
    name: "whole upstreams in virtual servers",
    statements: ["gateway_ids", "member_tags", "excluded"].map((column) =>
      sql`ALTER TABLE servers ADD COLUMN ${sql.id(column)} TEXT NOT NULL DEFAULT '[]'`
    ),
  },
  {
    name: "pending registrations",
    statements: [
      sql`ALTER TABLE gateways ADD COLUMN registration TEXT`,
      sql`ALTER TABLE gateways ADD COLUMN source TEXT`,
    ],
  },
  {
    name: "isolation and revisions",
    statements: [
      sql`ALTER TABLE gateways ADD COLUMN isolation TEXT NOT NULL DEFAULT 'session'`,
      // Until now the sessions of a shared upstream were shared by the calls of one caller, never by everybody.
      sql`UPDATE gateways SET isolation = 'caller' WHERE session_mode = 'shared'`,
      sql`ALTER TABLE gateways DROP COLUMN session_mode`,
      sql`ALTER TABLE gateways ADD COLUMN protocol TEXT NOT NULL DEFAULT 'auto'`,
      sql`ALTER TABLE gateways ADD COLUMN protocols TEXT NOT NULL DEFAULT '[]'`,
      sql`UPDATE gateways SET protocols = '["' || protocol_version || '"]' WHERE protocol_version IS NOT NULL`,
      sql`ALTER TABLE servers ADD COLUMN revisions TEXT NOT NULL DEFAULT '"auto"'`,
    ],
  },
  { name: "one form of server ids", statements: [], run: rewriteServerIds },
  {
    name: "words for resources",
    statements: ["custom_name", "description", "mime_type"].map((column) =>
      sql`ALTER TABLE resources ADD COLUMN ${sql.id(column)} TEXT`
    ),
  },
  {
    name: "users, teams and roles",
    statements: [
      sql`ALTER TABLE catalog_version ADD COLUMN people_version INTEGER NOT NULL DEFAULT 0`,
      sql`CREATE TABLE users (
        id TEXT NOT NULL PRIMARY KEY,
        email TEXT NOT NULL UNIQUE,
        full_name TEXT,
        password_hash TEXT,
        is_admin INTEGER NOT NULL,
        is_active INTEGER NOT NULL,
        password_change_required INTEGER NOT NULL,
        failed_attempts INTEGER NOT NULL,
        locked_until BIGINT,
        tokens_valid_from BIGINT,
        last_login TEXT,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL)`,
      sql`CREATE TABLE teams (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        slug TEXT NOT NULL UNIQUE,
        description TEXT,
        is_personal INTEGER NOT NULL,
        visibility TEXT NOT NULL,
        max_members INTEGER,
        created_by TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL)`,
      sql`CREATE TABLE team_members (
        team_id TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        joined_at TEXT NOT NULL,
        PRIMARY KEY (team_id, user_id))`,
      sql`CREATE INDEX team_members_user_id ON team_members (user_id)`,
      sql`CREATE TABLE team_invitations (
        id TEXT NOT NULL PRIMARY KEY,
        team_id TEXT NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
        email TEXT NOT NULL,
        role TEXT NOT NULL,
        invited_by TEXT NOT NULL,
        invited_at TEXT NOT NULL,
        expires_at BIGINT NOT NULL,
        token_hash TEXT NOT NULL UNIQUE)`,
      sql`CREATE INDEX team_invitations_team_id ON team_invitations (team_id)`,
      sql`CREATE TABLE roles (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        description TEXT NOT NULL,
        scope TEXT NOT NULL,
        permissions TEXT NOT NULL,
        created_by TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL)`,
      // A role is the name of a built-in role, or the id of a row of `roles`.
      sql`CREATE TABLE role_assignments (
        id TEXT NOT NULL PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        role_id TEXT NOT NULL,
        scope TEXT NOT NULL,
        scope_id TEXT NOT NULL,
        granted_by TEXT NOT NULL,
        granted_at TEXT NOT NULL,
        UNIQUE (user_id, role_id, scope, scope_id))`,
      sql`CREATE TABLE one_time_tokens (
        purpose TEXT NOT NULL PRIMARY KEY, token_hash TEXT NOT NULL, expires_at BIGINT NOT NULL)`,
    ],
  },
  {
    name: "audit trail",
    statements: [
      sql`CREATE TABLE audit_records (
        sequence BIGINT NOT NULL PRIMARY KEY,
        at BIGINT NOT NULL,
        email TEXT,
        entity_id TEXT,
        record TEXT NOT NULL,
        hash TEXT NOT NULL)`,
      sql`CREATE INDEX audit_records_at ON audit_records (at)`,
      sql`CREATE INDEX audit_records_email ON audit_records (email, sequence)`,
      sql`CREATE INDEX audit_records_entity_id ON audit_records (entity_id, sequence)`,
      // Where the chain of hashes begins, and its last link. `start` moves when old records are deleted.
      sql`CREATE TABLE audit_chain (
        id INTEGER NOT NULL PRIMARY KEY,
        start_sequence BIGINT NOT NULL,
        start_hash TEXT NOT NULL,
        last_sequence BIGINT NOT NULL,
        last_hash TEXT NOT NULL)`,
      sql`INSERT INTO audit_chain (id, start_sequence, start_hash, last_sequence, last_hash)
          VALUES (1, 0, ${"0".repeat(64)}, 0, ${"0".repeat(64)})`,
    ],
  },
  {
    name: "roles that end",
    statements: [sql`ALTER TABLE role_assignments ADD COLUMN expires_at BIGINT`],
  },
  {
    name: "quotas",
    statements: [
      sql`CREATE TABLE quotas (
        id TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        target TEXT NOT NULL,
        calls BIGINT,
        seconds BIGINT,
        bytes BIGINT,
        window_s BIGINT NOT NULL,
        created_by TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        UNIQUE (kind, target))`,
    ],
  },
  {
    name: "one-time tokens by hash",
    statements: [sql`CREATE INDEX one_time_tokens_hash ON one_time_tokens (token_hash)`],
  },
  {
    name: "approval of changes",
    statements: [
      sql`ALTER TABLE gateways ADD COLUMN tool_approval TEXT`,
      sql`CREATE TABLE approvals (
        id TEXT NOT NULL PRIMARY KEY,
        gateway_id TEXT NOT NULL REFERENCES gateways (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        entry_key TEXT NOT NULL,
        approved_hash TEXT,
        approved_text TEXT,
        approved_session_text TEXT,
        held_hash TEXT,
        held_text TEXT,
        held_session_text TEXT,
        held_at TEXT,
        rejected_hash TEXT,
        is_listed INTEGER NOT NULL,
        UNIQUE (gateway_id, kind, entry_key))`,
    ],
  },
  { name: "single sign-on", statements: SSO_TABLES },
  { name: "API tokens", statements: API_TOKEN_TABLES },
  {
    name: "exports of the audit trail",
    statements: [sql`CREATE TABLE audit_exports (sink TEXT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL)`],
  },
  {
    name: "members by user",
    // It has all that workers read of memberships, so that the table itself is not looked at.
    statements: [
      sql`CREATE INDEX team_members_roles ON team_members (user_id, team_id, role)`,
      sql`DROP INDEX team_members_user_id`,
    ],
  },
  {
    name: "imported API tokens",
    statements: [sql`ALTER TABLE api_tokens ADD COLUMN is_imported INTEGER NOT NULL DEFAULT 0`],
  },
  { name: "changes of users, teams and roles", statements: PEOPLE_CHANGES },
  { name: "identities by issuer", statements: IDENTITIES_BY_ISSUER },
  { name: "requests to join teams", statements: JOIN_REQUESTS_TABLE },
  { name: "parts of long lists", statements: TOKEN_INDEXES, run: indexLists },
  { name: "history and draining of gateways", statements: GATEWAY_HISTORY_TABLES },
  { name: "authorization server", statements: OAUTH_TABLES },
  { name: "executions", statements: EXECUTION_TABLES },
  { name: "tokens for upstreams", statements: UPSTREAM_TOKEN_TABLES },
  { name: "when logins of terminals are allowed", statements: DEVICES_ALLOWED_AT },
  { name: "look-ups of the audit trail", statements: [], run: indexAuditRecords },
  { name: "logins of people at upstreams", statements: UPSTREAM_CONNECTION_TABLES },
  { name: "clients at upstreams by redirect URI", statements: UPSTREAM_CLIENTS_BY_VERSION },
  { name: "ended tokens for upstreams", statements: ENDED_UPSTREAM_TOKENS },
  { name: "changes of upstreams and virtual servers", statements: REGISTRY_CHANGES },
  { name: "writes of the catalog", statements: CATALOG_WRITES },
];
