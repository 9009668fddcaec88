// `sluice audit verify` and `sluice audit export`: read the audit trail in the database, whether or not a gateway runs.
import { loadProcessConfig } from "../config/load.ts";
import { exportText } from "../store/audit/audit_record.ts";
import { AuditRecords, type ChainPoint } from "../store/audit/audit_records.ts";
import type { AuditArgs } from "./commands/command_arguments.ts";
import { openGatewayDatabase } from "./command_line/gateway_state.ts";
import { usage } from "./command_line/usage.ts";

/** @returns the exit code. @throws {SluiceError} USAGE_INVALID, SETTINGS_INVALID, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function auditVerify({ noted }: AuditArgs): Promise<number> {
  const point = noted === null ? null : pointIn(noted);
  return await withRecords(async (auditRecords) => {
    const { records, start, head, fault } = await auditRecords.verify(point);
    if (fault !== null) {
      console.error(
        `sluice: the audit trail is broken: ${fault}. The ${records} records before are in order.`,
      );
      return 1;
    }
    const from = start.sequence === 0 ? "" : `, after ${start.sequence} that were deleted by retention`;
    console.log(`The audit trail is whole: ${records} records${from}.`);
    console.log(`head ${head.sequence}:${head.hash}`);
    return 0;
  });
}

/** @returns the exit code. @throws {SluiceError} SETTINGS_INVALID, STORE_CANNOT_OPEN, STORE_UNAVAILABLE */
export async function auditExport({ after }: AuditArgs): Promise<number> {
  const encoder = new TextEncoder();
  return await withRecords(async (auditRecords) => {
    const writer = Deno.stdout.writable.getWriter();
    for await (const record of auditRecords.after(after)) {
      await writer.write(encoder.encode(`${exportText(record)}\n`));
    }
    return 0;
  });
}

function pointIn(noted: string): ChainPoint {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(noted);
  if (match !== null) return { sequence: Number(match[1]), hash: match[2] };
  throw usage(
    [`--noted must be a head as \`sluice audit verify\` prints it, not "${noted}"`],
    "audit verify",
  );
}

async function withRecords(run: (records: AuditRecords) => Promise<number>): Promise<number> {
  const database = await openGatewayDatabase(loadProcessConfig({ dev: false, overrides: {} }).config);
  try {
    return await run(new AuditRecords(database));
  } finally {
    await database.close();
  }
}
