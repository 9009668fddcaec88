// Finds the file of a command, so that a missing program gives an error text instead of an exit code.

/**
 * Returns the program's absolute path; null: no executable file was found.
 * @param path PATH of the process: the registration's, else the gateway's. A name without a slash is looked up in its absolute folders only
 * @param cwd the folder that a relative path starts from. An allow list of commands has no relative paths
 */
export function findProgram(
  command: string,
  { path, cwd }: { readonly path: string; readonly cwd: string },
): string | null {
  const folders = command.includes("/") ? [""] : path.split(":").filter((folder) => folder.startsWith("/"));
  for (const folder of folders) {
    const file = command.startsWith("/") ? command : `${folder === "" ? cwd : folder}/${command}`;
    if (isExecutable(file)) return file;
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(file);
    return isFile && (mode === null || (mode & 0o111) !== 0);
  } catch {
    return false;
  }
}
