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

const ENCODED = /^=\?base64\?(.*)\?=$/s;
/** What a value may hold at all; anything else has to be encoded. */
const SAFE = /^[\t\x20-\x7e]*$/;

/** The text that a header value stands for; null where its base64 is broken, or it has characters that no value may have. */
export function textOfHeader(value: string): string | null {
  if (!SAFE.test(value)) return null;
  const encoded = ENCODED.exec(value)?.[1];
  if (encoded === undefined) return value;
  try {
    // Strict: a value must be told broken by every reader alike.
    const bytes = Uint8Array.fromBase64(encoded, { lastChunkHandling: "strict" });
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
