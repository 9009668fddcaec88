import { assertEquals, assertRejects } from "@std/assert";
import { IDLE_MS, replicaFixture, TTL_MS } from "../../tests/support/replica_fixture.ts";
import { SluiceError } from "../base/errors.ts";
import { callerHomeKey } from "./caller_homes.ts";

Deno.test("CallerHomes.find(): of many replicas that are asked first, one is the home of a part and all agree", async () => {
  const { clock, replica } = replicaFixture();
  const all = Array.from({ length: 5 }, (_, i) => replica(`r${i}`));
  for (const { registration } of all) await registration.start();
  const homes = await Promise.all(all.map(({ callers }) => callers.find(7)));
  assertEquals(new Set(homes.map(({ replica }) => replica)).size, 1);
  assertEquals(homes.filter(({ address }) => address === null).length, 1);
  const home = homes[0]!.replica;
  assertEquals(
    all.map(({ callers }) => [callers.known(7), callers.known(8)]),
    all.map(() => [home, undefined]),
  );

  // As long as somebody calls within the idle time, the home stays.
  const [one, other] = all;
  for (const { callers } of [one!, other!, one!, one!, other!]) {
    await clock.tick(IDLE_MS - TTL_MS);
    assertEquals((await callers.find(7)).replica, home);
  }
  for (const { registration } of all) await registration.stop();
});

Deno.test("CallerHomes.find() gives the part of a replica that is gone to one of the others", async () => {
  const { clock, replica } = replicaFixture();
  const all = ["gone", "one", "other"].map((seed) => replica(seed));
  const [gone, ...rest] = all;
  for (const { registration } of all) await registration.start();
  for (const { callers } of all) await callers.find(7);
  assertEquals(rest.map(({ callers }) => callers.known(7)), rest.map(() => gone!.number.now));
  await gone!.registration.leave();
  await clock.tick(TTL_MS);
  const homes = await Promise.all(rest.map(({ callers }) => callers.find(7)));
  assertEquals(new Set(homes.map(({ replica }) => replica)).size, 1);
  assertEquals(homes.filter(({ address }) => address === null).length, 1);
  for (const { registration } of rest) await registration.stop();
});

Deno.test("CallerHomes.restore() keeps a home where the store has lost its records", async () => {
  const { cache, replica } = replicaFixture();
  const [home, other] = [replica("home"), replica("other")];
  for (const { registration } of [home, other]) await registration.start();
  await home.callers.find(7);
  await cache.delete(callerHomeKey(7));
  await home.callers.restore();
  assertEquals((await other.callers.find(7)).replica, home.number.now);
  for (const { registration } of [home, other]) await registration.stop();
});

Deno.test("CallerHomes.find() fails while the records are away, unless the home is known", async () => {
  const { replica } = replicaFixture();
  const one = replica("one");
  await one.registration.start();
  await one.callers.find(7);
  one.state.isAway = true;
  assertEquals(await one.callers.find(7), { replica: one.number.now, address: null });
  await assertRejects(() => one.callers.find(8), SluiceError, "");
  await one.registration.stop();
});
