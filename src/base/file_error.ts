// What the operating system says of a file, in words for an operator.

/** Why a file cannot be read or written: no path, no error number. */
export function fileReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  const message = error instanceof Error ? error.message : String(error);
  const [, words] = /^(.+?) \(os error \d+\)/.exec(message) ?? [];
  return words === undefined ? message : words.charAt(0).toLowerCase() + words.slice(1);
}
