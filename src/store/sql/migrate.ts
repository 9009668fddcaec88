// Brings the schema of a database up to date.
import { reasonOf, SluiceError } from "../../base/errors.ts";
import { raiseAllVersions } from "./catalog_version.ts";
import { type DatabaseContents, refuseForeign } from "./foreign_database.ts";
import { type Migration, MIGRATIONS } from "./migrations.ts";
import { type Database, sql, type SqlQuery } from "./sql.ts";

/** The table that has the steps that have run. */
const STEPS_TABLE = "schema_migrations";

/**
 * Brings the schema up to date. If several processes start at the same time, each step runs in one of them.
 * @returns the names of the steps that this call ran
 * @throws {SluiceError} STORE_CANNOT_OPEN if the schema is newer than this program, or a step fails
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
  // Transactions run one at a time. In PostgreSQL, two concurrent statements that create the same table would fail.
  await database.transaction(async (tx) => {
    const contents = await contentsOf(tx);
    refuseForeign(contents, tx.location);
    // PostgreSQL wants the right to create tables for IF NOT EXISTS too: a user beside the tables may lack it.
    if (contents.tables.has(STEPS_TABLE)) return;
    await tx.run(sql`CREATE TABLE schema_migrations (
      version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)`);
  });
  const ran: string[] = [];
  for (;;) {
    const name = await database.transaction((tx) => nextStep(tx, migrations));
    if (name === null) return ran;
    ran.push(name);
  }
}

/** The tables in the schema in which `CREATE TABLE` creates new ones. */
const TABLES: Readonly<Record<Database["dialect"], SqlQuery>> = {
  sqlite: sql`SELECT name FROM sqlite_master WHERE type = 'table'`,
  postgres: sql`SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema()`,
};

async function contentsOf(tx: Database): Promise<DatabaseContents> {
  const rows = await tx.query<{ name: string }>(TABLES[tx.dialect]);
  const tables = new Set(rows.map(({ name }) => name));
  if (!tables.has(STEPS_TABLE)) return { tables, steps: 0 };
  const [counted] = await tx.query<{ steps: number }>(sql`SELECT COUNT(*) AS steps FROM schema_migrations`);
  return { tables, steps: Number(counted.steps) };
}

/** Runs the next step and records it in the same transaction. @returns its name, or null if there is no next step */
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
  const { name, statements, run } = migrations[version];
  for (const statement of statements) await tx.run(statement);
  await run?.(tx);
  // Replicas of the former version serve on. The step may have rewritten any rows that they keep in memory.
  const { tables } = await contentsOf(tx);
  if (tables.has("catalog_writes")) await raiseAllVersions(tx);
  else await tx.run(sql`UPDATE catalog_version SET version = version + 1`);
  await tx.run(
    sql`INSERT INTO schema_migrations (version, name, applied_at)
        VALUES (${version + 1}, ${name}, ${new Date().toISOString()})`,
  );
  return name;
}
