// Encodes any text as an HTTP header value (2026-07-28, transports, "Value Encoding"): plain, or as `=?base64?…?=`.

const PREFIX = "=?base64?";
const SUFFIX = "?=";
/** Visible ASCII, with spaces and tabs only inside. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/;
const encoder = new TextEncoder();

/** Encodes a text that HTTP would change or refuse, or that looks encoded. */
export function headerText(text: string): string {
  const isPlain = text === "" || (PLAIN.test(text) && !(text.startsWith(PREFIX) && text.endsWith(SUFFIX)));
  return isPlain ? text : PREFIX + encoder.encode(text).toBase64() + SUFFIX;
}

const ENCODED = /^=\?base64\?(.*)\?=$/s;
/** The characters that a header value may hold. */
const SAFE = /^[\t\x20-\x7e]*$/;

/** Decodes a header value; null: its base64 or a character is invalid. */
export function textOfHeader(value: string): string | null {
  if (!SAFE.test(value)) return null;
  const encoded = ENCODED.exec(value)?.[1];
  if (encoded === undefined) return value;
  try {
    // Strict, so that all readers agree on which values are invalid.
    const bytes = Uint8Array.fromBase64(encoded, { lastChunkHandling: "strict" });
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
