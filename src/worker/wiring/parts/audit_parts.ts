// Makes the audit trail of a worker, and the statuses of imports.
import type { AdminDeps } from "../../../admin/rest/deps.ts";
import type { ConfigFileChanges } from "../../../admin/imports/config_file_sync.ts";
import type { Config } from "../../../config/schema.ts";
import { CallAudit } from "../../../proxy/call/call_audit.ts";
import { changesBetween, operatorRecord } from "../../../store/audit/audit_record.ts";
import { AuditRecords } from "../../../store/audit/audit_records.ts";
import { AuditTrail } from "../../../store/audit/audit_trail.ts";
import { CacheRecords } from "../../../store/cache_records.ts";
import type { Database } from "../../../store/sql/sql.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";

export interface AuditDeps {
  readonly database: Database;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface AuditParts extends Pick<AdminDeps, "auditTrail" | "auditRecords" | "importReports"> {
  /** null: AUDIT_TRAIL_ENABLED=false. */
  readonly callAudit: CallAudit | null;
  /** The registry follows the configuration file of MCP_CONFIG. */
  readonly fileApplied: (source: string, changes: ConfigFileChanges) => Promise<void>;
}

export function createAudit(config: Config, { database, log, metrics }: AuditDeps): AuditParts {
  const auditRecords = new AuditRecords(database);
  const importReports = new CacheRecords(database);
  if (!config.auditTrailEnabled) {
    return {
      auditTrail: null,
      auditRecords,
      importReports,
      callAudit: null,
      fileApplied: () => Promise.resolve(),
    };
  }
  const count = metrics.counter("sluice_audit_records_total");
  const auditTrail = new AuditTrail({
    append: (records) => auditRecords.append(records),
    log,
    countWritten: () => count("written"),
    countDropped: () => count("lost"),
    maxWaiting: config.auditMaxWaiting,
    refusesWhenFull: config.auditWhenFull === "refuse",
  });
  metrics.gauge("sluice_audit_records_waiting", () => auditTrail.waiting);
  return {
    auditTrail,
    auditRecords,
    importReports,
    callAudit: new CallAudit(auditTrail, config.auditToolCalls),
    fileApplied: async (source, { registered, changed, removed }) => {
      if (registered.length + changed.length + removed.length === 0) return;
      await auditTrail.record(operatorRecord(
        "configuration file",
        "applyConfigFile",
        { kind: "file", id: source },
        changesBetween({ removed }, { registered, changed }),
      ));
    },
  };
}
