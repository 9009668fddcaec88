// Room `audit_export`: sends the records of the audit trail to other systems. One worker of the cluster reads the chain in the database,
// record after record, so that a sink that fails neither slows a call nor loses a record. This file has the interface of a sink.
import type { CancelSignal } from "../base/cancellation.ts";
import type { ChainedRecord } from "../store/audit/audit_record.ts";

export const SINKS = ["file", "syslog", "webhook"] as const;

export type SinkName = typeof SINKS[number];

export interface AuditSink {
  readonly name: SinkName;
  /** Records in one call of `send()`. */
  readonly atOnce: number;
  /** Resolves when the other system has the records, as far as its protocol tells. Rejects if it may not have all of them. */
  send(records: readonly ChainedRecord[], signal: CancelSignal): Promise<void>;
  close(): void;
}

/** Time for one call of `send()`, ms. */
export const SEND_TIMEOUT_MS = 10_000;
