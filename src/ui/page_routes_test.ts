import { assertEquals } from "@std/assert";
import { pagesAt } from "./page_routes.ts";
import { pageAfterSignIn } from "./start/sign_in_page.tsx";

Deno.test("pagesAt() prefers a path without names, and decodes the names of others", () => {
  const pathOf = (path: string) => pagesAt(path)?.routes.map(({ method, path }) => `${method} ${path}`);
  assertEquals(pathOf("upstreams/new"), ["GET upstreams/new", "POST upstreams/new"]);
  assertEquals(pathOf("upstreams/x"), ["GET upstreams/{id}"]);
  assertEquals(pagesAt("upstreams/a%20b")?.params, { id: "a b" });
  assertEquals(pagesAt("upstreams/%E0%A4%A")?.params, { id: "%E0%A4%A" });
  assertEquals([pagesAt("upstreams/"), pagesAt("nothing"), pagesAt("upstreams/a/b/c")], [null, null, null]);
});

Deno.test("pageAfterSignIn() leads to pages of the gateway alone", () => {
  assertEquals(pageAfterSignIn("upstreams/new?x=1"), "upstreams/new?x=1");
  const foreign = [
    "//evil.test",
    "/\\evil.test",
    "https://evil.test",
    "javascript:alert(1)",
    "\\evil",
    ".//evil",
    "",
    null,
  ];
  for (const next of foreign) assertEquals(pageAfterSignIn(next), "", String(next));
});
