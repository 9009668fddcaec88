// Recognizes another program's database, ContextForge's above all, before anything is written to it.
import { SluiceError } from "../../base/errors.ts";

/** What the gateway needs to know of a database to tell whose it is. */
export interface DatabaseContents {
  readonly tables: ReadonlySet<string>;
  /** How many steps of our schema it has. */
  readonly steps: number;
}

/** Every table that our schema has, or had in an earlier version. */
export const OUR_TABLES: readonly string[] = [
  "cache_records",
  "catalog_version",
  "gateways",
  "leases",
  "prompts",
  "resources",
  "revoked_tokens",
  "server_prompts",
  "server_resources",
  "server_tools",
  "servers",
  "session_records",
  "tools",
];

/** Alembic, which brings ContextForge's schema up to date, keeps its version in this table. */
const ALEMBIC_TABLE = "alembic_version";

/** @throws {SluiceError} STORE_CANNOT_OPEN when tables of another program stand in the way of ours */
export function refuseForeign({ tables, steps }: DatabaseContents, location: string): void {
  if (steps > 0) return;
  const taken = OUR_TABLES.filter((name) => tables.has(name));
  if (taken.length === 0) return;
  const owner = tables.has(ALEMBIC_TABLE)
    ? "it is ContextForge's database"
    : "it is another program's database";
  throw new SluiceError("STORE_CANNOT_OPEN", {
    path: location,
    reason: `${owner} (it has the tables ${taken.join(", ")}). Nothing was written to it. ` +
      "Sluice needs a database of its own: name another one in DATABASE_URL, for example sqlite:///./sluice.db",
  });
}
