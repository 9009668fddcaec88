// Redirect URIs: which a client may have, and which of them a request names (RFC 9700, section 2.1; RFC 8252, section 7).

/** More would only serve to fill the database. */
export const MAX_REDIRECT_URIS = 10;
const MAX_CHARS = 500;

/** Schemes that a browser or the system runs or reads itself, in place of a client's program. */
const OTHER_SCHEMES: ReadonlySet<string> = new Set([
  ...["javascript", "data", "vbscript", "blob", "file", "filesystem", "about", "view-source", "chrome", "ws"],
  ...["wss", "ftp", "mailto", "tel", "sms", "intent", "jar", "res", "ms-its", "mk", "urn"],
]);

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

/** Why no client may have this redirect URI, to follow "the redirect URI"; null: a client may. */
export function redirectFault(text: string): string | null {
  if (text.length > MAX_CHARS) return `is longer than ${MAX_CHARS} characters`;
  // A URL parser drops or rewrites these, so that two readers would see two addresses.
  if (!/^[\x21-\x7e]+$/.test(text) || /["<>\\^`{|}]/.test(text)) {
    return "has characters that are not allowed in a URI";
  }
  const url = URL.parse(text);
  if (url === null) return "is no absolute URI";
  if (text.includes("#")) return "has a fragment";
  const scheme = url.protocol.slice(0, -1);
  if (scheme === "https" || scheme === "http") {
    if (url.username !== "" || url.password !== "" || /^[a-z]+:\/\/[^/?]*@/i.test(text)) {
      return "has user information";
    }
    if (!/^https?:\/\/[^/]/i.test(text) || hasDotSegments(text)) return "has dot segments or an empty host";
    return scheme === "http" && !isLoopback(url)
      ? "needs https; plain http is for this machine only (127.0.0.1, [::1])"
      : null;
  }
  if (OTHER_SCHEMES.has(scheme)) return `has the scheme ${scheme}, which belongs to no client`;
  return hasDotSegments(text) ? "has dot segments" : null;
}

/** Does the browser leave this machine with the redirect? A program here may pretend to be any client that redirects to the machine. */
export function isOnThisMachine(redirectUri: string): boolean {
  const url = new URL(redirectUri);
  return !/^https?:$/.test(url.protocol) || isLoopback(url);
}

/**
 * Is this one of a client's redirect URIs? They are compared as text. Of a loopback address the port is free: a native client takes
 * one that the system gives it (RFC 8252, section 7.3).
 */
export function isRegistered(given: string, registered: readonly string[]): boolean {
  if (redirectFault(given) !== null) return false;
  return registered.some((each) => each === given || withoutPort(each) === withoutPort(given));
}

/** For people: where the browser goes. */
export function hostOf(redirectUri: string): string {
  const { protocol, host } = new URL(redirectUri);
  return /^https?:$/.test(protocol) ? host : protocol;
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && LOOPBACK.has(hostname);
}

/** Percent-encoded dots count as dots, as for a URL parser. */
function hasDotSegments(text: string): boolean {
  return /(^|\/)(\.|%2e){1,2}(\/|\?|$)/i.test(text.replace(/^[a-z][a-z0-9+.-]*:/i, ""));
}

/** A loopback URI with its port taken out; the text itself for every other. */
function withoutPort(text: string): string {
  return text.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)):\d{1,5}(?=[/?]|$)/, "$1");
}
