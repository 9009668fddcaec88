import { assertEquals } from "@std/assert";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { DepartedClients } from "./departed_clients.ts";

Deno.test("DepartedClients tells of clients that are still gone at the next look, and of nobody else", async () => {
  const clock = new FakeClock();
  let departed: string[] = [];
  const told: string[][] = [];
  const clients = new DepartedClients({
    departed: () => departed,
    tell: async (peers) => void told.push([...peers]),
    clock,
  });
  await clock.tick(1_000);
  departed = ["a 1", "b 2"];
  await clock.tick(1_000);
  assertEquals(told, []);
  departed = ["b 2", "c 3"];
  await clock.tick(1_000);
  assertEquals(told, [["b 2"]]);
  departed = [];
  await clock.tick(5_000);
  assertEquals(told.length, 1);
  clients.stop();
  assertEquals(clock.timers, 0);
});
