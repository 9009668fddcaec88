// What the store promises of the audit trail, whichever database is under it.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type AuditRecord, chainHash, FIRST_HASH } from "../../src/store/audit/audit_record.ts";
import { AuditCursors } from "../../src/store/audit/audit_cursors.ts";
import { AuditRecords } from "../../src/store/audit/audit_records.ts";
import { migrate } from "../../src/store/sql/migrate.ts";
import { MIGRATIONS } from "../../src/store/sql/migrations.ts";
import { type Database, sql, type SqlQuery } from "../../src/store/sql/sql.ts";
import type { FreshDatabase } from "./store_contract.ts";

export function auditRecord(given: Partial<AuditRecord> = {}): AuditRecord {
  return {
    at: "2026-11-29T12:00:00.000Z",
    outcome: "done",
    status: 200,
    code: null,
    operation: "updateGateway",
    method: "PUT",
    endpoint: "admin",
    permission: "gateways.update",
    entity: { kind: "gateway", id: "g1" },
    actor: { subject: "ann", email: "ann@x", tokenId: "t1" },
    address: "192.0.2.1",
    correlationId: "c1",
    count: 1,
    fields: [],
    changes: {},
    ...given,
  };
}

function appendSome(records: AuditRecords, amount: number): Promise<void> {
  return records.append(Array.from({ length: amount }, (_, i) => auditRecord({ correlationId: `c${i}` })));
}

/** What `verify()` finds after the statement, which is undone. */
async function faultAfter(database: Database, records: AuditRecords, statement: SqlQuery): Promise<string> {
  let found = "";
  const undo = new Error("undo");
  await database.transaction(async (tx) => {
    await tx.run(statement);
    found = (await new AuditRecords(tx).verify()).fault ?? "whole";
    throw undo;
  }).catch((error) => {
    if (error !== undo) throw error;
  });
  assertEquals((await records.verify()).fault, null);
  return found;
}

export function auditContract(
  test: (criterion: string, run: (fresh: FreshDatabase) => Promise<void>) => void,
): void {
  test("audit records of many writers make one chain, of which lists find each", async (fresh) => {
    await migrate(fresh.database);
    const writers = [new AuditRecords(fresh.database), new AuditRecords(await fresh.another())];
    assertEquals((await writers[0].verify()).head, { sequence: 0, hash: FIRST_HASH });
    await Promise.all(
      Array.from(
        { length: 20 },
        (_, i) =>
          writers[i % 2].append([auditRecord({ entity: { kind: "tool", id: `e${i}` } }), auditRecord()]),
      ),
    );
    await appendSome(writers[0], 70);
    const { records, fault, head } = await writers[1].verify();
    assertEquals([records, fault, head.sequence], [110, null, 110]);
    const [found, ...others] = await writers[0].list({ limit: 5, entityId: "e7" });
    assertEquals([JSON.parse(found.text).entity.id, others.length], ["e7", 0]);
    assertEquals((await writers[0].list({ limit: 2, before: 50 })).map(({ sequence }) => sequence), [49, 48]);
    assertEquals((await writers[0].list({ limit: 2, email: "eve@x" })).length, 0);
    assertEquals((await writers[0].list({ limit: 2, email: "Ann@X" })).length, 2);
    const exported = await Array.fromAsync(writers[0].after(100));
    assertEquals(exported.map(({ sequence }) => sequence).at(0), 101);
    assertEquals(exported.at(-1)!.hash, head.hash);
  });

  test("lists find records of one user and entity in any block, and events of logins by their user", async (fresh) => {
    await migrate(fresh.database);
    const records = new AuditRecords(fresh.database);
    const login = (email: string, given: Partial<AuditRecord> = {}) =>
      auditRecord({ operation: "login", entity: { kind: "user", id: email }, actor: null, ...given });
    await records.append([
      auditRecord({ actor: { subject: "eve", email: "Eve@X", tokenId: null } }),
      login("Eve@X"),
      login("", { entity: null, outcome: "failed" }),
    ]);
    for (let i = 0; i < 3; i++) await appendSome(records, 900);
    await records.append([login("bob@x"), login("eve@x")]);
    const numbers = (list: readonly { readonly sequence: number }[]) => list.map(({ sequence }) => sequence);
    assertEquals(numbers(await records.list({ limit: 5, email: "eve@x" })), [1]);
    assertEquals(numbers(await records.list({ limit: 5, entityId: "bob@x" })), [2704]);
    assertEquals(numbers(await records.list({ limit: 2, entityId: "g1", before: 5 })), [4, 1]);
    const many = numbers(await records.list({ limit: 1_500, email: "ann@x", entityId: "g1", before: 2_600 }));
    assertEquals(many, Array.from({ length: 1_500 }, (_, i) => 2_599 - i));
    assertEquals(numbers(await records.events({ limit: 10, offset: 0 })), [2705, 2704, 3, 2]);
    assertEquals(numbers(await records.events({ limit: 10, offset: 0, email: "EVE@x" })), [2705, 2]);
    assertEquals(numbers(await records.events({ limit: 1, offset: 1, email: "eve@x" })), [2]);
    await records.sweepAll({ beforeMs: 0, keep: 100 });
    assertEquals(numbers(await records.list({ limit: 5, email: "eve@x" })), []);
    assertEquals((await records.verify()).fault, null);
  });

  test("verify() finds what was changed, removed, inserted or cut off", async ({ database }) => {
    await migrate(database);
    const records = new AuditRecords(database);
    await appendSome(records, 10);
    for (
      const [statement, fault] of [
        [
          sql`UPDATE audit_records SET record = REPLACE(record, 'ann', 'eve') WHERE sequence = 4`,
          "record 4 does not match its hash",
        ],
        [sql`UPDATE audit_records SET hash = ${FIRST_HASH} WHERE sequence = 4`, "record 4 does not match"],
        [sql`UPDATE audit_records SET email = 'eve@x' WHERE sequence = 4`, "columns of record 4"],
        [sql`DELETE FROM audit_records WHERE sequence = 4`, "record 4 is missing"],
        [sql`DELETE FROM audit_records WHERE sequence <= 2`, "record 1 is missing"],
        [sql`DELETE FROM audit_records WHERE sequence = 10`, "record 10 is missing, at the end"],
        [
          sql`INSERT INTO audit_records SELECT 11, at, email, entity_id, record, hash, event_of FROM audit_records WHERE sequence = 4`,
          "record 11 does not match its hash",
        ],
      ] as const
    ) {
      assertStringIncludes(await faultAfter(database, records, statement), fault);
    }
    const { head } = await records.verify();
    assertEquals((await records.verify(head)).fault, null);
    assertStringIncludes(
      (await records.verify({ sequence: 5, hash: FIRST_HASH })).fault!,
      "record 5 is not the one",
    );
    assertStringIncludes((await records.verify({ ...head, sequence: 99 })).fault!, "record 99 is missing");
  });

  test("retention deletes the oldest audit records, and the rest still verifies", async ({ database }) => {
    await migrate(database);
    const records = new AuditRecords(database);
    const none = { beforeMs: 0, keep: 1_000 };
    assertEquals(await records.sweep(none), 0);
    await records.append([auditRecord({ at: "2020-01-01T00:00:00.000Z" }), auditRecord()]);
    await appendSome(records, 10);
    const old = (await records.verify()).head;
    assertEquals(await records.sweep(none), 0);
    // A clock that is wrong for a moment costs no record before it.
    await records.append([auditRecord({ at: "1970-01-01T00:00:00.000Z" })]);
    assertEquals(await records.sweep({ ...none, beforeMs: Date.parse("2021-01-01") }), 1);
    assertEquals(await records.sweep({ ...none, beforeMs: Date.parse("2021-01-01") }), 0);
    assertEquals(await records.sweep({ ...none, keep: 5 }), 7);
    const { start, records: left, fault } = await records.verify(old);
    assertEquals([start.sequence, left, fault], [8, 5, null]);
    assertEquals(await records.sweep({ beforeMs: Date.parse("2030-01-01"), keep: 4 }), 5);
    await appendSome(records, 2);
    assertEquals((await records.verify()).fault, null);
    assertStringIncludes(
      (await records.verify({ ...old, sequence: 3 })).fault!,
      "record 3, which was noted, is deleted",
    );
  });

  test("an export remembers how far it has come, by sink, and reads on from there", async (fresh) => {
    await migrate(fresh.database);
    const records = new AuditRecords(fresh.database);
    await appendSome(records, 5);
    const [cursors, elsewhere] = [new AuditCursors(fresh.database), new AuditCursors(await fresh.another())];
    assertEquals(await cursors.read("file"), 0);
    const numbers = async (after: number) => (await records.page(after, 3)).map(({ sequence }) => sequence);
    assertEquals(await numbers(0), [1, 2, 3]);
    await cursors.write("file", 3);
    await cursors.write("syslog", 1);
    assertEquals([await elsewhere.read("file"), await elsewhere.read("syslog")], [3, 1]);
    assertEquals(await numbers(3), [4, 5]);
    await elsewhere.write("file", 5);
    assertEquals([await cursors.read("file"), await numbers(5)], [5, []]);
    await records.sweepAll({ beforeMs: 0, keep: 1 });
    assertEquals([await numbers(0), (await records.verify()).fault], [[5], null]);
  });
}

/** @param test gets a database without tables */
export function auditMigrationContract(
  test: (criterion: string, run: (fresh: FreshDatabase) => Promise<void>) => void,
): void {
  test("migrate() keeps the audit records of a former version, and finds the events among them", async ({ database }) => {
    const step = MIGRATIONS.findIndex(({ name }) => name === "look-ups of the audit trail");
    await migrate(database, MIGRATIONS.slice(0, step));
    const given = [
      auditRecord({ operation: "login", entity: { kind: "user", id: "Ann@x" }, actor: null }),
      auditRecord({ entity: { kind: "tool", id: "t", name: "with \0" } }),
      auditRecord({ operation: "logout" }),
      auditRecord({ operation: "login", entity: null, actor: null }),
    ];
    let last = FIRST_HASH;
    for (const [i, record] of given.entries()) {
      const text = JSON.stringify(record);
      last = chainHash(i + 1, last, text);
      await database.run(
        sql`INSERT INTO audit_records (sequence, at, email, entity_id, record, hash) VALUES (${i + 1},
              ${Date.parse(record.at)}, ${record.actor?.email ?? null}, ${
          record.entity?.id ?? null
        }, ${text}, ${last})`,
      );
    }
    await database.run(sql`UPDATE audit_chain SET last_sequence = ${given.length}, last_hash = ${last}`);
    await migrate(database);
    const records = new AuditRecords(database);
    await appendSome(records, 2);
    const { records: amount, fault } = await records.verify();
    assertEquals([amount, fault], [6, null]);
    const events = async (email?: string) =>
      (await records.events({ limit: 9, offset: 0, email })).map(({ sequence }) => sequence);
    assertEquals([await events(), await events("ann@x")], [[4, 3, 1], [3, 1]]);
  });
}
