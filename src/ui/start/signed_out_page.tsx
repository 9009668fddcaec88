// Requests without a session, or with one that has ended.
import type { PageHandler, Redirect, View } from "../call/page_call.ts";
import { PAGES_PATH } from "../call/session_cookie.ts";

/** The script asks it before a form is sent, so that a form whose sender is signed out stays as it was filled in. */
export const sessionPage: PageHandler = () =>
  Promise.resolve({ title: "Signed in", isPart: true, body: <p>You are signed in.</p> });

/** Pages where users decide on the rights of an application. After a new sign-in the user reads the page again before deciding. */
const CONSENTS: ReadonlySet<string> = new Set(["authorize", "device"]);

/** @param path of the page, relative to `/admin/` */
export function withoutSession({ method, url, headers }: Request, path: string): View | Redirect {
  if (method === "POST" && path !== "sign-out" && !CONSENTS.has(path)) return signedOutView();
  const next = method === "POST" ? pageBefore(headers) : path + new URL(url).search;
  return { to: next === "" ? "sign-in" : `sign-in?next=${encodeURIComponent(next)}` };
}

/** The page of a consent that was sent; empty: the browser does not tell it. */
function pageBefore(headers: Headers): string {
  const referer = headers.get("referer");
  if (referer === null || !URL.canParse(referer)) return "";
  const { pathname, search } = new URL(referer);
  const at = pathname.indexOf(`${PAGES_PATH}/`);
  const path = at < 0 ? "" : pathname.slice(at + PAGES_PATH.length + 1);
  return CONSENTS.has(path) ? path + search : "";
}

/** Without a script the form is gone from the page. The browser has it, and sends it again when the page is reloaded. */
function signedOutView(): View {
  return {
    title: "You are not signed in any more",
    status: 401,
    body: (
      <>
        <h1>You are not signed in any more</h1>
        <p>Nothing was done.</p>
        <p>
          <a href="sign-in" target="_blank">Sign in in another tab</a>, then reload this page: the browser
          sends what you have filled in again.
        </p>
        <p class="soft small">
          <a href="sign-in">Sign in, and leave it</a>
        </p>
      </>
    ),
  };
}
