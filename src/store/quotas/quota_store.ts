// The quotas in the database. Every write raises the version of rights, so that all workers read the quotas again.
import { SluiceError } from "../../base/errors.ts";
import { raiseRightsVersion } from "../sql/catalog_version.ts";
import { newId } from "../sql/new_id.ts";
import { ConstraintError, type Database, sql } from "../sql/sql.ts";
import { Table } from "../sql/table.ts";
import type { NewQuota, QuotaChanges, QuotaRow } from "./quota_rows.ts";

/** What workers keep in memory is bounded. */
export const MAX_QUOTAS = 10_000;

const QUOTAS = new Table<QuotaRow>("quotas", {
  id: "text",
  kind: "text",
  target: "text",
  calls: "integer",
  seconds: "integer",
  bytes: "integer",
  windowS: "integer",
  createdBy: "text",
  createdAt: "text",
  updatedAt: "text",
});

export class QuotaStore {
  constructor(private readonly database: Database, private readonly now: () => Date) {}

  /** All quotas, by kind and target. */
  async list(): Promise<QuotaRow[]> {
    const records = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM quotas ORDER BY kind, target`,
    );
    return records.map((record) => QUOTAS.decode(record));
  }

  /** @returns null if there is none */
  async get(id: string): Promise<QuotaRow | null> {
    const [record] = await this.database.query<Record<string, unknown>>(
      sql`SELECT * FROM quotas WHERE id = ${id}`,
    );
    return record === undefined ? null : QUOTAS.decode(record);
  }

  /** @throws {SluiceError} CONFLICT if the target has a quota, or there are MAX_QUOTAS */
  async insert(given: NewQuota): Promise<QuotaRow> {
    const time = this.now().toISOString();
    const row: QuotaRow = { ...given, id: newId(), createdAt: time, updatedAt: time };
    try {
      await this.database.transaction(async (tx) => {
        // First, because it makes concurrent writes wait: the count holds until the commit.
        await raiseRightsVersion(tx);
        const [{ amount }] = await tx.query<{ amount: number }>(sql`SELECT COUNT(*) AS amount FROM quotas`);
        if (Number(amount) >= MAX_QUOTAS) {
          throw new SluiceError("CONFLICT", { reason: `There are ${MAX_QUOTAS} quotas; delete one first` });
        }
        for (const statement of QUOTAS.inserts([row])) await tx.run(statement);
      });
    } catch (error) {
      if (!(error instanceof ConstraintError) || error.kind !== "unique") throw error;
      const reason = `The ${given.kind} "${given.target}" has a quota already; change it`;
      throw new SluiceError("CONFLICT", { reason }, { cause: error });
    }
    return row;
  }

  /** @throws {SluiceError} NOT_FOUND */
  async update(id: string, changes: QuotaChanges): Promise<QuotaRow> {
    return await this.database.transaction(async (tx) => {
      await raiseRightsVersion(tx);
      const assignments = QUOTAS.assignments({ ...changes, updatedAt: this.now().toISOString() });
      const [record] = await tx.query<Record<string, unknown>>(
        sql`UPDATE quotas SET ${assignments} WHERE id = ${id} RETURNING *`,
      );
      if (record === undefined) throw new SluiceError("NOT_FOUND", { what: `Quota ${id}` });
      return QUOTAS.decode(record);
    });
  }

  /** @returns false if there was no such quota */
  async delete(id: string): Promise<boolean> {
    return await this.database.transaction(async (tx) => {
      const { changes } = await tx.run(sql`DELETE FROM quotas WHERE id = ${id}`);
      if (changes > 0) await raiseRightsVersion(tx);
      return changes > 0;
    });
  }
}
