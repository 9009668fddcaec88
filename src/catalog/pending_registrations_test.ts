import { assertEquals } from "@std/assert";
import { newRow } from "../store/registry/entities.ts";
import type { GatewayRow, PendingRegistration } from "../store/registry/rows.ts";
import { createLog } from "../telemetry/log.ts";
import { FakeClock } from "../../tests/support/fake_clock.ts";
import { MemorySink } from "../../tests/support/fakes.ts";
import { newGateway } from "../../tests/support/registry_rows.ts";
import { PendingRegistrations } from "./pending_registrations.ts";

function fixture() {
  const clock = new FakeClock();
  const startedAt = clock.now();
  const rows = new Map<string, GatewayRow>();
  const tries: string[] = [];
  const counted: string[] = [];
  const failing = new Set<string>();
  const due = (): PendingRegistration => ({
    tries: 0,
    nextTryAt: new Date(clock.now()).toISOString(),
    isTransportOpen: false,
  });
  const add = (name: string, given: Partial<GatewayRow> = {}) =>
    rows.set(
      name,
      newRow<GatewayRow>(newGateway({ name, id: name, registration: due(), ...given }), new Date(0)),
    );
  const change = (name: string, changes: Partial<GatewayRow>) =>
    rows.set(name, { ...rows.get(name)!, ...changes });
  const make = () =>
    new PendingRegistrations({
      clock,
      log: createLog({ level: "INFO", format: "json", sink: new MemorySink() }),
      maxTries: 4,
      gateways: () => Promise.resolve([...rows.values()]),
      list: (id) => {
        tries.push(`${id} ${(clock.now() - startedAt) / 1_000}`);
        if (failing.has(id)) return Promise.reject(new Error("no"));
        change(id, { registration: null });
        return Promise.resolve();
      },
      save: ({ id }, registration) => {
        change(id, { registration });
        return Promise.resolve(true);
      },
      count: (result) => counted.push(result),
    });
  return { clock, rows, tries, counted, failing, add, change, due, make };
}

Deno.test("PendingRegistrations: tries what is due at once, and neither what is done nor what is switched off", async () => {
  const { clock, tries, counted, add, due, make } = fixture();
  add("new");
  add("done", { registration: null });
  add("off", { enabled: false });
  add("given-up", { registration: { ...due(), nextTryAt: null } });
  const registrations = make();
  const ending = new AbortController();
  const running = registrations.run(ending.signal);
  await clock.tick(0);
  assertEquals([tries, counted], [["new 0"], ["ready"]]);
  add("later");
  registrations.lookNow();
  await clock.tick(0);
  assertEquals(tries, ["new 0", "later 0"]);
  ending.abort();
  await running;
  assertEquals(clock.timers, 0);
});

Deno.test("PendingRegistrations: pauses grow after failures, a new leader goes on with them, and there is an end", async () => {
  const { clock, rows, tries, counted, failing, add, change, due, make } = fixture();
  failing.add("a");
  add("a");
  const ending = new AbortController();
  const running = make().run(ending.signal);
  await clock.tick(12_000);
  assertEquals(tries, ["a 0", "a 5"]);
  ending.abort();
  await running;
  const next = new AbortController();
  const successor = make();
  const goingOn = successor.run(next.signal);
  await clock.tick(3_600_000);
  assertEquals([tries.length, counted], [4, ["failed", "failed", "failed", "given_up"]]);
  assertEquals(rows.get("a")!.registration, { tries: 4, nextTryAt: null, isTransportOpen: false });
  change("a", { registration: due() });
  failing.clear();
  successor.lookNow();
  await clock.tick(0);
  assertEquals([rows.get("a")!.registration, counted.at(-1)], [null, "ready"]);
  next.abort();
  await goingOn;
});

Deno.test("PendingRegistrations: an upstream that is slow to start is not started again meanwhile", async () => {
  const { clock, add, rows } = fixture();
  add("slow");
  let started = 0;
  const held = Promise.withResolvers<void>();
  const registrations = new PendingRegistrations({
    clock,
    log: createLog({ level: "INFO", format: "json", sink: new MemorySink() }),
    maxTries: 4,
    gateways: () => Promise.resolve([...rows.values()]),
    list: () => {
      started++;
      return held.promise;
    },
    save: () => Promise.resolve(true),
    count: () => {},
  });
  const ending = new AbortController();
  const running = registrations.run(ending.signal);
  await clock.tick(60_000);
  registrations.lookNow();
  await clock.tick(60_000);
  assertEquals(started, 1);
  held.resolve();
  ending.abort();
  await running;
});
