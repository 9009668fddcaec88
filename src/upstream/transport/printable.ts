// Foreign text as it may stand in an error, a log line or a page.

/** The text in one line, without characters and sequences that a terminal or a page would obey. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "");
  return plain.toWellFormed().replace(/[\s\p{C}]+/gu, " ").trim();
}
