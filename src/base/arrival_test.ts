import { assertEquals, assertThrows } from "@std/assert";
import { Arrival, UNCOUNTED_BYTES } from "./arrival.ts";
import { SluiceError } from "./errors.ts";
import { ClientMemory } from "./sharing/client_memory.ts";

const EVE = { issuer: null, subject: "eve" };

Deno.test("Arrival refuses no small text, also after a large one, whatever else is kept for the caller", () => {
  const memory = new ClientMemory(200_000);
  const arrival = new Arrival(memory.ownerFor(EVE));
  arrival.keeps(100_000);
  assertEquals(memory.chars, 100_000);
  arrival.keeps(0);
  const full = memory.hold(EVE);
  full.grow(150_000);
  arrival.keeps(UNCOUNTED_BYTES);
  assertEquals(memory.chars, 150_000);
  assertThrows(() => arrival.keeps(UNCOUNTED_BYTES + 1), SluiceError);
  full.close();
  arrival.end();
  assertEquals(memory.chars, 0);
});

Deno.test("Arrival: what is shed takes no more, and ends once", () => {
  const memory = new ClientMemory(1_000_000);
  let shed = 0;
  const arrival = new Arrival(memory.ownerFor(EVE), () => shed++);
  arrival.keeps(100_000);
  memory.shed(0);
  assertEquals([memory.chars, shed], [0, 1]);
  assertThrows(() => arrival.keeps(100_001), SluiceError);
  arrival.end();
  memory.shed(0);
  assertEquals([memory.chars, shed], [0, 1]);
});
