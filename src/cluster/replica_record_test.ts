import { assertEquals, assertRejects } from "@std/assert";
import { replicaFixture, TTL_MS } from "../../tests/support/replica_fixture.ts";
import { SluiceError } from "../base/errors.ts";
import { addressIn, encodeRecord, replicaKey } from "./replica_record.ts";
import { ReplicaSignatures } from "./request_signature.ts";

const RECORD = { address: "http://one:4444", process: "seed" };

Deno.test("addressIn() takes a record as one of these replicas has signed it for this number, and no other", () => {
  const [ours, others] = [new ReplicaSignatures("a"), new ReplicaSignatures("b")];
  const text = encodeRecord(7, RECORD, ours);
  assertEquals(encodeRecord(7, RECORD, ours), text);
  assertEquals(addressIn(7, text, ours), RECORD.address);
  for (
    const [number, forged] of [
      [8, text],
      [7, text.replace("one", "two")],
      [7, text.replace("seed", "weed")],
      [7, encodeRecord(7, RECORD, others)],
      // As replicas of an earlier version wrote it.
      [7, JSON.stringify(RECORD)],
      [7, "null"],
      [7, "nothing of the kind"],
    ] as const
  ) {
    assertEquals([forged, addressIn(number, forged, ours)], [forged, null]);
  }
});

Deno.test("A record that another writer has put in a replica's place leads no request anywhere, and no session is taken over", async () => {
  const { cache, clock, replica, session } = replicaFixture();
  const [owner, asked] = [replica("owner"), replica("asked")];
  await owner.registration.start();
  const claims = await session(owner.number.now);
  await owner.registration.stop();
  await cache.put(replicaKey(owner.number.now), '{"address":"http://thief","process":"owner"}', TTL_MS);
  await clock.tick(1);
  const error = await assertRejects(() => asked.sessions.find(claims), SluiceError);
  assertEquals([error.code, asked.state.takenOver], ["REPLICA_UNREACHABLE", 0]);
});
