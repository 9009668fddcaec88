// Copies committed pages from the write-ahead log to the database file, and lets the log begin again. This syncs files to the disk,
// which may take a slow disk a second: it happens on a connection of its own, away from the threads that serve requests.
import { DatabaseSync } from "node:sqlite";

/** Above this size, writers wait for the rest of the log to be copied: else a log that is always written to grows for ever. Pages. */
const MAX_LOG_PAGES = 4_096;

/** A writer is let finish for this time, ms. It holds the lock for one transaction. */
const BUSY_TIMEOUT_MS = 100;

export class Checkpointer {
  readonly #path: string;
  #database: DatabaseSync | null = null;
  #version: unknown = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether another connection has written since the last time. @throws {Error} the error of node:sqlite */
  get hasChanged(): boolean {
    const version = this.#read("data_version");
    const hasChanged = version !== this.#version;
    this.#version = version;
    return hasChanged;
  }

  /**
   * Does not wait for readers: pages after the snapshot of a reader stay in the log.
   * @returns whether the whole log has been copied
   * @throws {Error} the error of node:sqlite
   */
  run(): boolean {
    const open = this.#open();
    let { busy, log, checkpointed } = open.prepare("PRAGMA wal_checkpoint(PASSIVE)").get()!;
    if (log !== checkpointed && Number(log) > MAX_LOG_PAGES) {
      ({ busy, log, checkpointed } = open.prepare("PRAGMA wal_checkpoint(RESTART)").get()!);
    }
    // busy: another connection is at it. The others count the pages in the log, and those of them that are in the file.
    if (busy !== 0 || log !== checkpointed) return false;
    if (Number(log) > 1) this.#beginLogAgain(open);
    return true;
  }

  close(): void {
    this.#database?.close();
    this.#database = null;
  }

  /** The first writer after a complete checkpoint begins the log again, and has to sync its header. Be that writer: nothing is changed. */
  #beginLogAgain(open: DatabaseSync): void {
    try {
      open.exec(`PRAGMA user_version = ${Number(this.#read("user_version"))}`);
    } catch {
      // Another connection holds the lock, and begins the log itself.
    }
  }

  #read(pragma: "data_version" | "user_version"): unknown {
    return Object.values(this.#open().prepare(`PRAGMA ${pragma}`).get()!)[0];
  }

  #open(): DatabaseSync {
    if (this.#database !== null) return this.#database;
    const database = new DatabaseSync(this.#path);
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA synchronous = NORMAL`);
    return this.#database = database;
  }
}
