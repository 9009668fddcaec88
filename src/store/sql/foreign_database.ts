// Recognizes the database of another program, such as ContextForge, before anything is written to it.
import { SluiceError } from "../../base/errors.ts";

/** What shows to whom a database belongs. */
export interface DatabaseContents {
  readonly tables: ReadonlySet<string>;
  /** How many migrations of our schema have run. */
  readonly steps: number;
}

/** All tables that our schema has, or had in an earlier version. */
export const OUR_TABLES: readonly string[] = [
  "api_token_addresses",
  "api_token_days",
  "api_token_totals",
  "api_tokens",
  "approvals",
  "audit_chain",
  "audit_exports",
  "audit_records",
  "cache_records",
  "catalog_version",
  "catalog_writes",
  "ended_upstream_tokens",
  "execution_spans",
  "execution_totals",
  "execution_writers",
  "gateway_events",
  "gateways",
  "leases",
  "oauth_clients",
  "oauth_codes",
  "oauth_consents",
  "oauth_device_codes",
  "oauth_grants",
  "one_time_tokens",
  "people_changes",
  "prompts",
  "quotas",
  "registry_changes",
  "removed_entries",
  "removed_members",
  "resources",
  "revoked_tokens",
  "role_assignments",
  "roles",
  "server_prompts",
  "server_resources",
  "server_tools",
  "servers",
  "session_records",
  "sso_identities",
  "sso_sessions",
  "sso_used",
  "team_invitations",
  "team_join_requests",
  "team_members",
  "teams",
  "tools",
  "upstream_clients",
  "upstream_tokens",
  "users",
];

/** The table in which Alembic, ContextForge's migration tool, keeps the version of the schema. */
export const ALEMBIC_TABLE = "alembic_version";

/** @throws {SluiceError} STORE_CANNOT_OPEN if another program has tables with names of ours */
export function refuseForeign({ tables, steps }: DatabaseContents, location: string): void {
  if (steps > 0) return;
  const taken = OUR_TABLES.filter((name) => tables.has(name));
  if (taken.length === 0) return;
  const isContextForges = tables.has(ALEMBIC_TABLE);
  const owner = isContextForges ? "ContextForge's" : "another program's";
  const next = isContextForges
    ? ". Then take over what this one has: sluice import contextforge DATABASE_URL-OF-CONTEXTFORGE"
    : "";
  throw new SluiceError("STORE_CANNOT_OPEN", {
    path: location,
    reason: `it is ${owner} database (it has the tables ${taken.join(", ")}). Nothing was written to it. ` +
      "Sluice needs a database of its own: name another one in DATABASE_URL, for example " +
      `sqlite:///./sluice.db${next}`,
  });
}
