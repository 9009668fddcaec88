// A database as ContextForge 1.0.7 makes it: a part of its tables, with a part of their columns.

export const CONTEXTFORGE_TABLES: readonly string[] = [
  `CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
     CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))`,
  "INSERT INTO alembic_version (version_num) VALUES ('f3a1c9d27b64')",
  `CREATE TABLE gateways (id VARCHAR(36) NOT NULL, name VARCHAR NOT NULL, slug VARCHAR NOT NULL, url VARCHAR NOT NULL,
     description VARCHAR, transport VARCHAR NOT NULL, capabilities JSON NOT NULL, created_at TIMESTAMP NOT NULL,
     enabled BOOLEAN NOT NULL, auth_type VARCHAR, auth_value JSON, version INTEGER DEFAULT '1' NOT NULL,
     CONSTRAINT pk_gateways PRIMARY KEY (id))`,
  `CREATE TABLE tools (id VARCHAR(36) NOT NULL, original_name VARCHAR NOT NULL, url VARCHAR, gateway_id VARCHAR(36),
     integration_type VARCHAR NOT NULL, input_schema JSON NOT NULL, CONSTRAINT pk_tools PRIMARY KEY (id),
     CONSTRAINT fk_tools_gateway_id FOREIGN KEY (gateway_id) REFERENCES gateways (id))`,
  `CREATE TABLE servers (id VARCHAR(36) NOT NULL, name VARCHAR NOT NULL, description VARCHAR, icon VARCHAR,
     created_at TIMESTAMP NOT NULL, visibility VARCHAR(20) DEFAULT 'private' NOT NULL,
     CONSTRAINT pk_servers PRIMARY KEY (id))`,
  `CREATE TABLE server_tool_association (server_id VARCHAR NOT NULL, tool_id VARCHAR NOT NULL,
     CONSTRAINT pk_server_tool_association PRIMARY KEY (server_id, tool_id))`,
  `CREATE TABLE token_revocations (jti VARCHAR(36) NOT NULL, revoked_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL,
     revoked_by VARCHAR(255) NOT NULL, CONSTRAINT pk_token_revocations PRIMARY KEY (jti))`,
  `CREATE TABLE email_users (id VARCHAR(36) NOT NULL, email VARCHAR(255) NOT NULL, password_hash VARCHAR(255) NOT NULL,
     is_admin BOOLEAN NOT NULL, CONSTRAINT pk_email_users PRIMARY KEY (email))`,
];
