import { assertEquals } from "@std/assert";
import { auditRecord } from "../../../tests/support/audit_contract.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MemorySink } from "../../../tests/support/fakes.ts";
import { createLog } from "../../telemetry/log.ts";
import { type AuditRecord, changesBetween } from "./audit_record.ts";
import { AuditTrail, BEHIND_MS } from "./audit_trail.ts";

function setUp() {
  const clock = new FakeClock();
  const batches: (readonly AuditRecord[])[] = [];
  const state = { isDown: false, lost: 0, written: 0 };
  const trail = new AuditTrail({
    append: (records) => {
      if (state.isDown) return Promise.reject(new Error("down"));
      batches.push(records);
      return Promise.resolve();
    },
    log: createLog({ level: "ERROR", format: "json", sink: new MemorySink() }),
    countWritten: () => state.written++,
    countDropped: () => state.lost++,
    clock,
  });
  return { clock, batches, state, trail };
}

const refusal = auditRecord({ outcome: "refused", status: 403, code: "FORBIDDEN" });

Deno.test("an action is written before record() resolves, and refusals with their like behind it", async () => {
  const { clock, batches, trail } = setUp();
  await trail.record(auditRecord());
  assertEquals(batches.map(({ length }) => length), [1]);
  for (let i = 0; i < 5; i++) trail.note({ ...refusal, correlationId: `c${i}` });
  trail.note({ ...refusal, address: "192.0.2.2" });
  assertEquals(batches.length, 1);
  await clock.tick(BEHIND_MS);
  assertEquals(batches[1].map(({ count, address }) => [count, address]), [[5, "192.0.2.1"], [
    1,
    "192.0.2.2",
  ]]);
});

Deno.test("what the database refuses waits within limits, and is written when it is back", async () => {
  const { clock, batches, state, trail } = setUp();
  state.isDown = true;
  for (let i = 0; i < 210; i++) await trail.record(auditRecord({ correlationId: `c${i}` }));
  for (let i = 0; i < 110; i++) trail.note({ ...refusal, address: `192.0.2.${i}` });
  trail.note({ ...refusal, address: "192.0.2.0" });
  await clock.tick(BEHIND_MS);
  trail.note({ ...refusal, address: "192.0.2.0" });
  assertEquals([state.lost, batches.length], [20, 0]);
  state.isDown = false;
  await clock.tick(BEHIND_MS);
  assertEquals([batches.length, batches[0].length, state.written, state.lost], [1, 300, 300, 20]);
  assertEquals([batches[0][0].correlationId, batches[0][200].count], ["c0", 3]);
});

Deno.test("close() writes what waits", async () => {
  const { batches, trail } = setUp();
  trail.note(refusal);
  await trail.close();
  assertEquals(batches.map(({ length }) => length), [1]);
});

Deno.test("changesBetween() names the fields that differ, masks secrets, and cuts long values", () => {
  const before = { name: "a", tags: ["x"], api_key: "old", version: 1, text: "t" };
  const after = {
    name: "a",
    tags: ["x", "y"],
    api_key: "new",
    version: 2,
    text: "t".repeat(9_000),
    more: true,
  };
  const { text, ...others } = changesBetween(before, after);
  assertEquals(others, {
    tags: { before: ["x"], after: ["x", "y"] },
    more: { before: null, after: true },
  });
  assertEquals([text.before, String(text.after).length], ["t", 501]);
  assertEquals(changesBetween(null, { id: "1", password: "hunter2" }), {
    id: { before: null, after: "1" },
    password: { before: null, after: "***" },
  });
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, i]));
  assertEquals(Object.keys(changesBetween(null, many)).length, 50);
});
