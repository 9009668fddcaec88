// Two cookies of the pages: the session, which is the token of a login, and the notice for the next page. Both are sent to the pages
// alone, so that no other path of the gateway takes a cookie for a credential.
import type { Notice } from "./page_call.ts";

/** The pages for people are at this path and below. */
export const PAGES_PATH = "/admin";

const SESSION = "sluice_session";
const NOTICE = "sluice_notice";

/** More cookies than this are not read. */
const MAX_COOKIES = 100;

/** A cookie holds 4 KB with its attributes. */
const MAX_NOTICE_CHARS = 2_000;

export interface CookieScope {
  /** For the pages: `/prefix/admin`. */
  readonly path: string;
  /** The browser came by https. */
  readonly isSecure: boolean;
}

/** Of the cookies of the pages. @param prefix the path below which the gateway is published; empty: none */
export function pagesScope(prefix: string, isSecure: boolean): CookieScope {
  return { path: prefix + PAGES_PATH, isSecure };
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
  return cookie(NOTICE, notice === null ? "" : noticeText(notice), notice === null ? 0 : 60, scope);
}

/** A notice that is too long loses its undo, then the end of its text. */
function noticeText(notice: Notice): string {
  const { text, isFailure } = notice;
  for (const shorter of [notice, { text, isFailure }]) {
    const written = encodeURIComponent(JSON.stringify(shorter));
    if (written.length <= MAX_NOTICE_CHARS) return written;
  }
  const words = [...text].slice(0, MAX_NOTICE_CHARS);
  let [fits, tooMany] = [0, words.length];
  const cut = (count: number) =>
    encodeURIComponent(JSON.stringify({ text: `${words.slice(0, count).join("")} …`, isFailure }));
  while (tooMany - fits > 1) {
    const count = (fits + tooMany) >> 1;
    if (cut(count).length <= MAX_NOTICE_CHARS) fits = count;
    else tooMany = count;
  }
  return cut(fits);
}

/** null for a part of a page, which has no place for it: the notice stays for the next page, maybe in another tab. */
export function noticeIn(headers: Headers): Notice | null {
  if (headers.has("hx-request")) return null;
  try {
    const notice = JSON.parse(decodeURIComponent(cookieIn(headers, NOTICE) ?? "null"));
    return typeof notice?.text === "string" ? notice : null;
  } catch {
    return null;
  }
}

/** A Set-Cookie header. Scripts cannot read the cookie; the browser sends it with links from elsewhere, and with no forms from elsewhere. */
export function cookie(
  name: string,
  value: string,
  maxAgeSeconds: number,
  { path, isSecure }: CookieScope,
): string {
  const attributes = [`Path=${path}`, `Max-Age=${maxAgeSeconds}`, "HttpOnly", "SameSite=Lax"];
  return [`${name}=${value}`, ...attributes, ...(isSecure ? ["Secure"] : [])].join("; ");
}

function cookieIn(headers: Headers, name: string): string | null {
  return cookiesIn(headers).get(name) ?? null;
}

/** By name. Of two cookies with one name the first counts: browsers send the one for the longer path first (RFC 6265, section 5.4). */
export function cookiesIn(headers: Headers): Map<string, string> {
  const cookies = new Map<string, string>();
  for (const pair of headers.get("cookie")?.split(";", MAX_COOKIES) ?? []) {
    const at = pair.indexOf("=");
    const name = pair.slice(0, Math.max(0, at)).trim();
    if (name !== "" && !cookies.has(name)) cookies.set(name, pair.slice(at + 1).trim());
  }
  return cookies;
}
