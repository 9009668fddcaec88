// Makes the exports of the audit trail. They run in the worker that leads the cluster.
import { AuditExporter } from "../../../audit_export/audit_exporter.ts";
import type { AuditSink } from "../../../audit_export/audit_sink.ts";
import { fileSink } from "../../../audit_export/file_sink.ts";
import { syslogSink, syslogTarget } from "../../../audit_export/syslog_sink.ts";
import { webhookSink } from "../../../audit_export/webhook_sink.ts";
import type { Clock } from "../../../base/clock.ts";
import { readAuthorities } from "../../../base/authorities.ts";
import type { Config } from "../../../config/schema.ts";
import { AuditCursors } from "../../../store/audit/audit_cursors.ts";
import type { AuditRecords } from "../../../store/audit/audit_records.ts";
import type { Database } from "../../../store/sql/sql.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";
import type { Outbound } from "../outbound.ts";

export interface AuditExportDeps {
  readonly database: Database;
  readonly auditRecords: Pick<AuditRecords, "page">;
  readonly outbound: Pick<Outbound, "client" | "check">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Writes whole lines to standard output. */
  readonly print: (lines: string) => void;
}

/** @returns a function that exports until its signal is aborted. @throws {SluiceError} SETTINGS_INVALID */
export function createAuditExports(config: Config, deps: AuditExportDeps): (signal: AbortSignal) => void {
  const { database, auditRecords, clock, log, metrics } = deps;
  const make = config.auditTrailEnabled ? sinksOf(config, deps) : [];
  const count = metrics.counter("sluice_audit_exports_total");
  const countFailure = metrics.counter("sluice_audit_export_failures_total");
  const cursors = new AuditCursors(database);
  return (signal) => {
    for (const makeSink of make) {
      const sink = makeSink();
      const exporter = new AuditExporter({
        ...{ sink, records: auditRecords, cursors, clock, log },
        count: (result) => count(sink.name, result),
        countFailure: () => countFailure(sink.name),
      });
      void exporter.run(signal);
    }
  };
}

function sinksOf(config: Config, { outbound, clock, print }: AuditExportDeps): (() => AuditSink)[] {
  const { auditExportFile, auditSyslogUrl, auditSyslogCaCerts, auditWebhookUrl, auditWebhookSecret } = config;
  const sinks: (() => AuditSink)[] = [];
  if (auditExportFile !== null) sinks.push(() => fileSink(auditExportFile, print));
  if (auditSyslogUrl !== null) {
    const authorities = auditSyslogCaCerts === null
      ? null
      : readAuthorities("AUDIT_SYSLOG_CA_CERTS", auditSyslogCaCerts);
    const target = syslogTarget(auditSyslogUrl, authorities);
    sinks.push(() => syslogSink(target, { host: Deno.hostname(), pid: Deno.pid }));
  }
  if (auditWebhookUrl !== null) {
    const { client, check } = outbound;
    const [url, secret] = [new URL(auditWebhookUrl), auditWebhookSecret!];
    sinks.push(() => webhookSink({ url, secret, client, check, clock }));
  }
  return sinks;
}
