import { assertEquals, assertRejects } from "@std/assert";
import { replicaFixture, TTL_MS } from "../../tests/support/replica_fixture.ts";
import { SluiceError } from "../base/errors.ts";
import { decodeRecord, encodeGone, encodeRecord, replicaKey } from "./replica_record.ts";
import { ReplicaSignatures } from "./request_signature.ts";

const RECORD = { address: "http://one:4444", process: "seed" };

Deno.test("decodeRecord() takes a record as one of these replicas has signed it for this number, and no other", () => {
  const [ours, others] = [new ReplicaSignatures("a"), new ReplicaSignatures("b")];
  const text = encodeRecord(7, RECORD, ours);
  assertEquals(encodeRecord(7, RECORD, ours), text);
  assertEquals(decodeRecord(7, text, ours), { kind: "registered", address: RECORD.address });
  assertEquals(decodeRecord(7, encodeGone(7, ours), ours), { kind: "gone" });
  for (
    const [number, forged] of [
      [8, text],
      [7, text.replace("one", "two")],
      [7, text.replace("seed", "weed")],
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
    assertEquals([forged, decodeRecord(number, forged, ours)], [forged, { kind: "foreign" }]);
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
