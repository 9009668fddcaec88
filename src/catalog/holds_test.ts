import { assertEquals } from "@std/assert";
import { gatewayRow } from "../../tests/support/catalog_rows.ts";
import { entryOf } from "../../tests/support/registry_rows.ts";
import type { HeldChange } from "../store/approvals/approvals.ts";
import { Holds, type HoldsDeps } from "./holds.ts";

function setUp(held: readonly HeldChange[] = []) {
  const seen = { asked: 0, changed: 0, logged: [] as string[], counted: [] as string[] };
  let failure: Error | null = null;
  const deps: HoldsDeps = {
    registry: {
      holdForSession: () => {
        seen.asked++;
        return failure === null ? Promise.resolve({ held, notKept: 0 }) : Promise.reject(failure);
      },
    },
    log: {
      warning: (event, fields) =>
        void seen.logged.push(`${event} ${fields?.name ?? fields?.more ?? fields?.changes}`),
      error: (event) => void seen.logged.push(event),
    },
    catalogChanged: () => Promise.resolve(void seen.changed++),
    count: (result) => void seen.counted.push(result),
  };
  return { holds: new Holds(deps), seen, fail: (error: Error | null) => failure = error };
}

function change(key: string): HeldChange {
  return { kind: "tool", key, isNew: true, hash: "h" };
}

Deno.test("Holds.report() logs each change, at most twenty of a refresh, and counts all", () => {
  const { holds, seen } = setUp();
  holds.report("up", { held: Array.from({ length: 23 }, (_, n) => change(`t${n}`)), notKept: 2 });
  assertEquals([seen.logged.length, seen.logged[0], seen.logged.slice(20)], [
    22,
    "upstream change waits for approval t0",
    ["upstream change waits for approval 3", "upstream changes not kept: too many wait for approval 2"],
  ]);
  assertEquals([seen.counted.filter((each) => each === "held").length, seen.counted.length], [23, 25]);
});

Deno.test("Holds.noteSession() looks at each entry once, and again after a failure or a change of the gateway", async () => {
  const { holds, seen, fail } = setUp([change("s")]);
  const entries = [entryOf("s", "{}")];
  const note = async (version: number) => {
    holds.noteSession(gatewayRow("g", { version }), "tool", entries);
    for (let n = 0; n < 5; n++) await Promise.resolve();
  };
  fail(new Error("no database"));
  await note(1);
  fail(null);
  await note(1);
  await note(1);
  assertEquals([seen.asked, seen.changed], [2, 1]);
  await note(2);
  assertEquals([seen.asked, seen.logged[0]], [3, "changes of a session's list not held"]);
});
