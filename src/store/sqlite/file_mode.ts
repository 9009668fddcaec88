// The mode of a database file. Its owner alone needs it: it holds sealed credentials, and records of sessions.

/** A warning if other users of the machine can read or change the database; null otherwise. */
export function modeWarning(path: string): string | null {
  const { mode } = Deno.statSync(path);
  if (mode === null || (mode & 0o077) === 0) return null;
  const files = [path, `${path}-wal`, `${path}-shm`].join(" ");
  return `${path} is open to other users (mode ${
    (mode & 0o777).toString(8)
  }); let its owner run: chmod 600 ${files}`;
}
