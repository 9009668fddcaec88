// Any text as an HTTP header's value (2026-07-28, transports, "Value Encoding"): as it is, or as `=?base64?…?=`.

const PREFIX = "=?base64?";
const SUFFIX = "?=";
/** Visible ASCII, with spaces and tabs inside only. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const encoder = new TextEncoder();

/** What a reader decodes to `text`: what HTTP would change, refuse or mistake for encoded text is encoded. */
export function headerText(text: string): string {
  const isPlain = text === "" || (PLAIN.test(text) && !(text.startsWith(PREFIX) && text.endsWith(SUFFIX)));
  return isPlain ? text : PREFIX + encoder.encode(text).toBase64() + SUFFIX;
}
