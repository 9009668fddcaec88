import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { conditionalResponse, jsonRepresentation } from "./conditional.ts";

const HEADERS = { "cache-control": "private, no-cache" };

async function answer(ifNoneMatch: string | null, method = "GET"): Promise<Response> {
  const headers = ifNoneMatch === null ? undefined : { "if-none-match": ifNoneMatch };
  const request = new Request("http://gateway/tools", { method, headers });
  return conditionalResponse(request, await jsonRepresentation({ a: "ä" }), HEADERS);
}

const { etag } = await jsonRepresentation({ a: "ä" });

Deno.test("jsonRepresentation() tags the same content alike, and other content otherwise, in RFC 9110's form", async () => {
  assert(/^"[\x21\x23-\x7e]+"$/.test(etag), etag);
  assertEquals((await jsonRepresentation({ a: "ä" })).etag, etag);
  assertNotEquals((await jsonRepresentation({ a: "b" })).etag, etag);
  assertNotEquals((await jsonRepresentation([])).etag, (await jsonRepresentation({})).etag);
});

Deno.test("conditionalResponse() answers 200 with the content and its tag where the client names another tag or none", async () => {
  for (
    const header of [null, "", '"other"', 'W/"other", "another"', etag.slice(0, -1), etag.replaceAll('"', "")]
  ) {
    const response = await answer(header);
    assertEquals([response.status, await response.json()], [200, { a: "ä" }], String(header));
    assertEquals(
      ["etag", "cache-control", "content-type"].map((name) => response.headers.get(name)),
      [etag, "private, no-cache", "application/json"],
    );
  }
});

Deno.test("conditionalResponse() answers 304 without content where the client has it: a tag, a list, weak, or any", async () => {
  for (const header of [etag, `W/${etag}`, `"other", ${etag}`, `"other" ,W/${etag},"third"`, "*", " * "]) {
    for (const method of ["GET", "HEAD"]) {
      const response = await answer(header, method);
      assertEquals([response.status, response.body], [304, null], `${method} ${header}`);
      assertEquals(
        ["etag", "cache-control", "content-type"].map((name) => response.headers.get(name)),
        [etag, "private, no-cache", null],
      );
    }
  }
});
