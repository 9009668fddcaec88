import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { replicaFixture, TTL_MS } from "../../tests/support/replica_fixture.ts";
import { encodeRecord, periodAt, replicaKey } from "./replica_record.ts";

Deno.test("ReplicaRegistration keeps its record as long as one worker of the process lives", async () => {
  const { clock, cache, replica } = replicaFixture();
  // At the same time, as workers start.
  const [one, other] = [replica("process"), replica("process")];
  await Promise.all([one.registration.start(), other.registration.start()]);
  const number = one.number.now;
  assertEquals([other.number.now, one.state.lost, other.state.lost], [number, 0, 0]);
  await one.registration.stop();
  await clock.tick(3 * TTL_MS);
  assertEquals([other.registration.isSure, other.number.now], [true, number]);
  assertEquals(JSON.parse((await cache.get(replicaKey(number)))!).address, other.address);
  await other.registration.leave();
  assertEquals([await cache.get(replicaKey(number)), clock.timers], [null, 0]);
});

Deno.test("ReplicaRegistration takes another number where its own is another's", async () => {
  const { cache, clock, signatures, replica } = replicaFixture();
  const first = replica("process").number.now;
  const record = { address: "http://elsewhere", process: "another", ...periodAt(clock.now(), TTL_MS) };
  await cache.put(replicaKey(first), encodeRecord(first, record, signatures), TTL_MS);
  const { registration, number, state } = replica("process");
  await registration.start();
  assertNotEquals(number.now, first);
  assertEquals([registration.isSure, state.lost], [true, 1]);
  // Every worker of the process comes to the same.
  const other = replica("process");
  await other.registration.start();
  assertEquals(other.number.now, number.now);
  await Promise.all([registration.stop(), other.registration.stop()]);
});

Deno.test("ReplicaRegistration.confirm() finds out after a pause that the number is lost, before anything is served", async () => {
  const { clock, replica } = replicaFixture();
  const [paused, other] = [replica("paused"), replica("other")];
  await paused.registration.start();
  await other.registration.start();
  const number = paused.number.now;
  assertEquals(await other.directory.find(number), paused.address);
  // Stands still: its timers do not run.
  await paused.registration.stop();
  const awake = replica("paused");
  await clock.tick(TTL_MS + 1);
  assertEquals([await other.directory.find(number), awake.registration.isSure], [null, false]);
  await awake.registration.confirm();
  assertNotEquals(awake.number.now, number);
  assertEquals([awake.state.lost, awake.registration.isSure], [1, true]);
  await other.registration.stop();
});

Deno.test("ReplicaRegistration goes on under its number when the cache was away, and asks it once a second at most", async () => {
  const { clock, replica, logged } = replicaFixture();
  const { registration, number, state } = replica("one");
  await registration.start();
  const before = number.now;
  state.isAway = true;
  await clock.tick(2 * TTL_MS);
  assertEquals([logged.length, logged[0]!.includes("it is away")], [1, true]);
  assertEquals([registration.isSure, registration.isInTrouble], [false, true]);
  await registration.confirm();
  assertEquals([number.now, registration.isSure, state.lost], [before, false, 0]);
  state.isAway = false;
  await clock.tick(TTL_MS);
  assertEquals([number.now, registration.isSure, registration.isInTrouble], [before, true, false]);
  await registration.stop();
});

Deno.test("ReplicaRegistration.confirm() waits no longer than a second for a cache that does not answer", async () => {
  const { clock, cache, replica } = replicaFixture();
  cache.compareAndSet = () => new Promise(() => {});
  const { registration } = replica("one");
  let isOver = false;
  void registration.confirm().then(() => isOver = true);
  await clock.tick(999);
  assert(!isOver);
  await clock.tick(1);
  assert(isOver);
  // Nor does the next one wait for the same answer.
  await registration.confirm();
});
