import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { SluiceError } from "../../base/errors.ts";
import { ClientState } from "./client_state.ts";

const OWNER = { issuer: null, subject: "ann" };

const uri = (chars: number, n: number) => `${n}:`.padEnd(chars, "x");

Deno.test("ClientState.subscribe() bounds the characters of all URIs together; unsubscribe() gives them back", async () => {
  const memory = new ClientMemory(Infinity);
  const capabilities = "{}";
  const client = new ClientState({ capabilities, memory: memory.hold(OWNER) });
  const half = 64 * 1024;
  await client.subscribe("a", uri(half, 1));
  await client.subscribe("b", uri(half, 2));
  assertEquals(memory.chars, 2 * half + 2);
  const error = await assertRejects(() => client.subscribe("c", "x"), SluiceError, "131072 characters");
  assertEquals(error.code, "INVALID_REQUEST");
  await client.subscribe("a", uri(half, 1));
  await client.unsubscribe("b", uri(half, 2));
  await client.subscribe("c", "x");
  new ClientState({ capabilities, preferences: client.preferences, memory: memory.hold(OWNER) });
  assertEquals(memory.chars, 2 * (half + 1 + 2));
  client.end();
  assertEquals(memory.chars, half + 1 + 2);
});

Deno.test("ClientState.addTask() bounds the characters of the client's task ids", async () => {
  const memory = new ClientMemory(Infinity);
  const client = new ClientState({ capabilities: "", memory: memory.hold(OWNER) });
  for (let n = 0; n < 10; n++) await client.addTask(uri(60_000, n), "up");
  assertEquals([memory.chars, client.ownerOfTask(uri(60_000, 9))], [2 * 60_002, "up"]);
});

Deno.test("ClientState.requireRoom() refuses a subscription above the caller's share of the memory", () => {
  const client = new ClientState({ capabilities: "", memory: new ClientMemory(200).hold(OWNER) });
  client.requireRoom("a", uri(100, 1));
  const error = assertThrows(() => client.requireRoom("a", uri(101, 1)), SluiceError);
  assertEquals(error.code, "CLIENT_MEMORY_FULL");
});
