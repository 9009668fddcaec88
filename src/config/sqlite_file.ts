// Finds the SQLite file of a DATABASE_URL: the .env beside it is read before the database is opened.

import { resolve } from "node:path";

/** The absolute path of the file that `databaseUrl` names, relative paths taken from `directory`; null for other databases. */
export function sqliteFile(databaseUrl: string, directory: string): string | null {
  const file = /^sqlite(?:\+\w+)?:\/\/\/([^?]+)/i.exec(databaseUrl.trim())?.[1];
  return file === undefined ? null : resolve(directory, file);
}
