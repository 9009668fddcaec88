// Writes records as JSON lines to a file, or to standard output.
import { type ChainedRecord, exportText } from "../store/audit/audit_record.ts";
import type { AuditSink } from "./audit_sink.ts";

const AT_ONCE = 500;

/** AUDIT_EXPORT_FILE: standard output. */
export const STDOUT = "-";

/**
 * Appends to a file, which is opened for each batch: a tool that rotates files may rename it at any time.
 * @param path a file name, or STDOUT
 * @param print writes whole lines to standard output
 */
export function fileSink(path: string, print: (lines: string) => void): AuditSink {
  const linesOf = (records: readonly ChainedRecord[]) =>
    records.map((record) => `${exportText(record)}\n`).join("");
  return {
    name: "file",
    atOnce: AT_ONCE,
    send: async (records) => {
      if (path === STDOUT) return print(linesOf(records));
      using file = await Deno.open(path, { append: true, create: true, mode: 0o600 });
      const bytes = new TextEncoder().encode(linesOf(records));
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.syncData();
    },
    close: () => {},
  };
}
