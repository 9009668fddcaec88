// What the operating system says of a file, and what an operator can do about it. Paths are named by the caller.

/** Why a file cannot be read or written, in words: no path, no error number. */
export function fileReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotCapable) return "Deno's permission for it is missing";
  const message = error instanceof Error ? error.message : String(error);
  const [, words] = /^(.+?) \(os error \d+\)/.exec(message) ?? [];
  return words === undefined ? message : words.charAt(0).toLowerCase() + words.slice(1);
}

/** Why a file that a setting names cannot be read, and the remedy. */
export function readFault(error: unknown): string {
  return withRemedy(error, "Give the user that runs Sluice read access to it");
}

/** Why a file cannot be made or written, and the remedy. */
export function writeFault(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) {
    return "no file can be made there. Make its folder first, or choose another one";
  }
  return withRemedy(error, "Give the user that runs Sluice write access to the folder");
}

function withRemedy(error: unknown, remedyForPermission: string): string {
  const remedy = remedyOf(error, remedyForPermission);
  return remedy === null ? fileReason(error) : `${fileReason(error)}. ${remedy}`;
}

function remedyOf(error: unknown, remedyForPermission: string): string | null {
  if (error instanceof Deno.errors.PermissionDenied) return remedyForPermission;
  if (error instanceof Deno.errors.NotFound) return "Correct the path, or put the file there";
  if (error instanceof Deno.errors.AlreadyExists) return "Choose another name, or move the file away";
  if (error instanceof Deno.errors.IsADirectory) return "Name a file, or move the directory away";
  const { code } = error as { code?: unknown };
  if (code === "ENOTDIR") return "Correct the path: a part of it is a file";
  if (code === "ENOSPC") return "Free space on its disk";
  return code === "EROFS" ? "Use a folder that can be written" : null;
}
