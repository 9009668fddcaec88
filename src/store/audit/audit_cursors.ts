// How far the exports of the audit trail have come, by sink.
import { type Database, sql } from "../sql/sql.ts";

export class AuditCursors {
  constructor(private readonly database: Database) {}

  /** The number of the last exported record; 0: none. */
  async read(sink: string): Promise<number> {
    const [row] = await this.database.query<{ sequence: number | string }>(
      sql`SELECT sequence FROM audit_exports WHERE sink = ${sink}`,
    );
    return Number(row?.sequence ?? 0);
  }

  async write(sink: string, sequence: number): Promise<void> {
    await this.database.run(
      sql`INSERT INTO audit_exports (sink, sequence) VALUES (${sink}, ${sequence})
          ON CONFLICT (sink) DO UPDATE SET sequence = excluded.sequence`,
    );
  }
}
