import { assertEquals } from "@std/assert";
import { type Checkup, NOT_EXAMINED } from "../../../telemetry/checkup.ts";
import type { Finding } from "../finding.ts";
import { checkupOf, Checkups } from "./checkups.ts";

function checkup(examined: string): Checkup {
  return { ...NOT_EXAMINED, examined_at: "2026-11-30T09:00:00.000Z", examined: [examined] };
}

Deno.test("Checkups answers at once, and examines once a minute while somebody asks", async () => {
  let now = 0;
  const begun: PromiseWithResolvers<Checkup>[] = [];
  const warnings: unknown[] = [];
  const checkups = new Checkups(
    () => {
      begun.push(Promise.withResolvers());
      return begun.at(-1)!.promise;
    },
    { warning: (event, fields) => warnings.push([event, fields]) },
    () => now,
  );
  const underWay = { ...NOT_EXAMINED, is_under_way: true };
  assertEquals(checkups.latest(), underWay);
  // One that takes long is not begun a second time, whoever asks for it.
  now = 120_000;
  assertEquals([checkups.latest(), checkups.renewed(), begun.length], [underWay, underWay, 1]);
  begun[0]!.resolve(checkup("first"));
  await begun[0]!.promise;
  await Promise.resolve();
  assertEquals(checkups.latest().examined, ["first"]);
  assertEquals(begun.length, 2);
  begun[1]!.reject(new Error("no database"));
  await begun[1]!.promise.catch(() => {});
  await Promise.resolve();
  // A failure keeps what was found before, and is tried again a minute later.
  now = 179_999;
  assertEquals([checkups.latest().examined, begun.length], [["first"], 2]);
  assertEquals(warnings, [["not examined", { reason: "no database" }]]);
  now = 180_000;
  checkups.latest();
  assertEquals(begun.length, 3);
  begun[2]!.resolve(checkup("third"));
  await begun[2]!.promise;
  await Promise.resolve();
  // Whoever asks for a new one gets it before the minute is over.
  assertEquals([checkups.latest(), begun.length], [checkup("third"), 3]);
  assertEquals(checkups.renewed(), { ...checkup("third"), is_under_way: true });
  begun[3]!.resolve(checkup("fourth"));
  await begun[3]!.promise;
  await Promise.resolve();
  assertEquals(checkups.latest(), checkup("fourth"));
});

Deno.test("checkupOf() is bounded, has the worst first, and says how each replica stands", () => {
  const finding = (severity: Finding["severity"]): Finding => ({
    ...{ id: "machine.cores", severity, found: "f", why: "w", fix: "WORKERS=1", page: "sizing" },
  });
  const { findings, replicas, machine, examined_at } = checkupOf(
    {
      examined: [],
      machine: {
        cores: 2,
        memoryLimitBytes: 2 ** 30,
        memoryBytes: 2 ** 32,
        openFiles: null,
        sysctl: {},
        packets: null,
      },
      findings: [...new Array(300).fill(finding("note")), finding("error")],
      replicas: [
        {
          address: "http://a",
          isForeign: false,
          asked: { status: 200, text: '{"version": "1.2"}', clockAheadMs: 0 },
        },
        { address: "http://b", isForeign: false, asked: { reason: "connection refused" } },
        { address: "http://c", isForeign: false, asked: { status: 401, text: "", clockAheadMs: 0 } },
        { address: "http://d", isForeign: true, asked: null },
        { address: "http://e", isForeign: false, asked: null },
      ],
    },
    "http://a",
    new Date("2026-11-30T09:00:00Z"),
  );
  assertEquals([findings.length, findings[0]!.severity], [200, "error"]);
  assertEquals(machine, { vcpu: 2, ram_mb: 1_024 });
  assertEquals(examined_at, "2026-11-30T09:00:00.000Z");
  assertEquals(replicas.map((each) => [each.address, each.state, each.is_this, each.version, each.reason]), [
    ["http://a", "serves", true, "1.2", null],
    ["http://b", "unreachable", false, null, "connection refused"],
    ["http://c", "foreign", false, null, null],
    ["http://d", "foreign", false, null, null],
    ["http://e", "unknown", false, null, null],
  ]);
});
