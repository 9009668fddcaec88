import { assertEquals } from "@std/assert";
import { auditRecord } from "../../../tests/support/audit_contract.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { MemorySink } from "../../../tests/support/fakes.ts";
import { createLog } from "../../telemetry/log.ts";
import { type AuditRecord, changesBetween } from "./audit_record.ts";
import { AuditTrail, BEHIND_MS } from "./audit_trail.ts";

function setUp(refusesWhenFull = false) {
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
    maxWaiting: 500,
    refusesWhenFull,
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
  assertEquals([batches.length, batches[0].length, state.written, state.lost], [1, 301, 301, 20]);
  assertEquals([batches[0][0].operation, batches[0][1].correlationId, batches[0][201].count], [
    "auditGap",
    "c0",
    3,
  ]);
});

Deno.test("close() writes what waits", async () => {
  const { batches, trail } = setUp();
  trail.note(refusal);
  await trail.close();
  assertEquals(batches.map(({ length }) => length), [1]);
});

Deno.test("changesBetween() takes the names of prototypes' members for names", () => {
  const entry = JSON.parse('{"__proto__":1,"constructor":2}');
  assertEquals(Object.entries(changesBetween(null, entry)), [
    ["__proto__", { before: null, after: 1 }],
    ["constructor", { before: null, after: 2 }],
  ]);
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

Deno.test("calls of tools are written behind, in batches, and many of them at once without a wait", async () => {
  const { clock, batches, trail } = setUp();
  trail.add(auditRecord({ operation: "tools/call" }));
  await settled();
  assertEquals(batches.length, 0);
  await clock.tick(BEHIND_MS);
  assertEquals(batches.map(({ length }) => length), [1]);
  for (let i = 0; i < 450; i++) trail.add(auditRecord({ correlationId: `c${i}` }));
  await settled();
  assertEquals(batches.map(({ length }) => length), [1, 200, 200]);
  await clock.tick(BEHIND_MS);
  assertEquals(batches.map(({ length }) => length), [1, 200, 200, 50]);
  assertEquals([batches[1][0].correlationId, batches[3][49].correlationId], ["c0", "c449"]);
});

Deno.test("calls above the limit are lost while the database refuses them, and the chain gets a record of the gap", async () => {
  const { clock, batches, state, trail } = setUp();
  state.isDown = true;
  for (let i = 0; i < 620; i++) {
    trail.add(auditRecord({ at: new Date(clock.now() + i).toISOString(), correlationId: `c${i}` }));
    await clock.tick(0);
  }
  assertEquals([trail.refuses, trail.waiting, state.lost], [false, 500, 120]);
  await clock.tick(BEHIND_MS);
  assertEquals([batches.length, trail.waiting, state.lost], [0, 500, 120]);
  state.isDown = false;
  await clock.tick(BEHIND_MS);
  await clock.tick(BEHIND_MS);
  const [gap, ...calls] = batches.flat();
  assertEquals([gap.operation, gap.count, gap.outcome], ["auditGap", 120, "failed"]);
  assertEquals(gap.changes.time, {
    before: new Date(1_700_000_000_000 + 500).toISOString(),
    after: new Date(1_700_000_000_000 + 619).toISOString(),
  });
  assertEquals(
    calls.map(({ correlationId }) => correlationId),
    Array.from({ length: 500 }, (_, i) => `c${i}`),
  );
  assertEquals(trail.waiting, 0);
});

Deno.test("a full trail refuses what it could not record, if it is told to, and loses nothing", async () => {
  const { clock, batches, state, trail } = setUp(true);
  state.isDown = true;
  for (let i = 0; i < 499; i++) trail.add(auditRecord());
  await clock.tick(BEHIND_MS);
  assertEquals(trail.refuses, false);
  // The second one was under way already.
  for (let i = 0; i < 2; i++) trail.add(auditRecord());
  assertEquals([trail.refuses, trail.waiting, state.lost], [true, 501, 0]);
  state.isDown = false;
  await trail.close();
  assertEquals([batches.flat().length, trail.refuses, trail.waiting], [501, false, 0]);
});
