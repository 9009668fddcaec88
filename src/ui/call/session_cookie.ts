// Two cookies of the pages: the session, which is the token of a login, and the notice for the next page. Both are sent to the pages
// alone, so that no other path of the gateway takes a cookie for a credential.
import type { Notice } from "./page_call.ts";

const SESSION = "sluice_session";
const NOTICE = "sluice_notice";

/** A cookie holds 4 KB with its attributes. */
const MAX_NOTICE_CHARS = 2_000;

export interface CookieScope {
  /** Where the pages are: `/prefix/admin`. */
  readonly path: string;
  /** The browser came by https. */
  readonly isSecure: boolean;
}

/** The Authorization header that the session cookie stands for; null: there is no session. */
export function authorizationIn(headers: Headers): string | null {
  const token = cookieIn(headers, SESSION);
  return token === null || token === "" ? null : `Bearer ${token}`;
}

/** @param session null ends the session */
export function sessionCookie(
  session: { readonly token: string; readonly maxAgeSeconds: number } | null,
  scope: CookieScope,
): string {
  return cookie(SESSION, session?.token ?? "", session?.maxAgeSeconds ?? 0, scope);
}

/** @param notice null: it has been shown */
export function noticeCookie(notice: Notice | null, scope: CookieScope): string {
  const text = notice === null ? "" : encodeURIComponent(JSON.stringify(notice));
  return text.length > MAX_NOTICE_CHARS
    ? cookie(NOTICE, encodeURIComponent(JSON.stringify({ text: "Done." })), 60, scope)
    : cookie(NOTICE, text, notice === null ? 0 : 60, scope);
}

export function noticeIn(headers: Headers): Notice | null {
  try {
    const notice = JSON.parse(decodeURIComponent(cookieIn(headers, NOTICE) ?? "null"));
    return typeof notice?.text === "string" ? notice : null;
  } catch {
    return null;
  }
}

function cookie(name: string, value: string, maxAgeSeconds: number, { path, isSecure }: CookieScope): string {
  const attributes = [`Path=${path}`, `Max-Age=${maxAgeSeconds}`, "HttpOnly", "SameSite=Lax"];
  return [`${name}=${value}`, ...attributes, ...(isSecure ? ["Secure"] : [])].join("; ");
}

function cookieIn(headers: Headers, name: string): string | null {
  for (const pair of headers.get("cookie")?.split(";") ?? []) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return null;
}
