import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { authorizationIn, noticeCookie, noticeIn, sessionCookie } from "./session_cookie.ts";

const SCOPE = { path: "/admin", isSecure: true };

function sent(setCookie: string): Headers {
  return new Headers({ cookie: `other=1; ${setCookie.split(";")[0]}` });
}

Deno.test("sessionCookie() is for the pages alone, and no script reads it", () => {
  const set = sessionCookie({ token: "t.t.t", maxAgeSeconds: 60 }, SCOPE);
  assertEquals(set, "sluice_session=t.t.t; Path=/admin; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
  assertEquals(authorizationIn(sent(set)), "Bearer t.t.t");
  assertEquals(authorizationIn(sent(sessionCookie(null, SCOPE))), null);
  assertEquals(authorizationIn(new Headers()), null);
});

Deno.test("noticeIn() reads what noticeCookie() has written, and nothing else", () => {
  const notice = { text: "“é” <b>; x=1", undo: { path: "a/b", fields: { activate: "true" } } };
  assertEquals(noticeIn(sent(noticeCookie(notice, SCOPE))), notice);
  assertEquals(noticeIn(sent(noticeCookie(null, SCOPE))), null);
  const ofPart = new Headers([...sent(noticeCookie(notice, SCOPE)), ["hx-request", "true"]]);
  assertEquals(noticeIn(ofPart), null);
  const long = { ...notice, text: "é\ud83d\ude00".repeat(1_000), isFailure: true };
  const { text, ...rest } = noticeIn(sent(noticeCookie(long, SCOPE)))!;
  assertEquals([/^(é😀)+é? …$/u.test(text), rest], [true, { isFailure: true }]);
  assert(noticeCookie(long, SCOPE).length < 2_100);
  for (const other of ["sluice_notice=%E0%A4%A", "sluice_notice=5", "sluice_notice={}"]) {
    assertEquals(noticeIn(new Headers({ cookie: other })), null);
  }
  assertStringIncludes(noticeCookie(null, SCOPE), "Max-Age=0");
});
