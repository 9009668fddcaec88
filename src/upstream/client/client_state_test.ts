import { assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { ClientState } from "./client_state.ts";

const uri = (chars: number, n: number) => `${n}:`.padEnd(chars, "x");

Deno.test("ClientState.subscribe() bounds the characters of all URIs together; unsubscribe() gives them back", async () => {
  const client = new ClientState();
  const half = 64 * 1024;
  await client.subscribe("a", uri(half, 1));
  await client.subscribe("b", uri(half, 2));
  assertEquals(client.keptChars, 2 * half);
  const error = await assertRejects(() => client.subscribe("c", "x"), SluiceError, "131072 characters");
  assertEquals(error.code, "INVALID_REQUEST");
  await client.subscribe("a", uri(half, 1));
  await client.unsubscribe("b", uri(half, 2));
  await client.subscribe("c", "x");
  const restored = new ClientState({ preferences: client.preferences });
  assertEquals([client.keptChars, restored.keptChars], [half + 1, half + 1]);
});

Deno.test("ClientState.addTask() bounds the characters of the client's task ids", async () => {
  const client = new ClientState();
  for (let n = 0; n < 10; n++) await client.addTask(uri(60_000, n), "up");
  assertEquals([client.keptChars, client.ownerOfTask(uri(60_000, 9))], [2 * 60_002, "up"]);
});
