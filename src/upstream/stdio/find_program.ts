// Which file a command's name stands for, so that a missing program is an error in words and not an exit code.

/** The program's absolute path; null: there is none that may be executed. */
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
