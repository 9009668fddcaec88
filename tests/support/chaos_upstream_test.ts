import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { ChaosMode } from "./chaos_modes.ts";
import { ChaosUpstream } from "./chaos_upstream.ts";
import { BROKEN_REPLIES, startRawUpstream } from "./raw_upstream.ts";
import { waitFor } from "./wait_for.ts";

function post(url: string, message: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(message),
    redirect: "manual",
    ...init,
  });
}

function call(upstream: ChaosUpstream, mode: ChaosMode, init?: RequestInit): Promise<Response> {
  const params = { name: mode, arguments: {}, _meta: { progressToken: "p" } };
  return post(upstream.url, { jsonrpc: "2.0", id: 7, method: "tools/call", params }, init);
}

Deno.test("ChaosUpstream answers rightly in the modes that are only unusual", async () => {
  await using upstream = ChaosUpstream.start();
  const json = await (await call(upstream, "json")).json();
  assertEquals([json.id, json.result.content[0].text], [7, "done"]);
  const text = await (await call(upstream, "sse_with_notifications")).text();
  assertEquals(text.match(/notifications\/progress/g)?.length, 3);
  assertStringIncludes(text, '"id":7');
  assertStringIncludes(await (await call(upstream, "slow_sse")).text(), '"id":7');
});

Deno.test("ChaosUpstream misbehaves as the mode says", async () => {
  await using upstream = ChaosUpstream.start();
  await assertRejects(async () => await (await call(upstream, "disconnect_in_sse")).text());
  for (
    const [mode, status] of [["http_500", 500], ["session_lost", 404], ["accepted", 202], [
      "redirect",
      307,
    ]] as const
  ) {
    const response = await call(upstream, mode);
    await response.body?.cancel();
    assertEquals(response.status, status);
  }
  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize" };
  assertEquals((await (await post(upstream.urlOf("wrong_id"), initialize)).json()).id, "nobody-asked");
  const huge = await (await call(upstream, "huge")).json();
  assertEquals(huge.result.content[0].text.length, 64 * 1024 * 1024);
});

for (const mode of ["hang", "hang_in_sse", "endless_sse"] as const) {
  Deno.test(`ChaosUpstream sees who leaves it in mode ${mode}`, async () => {
    await using upstream = ChaosUpstream.start();
    const leave = new AbortController();
    const response = call(upstream, mode, { signal: leave.signal }).then((response) => response.text());
    await waitFor(() => upstream.asked.get(mode) === 1, { what: "the call to arrive" });
    leave.abort();
    await assertRejects(() => response);
    await waitFor(() => upstream.abandoned === 1, { what: "the caller to be missed" });
  });
}

Deno.test("ChaosUpstream keeps sessions where it is told to", async () => {
  await using upstream = ChaosUpstream.start({ sessions: true });
  const opened = await post(upstream.url, { jsonrpc: "2.0", id: 1, method: "initialize" });
  await opened.body?.cancel();
  const headers = { "mcp-session-id": opened.headers.get("mcp-session-id")! };
  assertEquals((await (await call(upstream, "json", { headers })).json()).id, 7);
  await (await call(upstream, "session_lost", { headers })).body?.cancel();
  const after = await call(upstream, "json", { headers });
  await after.body?.cancel();
  assertEquals([after.status, upstream.liveSessions], [404, 0]);
});

for (const [name, reply] of Object.entries(BROKEN_REPLIES)) {
  // fetch takes the chunks and forgives the length.
  if (name === "length_and_chunked") continue;
  Deno.test(`startRawUpstream() with ${name} breaks fetch`, async () => {
    await using upstream = startRawUpstream(reply);
    await assertRejects(async () => JSON.parse(await (await post(upstream.url, {})).text()));
    assertEquals(upstream.connections() > 0, true);
  });
}
