// Copies what is committed from the write-ahead log into the database file, so that a plain copy of that one file holds it.
import { DatabaseSync } from "node:sqlite";

/**
 * Waits for nobody: a reader of an older state keeps the rest in the log.
 * @returns whether everything is in the database file
 * @throws {Error} of node:sqlite
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
