// Copies committed pages from the write-ahead log to the database file, so that a plain copy of the file is complete.
import { DatabaseSync } from "node:sqlite";

/**
 * Does not wait for other connections: pages after the snapshot of a reader stay in the log.
 * @returns whether the whole log has been copied
 * @throws {Error} the error of node:sqlite
 */
export function checkpoint(path: string): boolean {
  const database = new DatabaseSync(path);
  try {
    const { busy, log, checkpointed } = database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()!;
    // busy: another connection is at it. The others count the pages in the log, and those of them that are in the file.
    return busy === 0 && log === checkpointed;
  } finally {
    database.close();
  }
}
