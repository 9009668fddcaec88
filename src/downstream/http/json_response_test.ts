import { assertEquals, assertThrows } from "@std/assert";
import { principal, SERVED } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import type { Exchange } from "../../http/handler.ts";
import { jsonResponse } from "./json_response.ts";

const JSON_TYPE = { headers: { "content-type": "application/json" } };

function exchangeOf(subject: string, completed: Promise<void> = Promise.resolve()): Exchange {
  return { principal: principal({ subject }), info: { ...SERVED, completed } } as unknown as Exchange;
}

Deno.test("jsonResponse() counts a large text until it is read, and refuses what the caller has no room for", async () => {
  const memory = new ClientMemory(8_000_000);
  const [eve, bob] = [exchangeOf("eve"), exchangeOf("bob")];
  const text = `${"x".repeat(262_143)}${"\u{1F600}é".repeat(600_000)}`;
  const small = jsonResponse(memory, eve, "{}", JSON_TYPE);
  assertEquals([await small.text(), memory.chars], ["{}", 0]);
  assertEquals(small.headers.get("transfer-encoding"), null);
  const chunked = jsonResponse(memory, eve, "x".repeat(301), JSON_TYPE);
  assertEquals([chunked.headers.get("transfer-encoding"), memory.chars], ["chunked", 0]);
  const response = jsonResponse(memory, eve, text, { status: 404, ...JSON_TYPE });
  assertEquals([response.status, memory.chars], [404, text.length]);
  const error = assertThrows(() => jsonResponse(memory, eve, text, JSON_TYPE), SluiceError);
  assertEquals(error.code, "CLIENT_MEMORY_FULL");
  const bobs = jsonResponse(memory, bob, text.slice(0, 1_200_000), JSON_TYPE);
  await bobs.body!.cancel();
  assertEquals(memory.chars, text.length);
  const bytes = await response.bytes();
  assertEquals([new TextDecoder().decode(bytes) === text, memory.chars], [true, 0]);
  assertEquals(response.headers.get("content-length"), String(bytes.length));
});

Deno.test("jsonResponse() counts a text that it sends whole until the response is sent", async () => {
  const memory = new ClientMemory(8_000_000);
  const { promise, resolve } = Promise.withResolvers<void>();
  const response = jsonResponse(memory, exchangeOf("eve", promise), "x".repeat(200_000), JSON_TYPE);
  assertEquals([(await response.text()).length, memory.chars], [200_000, 200_000]);
  resolve();
  await promise;
  assertEquals(memory.chars, 0);
});
