import { assertEquals, assertRejects } from "@std/assert";
import { replicaFixture, TTL_MS } from "../../tests/support/replica_fixture.ts";
import { SluiceError } from "../base/errors.ts";
import { decodeRecord, encodeGone, encodeRecord, periodAt, replicaKey } from "./replica_record.ts";
import { ReplicaSignatures, SIGNATURE_WINDOW_MS } from "./request_signature.ts";

const NOW = 1_700_000_000_000;
const RECORD = { address: "http://one:4444", process: "seed", ...periodAt(NOW, TTL_MS) };

Deno.test("decodeRecord() takes a record as one of these replicas has signed it for this number, and no other", () => {
  const [ours, others] = [new ReplicaSignatures("a"), new ReplicaSignatures("b")];
  const text = encodeRecord(7, RECORD, ours);
  assertEquals(encodeRecord(7, RECORD, ours), text);
  assertEquals(decodeRecord(7, text, ours, NOW), { kind: "registered", ...RECORD });
  assertEquals(decodeRecord(7, encodeGone(7, ours), ours, NOW), { kind: "gone" });
  for (
    const [number, forged] of [
      [8, text],
      [7, text.replace("one", "two")],
      [7, text.replace("seed", "weed")],
      [7, text.replace(String(RECORD.from), String(RECORD.from + 1))],
      [7, text.replace(String(RECORD.until), String(RECORD.until + 1))],
      [7, encodeRecord(7, RECORD, others)],
      [8, encodeGone(7, ours)],
      [7, encodeGone(7, others)],
      // As replicas of an earlier version wrote them.
      [7, JSON.stringify(RECORD)],
      [7, '"gone"'],
      [7, "null"],
      [7, "nothing of the kind"],
    ] as const
  ) {
    assertEquals([forged, decodeRecord(number, forged, ours, NOW)], [forged, { kind: "foreign" }]);
  }
});

const FORGED = ['{"address":"http://thief","process":"owner"}', '"gone"', "", "{"];

Deno.test("A record that another writer has put in a replica's place is ignored, logged once, and replaced by the replica", async () => {
  for (const forged of FORGED) {
    const { cache, clock, replica, session, logged } = replicaFixture();
    const [owner, known, stranger] = [replica("owner"), replica("known"), replica("stranger")];
    await owner.registration.start();
    const number = owner.number.now;
    const claims = await session(number);
    assertEquals((await known.sessions.find(claims)).address, owner.address);
    await cache.put(replicaKey(number), forged, TTL_MS);
    await clock.tick(1_001);
    // Whoever knows the replica goes on, the others wait for its own record.
    for (let i = 0; i < 2; i++) assertEquals((await known.sessions.find(claims)).address, owner.address);
    const error = await assertRejects(() => stranger.sessions.find(claims), SluiceError);
    assertEquals([error.code, stranger.state.takenOver], ["REPLICA_UNREACHABLE", 0]);
    const ignored = logged.filter((line) => line.includes("replica record of another writer ignored"));
    assertEquals(ignored.length, 2, "once by each worker");
    await clock.tick(TTL_MS / 3);
    assertEquals([owner.number.now, owner.state.lost], [number, 0]);
    assertEquals(logged.at(-1)!.includes("replica record of another writer replaced"), true);
    assertEquals((await stranger.sessions.find(claims)).address, owner.address);
    await owner.registration.stop();
  }
});

Deno.test("decodeRecord() takes a record in its period and the next, give or take what clocks may differ by", () => {
  const signatures = new ReplicaSignatures("a");
  const text = encodeRecord(7, RECORD, signatures);
  const kindAt = (now: number) => decodeRecord(7, text, signatures, now).kind;
  const { from, until } = RECORD;
  assertEquals([from <= NOW, NOW + TTL_MS < until], [true, true]);
  assertEquals([from - SIGNATURE_WINDOW_MS - 1, from - SIGNATURE_WINDOW_MS].map(kindAt), [
    "outdated",
    "registered",
  ]);
  assertEquals([until + SIGNATURE_WINDOW_MS - 1, until + SIGNATURE_WINDOW_MS].map(kindAt), [
    "registered",
    "outdated",
  ]);
});

Deno.test("A record of a replica that is no more, written again by another writer, leads no request anywhere", async () => {
  const { cache, clock, replica, session } = replicaFixture();
  const [owner, other] = [replica("owner"), replica("other")];
  await owner.registration.start();
  await other.registration.start();
  const number = owner.number.now;
  const claims = await session(number);
  const kept = (await cache.get(replicaKey(number)))!;
  // A living replica has renewed its record since, and does so again.
  await clock.tick(3 * TTL_MS + SIGNATURE_WINDOW_MS);
  await cache.put(replicaKey(number), kept, TTL_MS);
  await clock.tick(TTL_MS / 3);
  assertEquals((await other.sessions.find(claims)).address, owner.address);
  assertEquals([owner.number.now, owner.state.lost], [number, 0]);

  await owner.registration.leave();
  await cache.put(replicaKey(number), kept, 100 * TTL_MS);
  await clock.tick(2_000);
  assertEquals((await other.sessions.find(claims)).address, null);
  assertEquals(other.state.takenOver, 1);
  await other.registration.stop();
});
