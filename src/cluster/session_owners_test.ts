import { assertEquals, assertRejects } from "@std/assert";
import { replicaFixture, SETTLE_MS, TTL_MS } from "../../tests/support/replica_fixture.ts";
import { SluiceError } from "../base/errors.ts";
import { ownerRecordKey, sessionRecordKey } from "../downstream/session/downstream_sessions.ts";

const code = async (run: () => Promise<unknown>) => (await assertRejects(run, SluiceError)).code;

Deno.test("SessionOwners.find() leads to the replica that the id names while that lives, and takes nothing", async () => {
  const { clock, replica, session } = replicaFixture();
  const [owner, asked] = [replica("owner"), replica("asked")];
  await owner.registration.start();
  await asked.registration.start();
  const number = owner.number.now;
  const claims = await session(number);
  for (let i = 0; i < 5; i++) {
    await clock.tick(TTL_MS);
    assertEquals(await asked.sessions.find(claims), { replica: number, address: owner.address });
  }
  assertEquals(await owner.sessions.find(claims), { replica: number, address: null });
  assertEquals([asked.state.takenOver, owner.state.lost], [0, 0]);
  await owner.registration.stop();
  await asked.registration.stop();
});

Deno.test("SessionOwners.find(): of many replicas that are asked for a dead one's session, one takes it and all agree", async () => {
  const { clock, cache, replica, session } = replicaFixture();
  const dead = replica("dead");
  await dead.registration.start();
  await dead.registration.stop();
  const claims = await session(dead.number.now);
  const heirs = Array.from({ length: 5 }, (_, i) => replica(`heir${i}`));
  for (const { registration } of heirs) await registration.start();
  await clock.tick(TTL_MS);
  const homes = await Promise.all(heirs.map(({ sessions }) => sessions.find(claims)));
  assertEquals(new Set(homes.map(({ replica }) => replica)).size, 1);
  assertEquals(homes.filter(({ address }) => address === null).length, 1);
  assertEquals(heirs.reduce((sum, { state }) => sum + state.takenOver, 0), 1);
  assertEquals(Number(await cache.get(ownerRecordKey(claims.name))), homes[0]!.replica);

  // The heir dies, too: another takes its place, once.
  const first = heirs.find(({ number }) => number.now === homes[0]!.replica)!;
  await first.registration.leave();
  await clock.tick(TTL_MS);
  const rest = heirs.filter((each) => each !== first);
  const again = await Promise.all(rest.map(({ sessions }) => sessions.find(claims)));
  assertEquals(new Set(again.map(({ replica }) => replica)).size, 1);
  assertEquals(rest.reduce((sum, { state }) => sum + state.takenOver, 0), 1);
  for (const { registration } of rest) await registration.stop();
});

Deno.test("SessionOwners.find() leaves no record for a session that has ended with its replica", async () => {
  const { clock, cache, replica, session } = replicaFixture();
  const dead = replica("dead");
  const claims = await session(dead.number.now);
  await cache.delete(sessionRecordKey(claims.name));
  const asked = replica("asked");
  await asked.registration.start();
  assertEquals(await code(() => asked.sessions.find(claims)), "SESSION_NOT_FOUND");
  assertEquals(await cache.get(ownerRecordKey(claims.name)), null);
  await asked.registration.stop();
  assertEquals(clock.timers, 0);
});

Deno.test("A replica whose record is gone since the cache lost everything is not declared gone: it registers again", async () => {
  const { clock, cache, replica, session } = replicaFixture();
  const [owner, asked] = [replica("owner"), replica("asked")];
  await owner.registration.start();
  await asked.registration.start();
  const claims = await session(owner.number.now);
  const key = (await cache.list("replica:")).map(({ key }) => key);
  for (const each of key) await cache.delete(each);
  asked.directory.recordsWereAway();
  // Nobody knows where it is; it is not taken over.
  assertEquals(await code(() => asked.sessions.find(claims)), "REPLICA_UNREACHABLE");
  await clock.tick(TTL_MS / 2);
  assertEquals((await asked.sessions.find(claims)).address, owner.address);
  assertEquals([owner.state.lost, asked.state.takenOver], [0, 0]);
  // One that never comes back is gone in the end.
  await owner.registration.stop();
  await clock.tick(SETTLE_MS + TTL_MS);
  assertEquals((await asked.sessions.find(claims)).address, null);
  await asked.registration.stop();
});

Deno.test("With the cache away, requests go on to replicas that were known, and to nobody else", async () => {
  const { clock, replica, session } = replicaFixture();
  const [owner, asked] = [replica("owner"), replica("asked")];
  await owner.registration.start();
  await asked.registration.start();
  const claims = await session(owner.number.now);
  await asked.sessions.find(claims);
  asked.state.isAway = true;
  await clock.tick(TTL_MS);
  assertEquals((await asked.sessions.find(claims)).address, owner.address);
  const unknown = await session(1, "s2");
  assertEquals(await code(() => asked.sessions.find(unknown)), "CACHE_UNAVAILABLE");
  // A worker that has never met the owner learns from those of its process that have.
  const other = replica("other");
  other.state.isAway = true;
  assertEquals(await code(() => other.sessions.find(claims)), "CACHE_UNAVAILABLE");
  other.sibling.recordOf = (number) => asked.directory.recordOf(number);
  assertEquals((await other.sessions.find(claims)).address, owner.address);
  await owner.registration.stop();
  await asked.registration.stop();
});

Deno.test("A request for a replica that was known does not wait for a cache that does not answer", async () => {
  const { clock, cache, replica, session } = replicaFixture();
  const [owner, asked, other] = [replica("owner"), replica("asked"), replica("other")];
  await owner.registration.start();
  const claims = await session(owner.number.now);
  await asked.sessions.find(claims);
  other.sibling.recordOf = (number) => asked.directory.recordOf(number);
  const { promise: answer, resolve: comeBack } = Promise.withResolvers<null>();
  const get = cache.get.bind(cache);
  cache.get = () => answer;
  await clock.tick(TTL_MS);
  const waiting = [asked, other].map(({ sessions }) => sessions.find(claims));
  await clock.tick(250);
  for (const found of waiting) assertEquals((await found).address, owner.address);
  assertEquals((await asked.sessions.find(claims)).address, owner.address);
  // When it answers, its word counts: the record has run out meanwhile.
  await owner.registration.stop();
  await clock.tick(TTL_MS);
  cache.get = get;
  comeBack(null);
  await clock.tick(0);
  assertEquals((await asked.sessions.find(claims)).address, null);
});
