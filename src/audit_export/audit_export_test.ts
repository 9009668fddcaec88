import { assert, assertEquals, assertMatch } from "@std/assert";
import { auditRecord } from "../../tests/support/audit_contract.ts";
import { FakeClock, settled } from "../../tests/support/fake_clock.ts";
import type { AuditRecord, ChainedRecord } from "../store/audit/audit_record.ts";
import { AuditExporter, LOOK_MS } from "./audit_exporter.ts";
import { syslogMessage } from "./syslog_message.ts";
import { syslogTarget } from "./syslog_sink.ts";
import { webhookSignature } from "./webhook_sink.ts";

function chained(sequence: number, given: Partial<AuditRecord> = {}): ChainedRecord {
  return { sequence, hash: "ab".repeat(32), text: JSON.stringify(auditRecord(given)) };
}

const SENDER = { host: "gate way-1", pid: 7 };

Deno.test("syslogMessage() has the head of RFC 5424, and the record in ASCII", () => {
  const message = syslogMessage(chained(3, { entity: { kind: "tool", id: "café\u2028" } }), SENDER, false);
  const [, json] = message.split('[meta sequenceId="3"] ');
  assertEquals(
    message.slice(0, -json.length),
    '<110>1 2026-11-29T12:00:00.000Z gateway-1 sluice 7 audit [meta sequenceId="3"] ',
  );
  assertMatch(json, /^[\x20-\x7e]+$/);
  const { sequence, hash, record } = JSON.parse(json);
  assertEquals([sequence, hash, record.entity.id], [3, "ab".repeat(32), "café\u2028"]);
  const priorities = (["refused", "failed"] as const).map((outcome) =>
    syslogMessage(chained(1, { outcome }), SENDER, false).slice(0, 5)
  );
  assertEquals(priorities, ["<108>", "<109>"]);
  assert(syslogMessage(chained(2 ** 31), SENDER, false).includes('sequenceId="1"'));
  assert(syslogMessage(chained(1), { ...SENDER, host: "" }, false).includes("Z - sluice"));
});

Deno.test("syslogMessage() for a datagram leaves the changes of a record out that is too long", () => {
  const changes = { text: { before: null, after: "x".repeat(70_000) } };
  const short = syslogMessage(chained(1, { changes }), SENDER, true);
  assert(short.length < 2_000);
  assertEquals(JSON.parse(short.slice(short.indexOf("{"))).record.shortened, true);
  assert(syslogMessage(chained(1, { changes }), SENDER, false).length > 70_000);
});

Deno.test("syslogTarget() reads protocol, host and port", () => {
  const read = (url: string) => Object.values(syslogTarget(url, null)).slice(0, 3);
  assertEquals(read("udp://logs.example:5514"), ["udp", "logs.example", 5514]);
  assertEquals(read("tls://[fd00::1]"), ["tls", "fd00::1", 6514]);
  assertEquals(read("TCP://logs:80/"), ["tcp", "logs", 80]);
});

Deno.test("webhookSignature() is that of the example of Standard Webhooks", () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  assertEquals(
    webhookSignature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, '{"test": 2432232314}'),
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  );
});

Deno.test("AuditExporter sends every record in order, tries again after failures, and says so once", async () => {
  const clock = new FakeClock();
  let chain = Array.from({ length: 5 }, (_, i) => chained(i + 1));
  const sent: number[] = [];
  const words: string[] = [];
  const counted = { sent: 0, missed: 0, failures: 0 };
  let cursor = 0;
  let isDown = true;
  let isClosed = false;
  const exporter = new AuditExporter({
    sink: {
      name: "webhook",
      atOnce: 2,
      send: (records) => {
        if (isDown) return Promise.reject(new Error("refused"));
        sent.push(...records.map(({ sequence }) => sequence));
        return Promise.resolve();
      },
      close: () => isClosed = true,
    },
    records: {
      page: (after, limit) =>
        Promise.resolve(chain.filter(({ sequence }) => sequence > after).slice(0, limit)),
    },
    cursors: {
      read: () => Promise.resolve(cursor),
      write: (_, sequence) => Promise.resolve(void (cursor = sequence)),
    },
    clock,
    log: { warning: (event) => words.push(event), info: (event) => words.push(event) },
    count: (result) => counted[result]++,
    countFailure: () => counted.failures++,
  });
  const stop = new AbortController();
  const running = exporter.run(stop.signal);
  for (let i = 0; i < 3; i++) await clock.tick(5_000);
  assert(counted.failures >= 3 && counted.failures < 8, String(counted.failures));
  assertEquals([sent, words], [[], ["audit records are not exported"]]);
  isDown = false;
  await clock.tick(60_000);
  assertEquals([sent, words.at(-1), cursor], [[1, 2, 3, 4, 5], "audit records are exported again", 5]);
  // Retention has deleted 6 and 7.
  chain = [chained(8)];
  await clock.tick(LOOK_MS);
  assertEquals([sent.at(-1), counted.sent, counted.missed], [8, 6, 2]);
  stop.abort();
  await running;
  await settled();
  assertEquals(isClosed, true);
});
