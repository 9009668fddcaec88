import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { COMMON_ENVIRONMENT } from "../../tests/support/common_environment.ts";
import { nearName } from "./near_name.ts";
import { SETTINGS } from "./schema.ts";

const KNOWN = ["PORT", "WORKERS", "WORKER_TIMEOUT", "DB_POOL_SIZE"];
const NAMES = SETTINGS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);

Deno.test("nearName() gives the nearest known name, within as many edits as its length allows", () => {
  const rows: ReadonlyArray<[name: string, near: string | null]> = [
    ["WORKER", "WORKERS"],
    ["WROKERS", "WORKERS"],
    ["WORKRES", "WORKERS"],
    ["WORKERSS", "WORKERS"],
    ["WORKES2", null],
    ["N_WORKERS", null],
    ["PROT", "PORT"],
    ["PORTS", null],
    ["XPORT", null],
    ["REPORT", null],
    ["WORKER_TIMEOUTS", "WORKER_TIMEOUT"],
    ["DB_POLL_SIZES", "DB_POOL_SIZE"],
    ["DB_PULL_SIZES", null],
  ];
  for (const [name, near] of rows) assertEquals([name, nearName(name, KNOWN)], [name, near]);
});

Deno.test("nearName() finds every setting whose name has two letters swapped, or one missing or too many", () => {
  const others = new Set([...NAMES, ...COMMON_ENVIRONMENT]);
  const long = NAMES.filter((name) => name.length >= 7);
  const typo = fc.constantFrom(...long).chain((name) =>
    fc.tuple(fc.constant(name), fc.nat(name.length - 2), fc.constantFrom("swap", "drop", "double"))
  ).map(([name, at, kind]) => {
    const [before, letter, next, after] = [name.slice(0, at), name[at], name[at + 1], name.slice(at + 2)];
    const middle = { swap: next + letter, drop: next, double: letter + letter + next }[kind];
    return { name, written: `${before}${middle}${after}` };
  }).filter(({ written }) => !others.has(written));
  fc.assert(
    fc.property(typo, ({ name, written }) => {
      // If two settings are equally near, either suggestion is good.
      assertEquals([name, written, nearName(written, NAMES) === null], [name, written, false]);
    }),
    { numRuns: 2000 },
  );
});
