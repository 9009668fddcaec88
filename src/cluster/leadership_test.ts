import { assertEquals } from "@std/assert";
import { SluiceError } from "../base/errors.ts";
import type { LeaseAnswer, Leases } from "../store/leases.ts";
import { createLog } from "../telemetry/log.ts";
import { FakeClock, settled } from "../../tests/support/fake_clock.ts";
import { MemorySink } from "../../tests/support/fakes.ts";
import { Leadership } from "./leadership.ts";

const TTL_MS = 15_000;

/** A database with one lease, on the same fake time; it can be gone, or slow. */
class FakeLeases implements Leases {
  holder = "";
  expiresAt = 0;
  term = 0;
  isGone = false;
  /** Answers wait for it. */
  gate: Promise<void> = Promise.resolve();
  asked = 0;

  constructor(readonly clock: FakeClock) {}

  async take(_name: string, holder: string, ttlMs: number): Promise<LeaseAnswer> {
    this.asked++;
    if (this.isGone) throw new SluiceError("STORE_UNAVAILABLE", {}, { cause: new Error("h:1/d: no answer") });
    const answer = this.#decide(holder, ttlMs);
    await this.gate;
    return answer;
  }

  release(_name: string, holder: string): Promise<void> {
    if (this.isGone) return Promise.reject(new SluiceError("STORE_UNAVAILABLE"));
    if (this.holder === holder) this.expiresAt = 0;
    return Promise.resolve();
  }

  #decide(holder: string, ttlMs: number): LeaseAnswer {
    const freeInMs = this.expiresAt - this.clock.now();
    if (this.holder !== holder && freeInMs > 0) return { isHeld: false, holder: this.holder, freeInMs };
    if (this.holder !== holder) this.term++;
    this.holder = holder;
    this.expiresAt = this.clock.now() + ttlMs;
    return { isHeld: true, term: this.term };
  }
}

function fixture() {
  const clock = new FakeClock();
  const leases = new FakeLeases(clock);
  /** Who leads now, and everybody who ever began to. */
  const leading = new Set<string>();
  const began: string[] = [];
  const sink = new MemorySink();
  const log = createLog({ level: "INFO", format: "json", sink });
  const start = (holder: string) => {
    const leadership = new Leadership({
      leases,
      clock,
      holder,
      ttlMs: TTL_MS,
      log,
      lead: (signal) => {
        began.push(holder);
        leading.add(holder);
        signal.addEventListener("abort", () => leading.delete(holder));
      },
    });
    leadership.start();
    return leadership;
  };
  return { clock, leases, leading, began, sink, start };
}

Deno.test("Leadership: the first that asks leads, once, and goes on while it renews", async () => {
  const { clock, leading, began, start } = fixture();
  start("one");
  await settled();
  start("two");
  for (let i = 0; i < 20; i++) {
    await clock.tick(TTL_MS / 2);
    assertEquals([...leading], ["one"]);
  }
  assertEquals(began, ["one"]);
});

Deno.test("Leadership: another leads within the TTL of the leader's death, and never beside it", async () => {
  const { clock, leases, leading, start } = fixture();
  // Dead the moment after it took the lease.
  await leases.take("leader", "dead", TTL_MS);
  await clock.tick(4_000);
  start("two");
  await clock.tick(TTL_MS - 4_000 - 1);
  assertEquals([...leading], []);
  await clock.tick(101);
  assertEquals([...leading], ["two"]);
});

Deno.test("Leadership.resign() ends the work, and lets another lead at its next question", async () => {
  const { clock, leading, start } = fixture();
  const one = start("one");
  await settled();
  start("two");
  await clock.tick(TTL_MS);
  await one.resign();
  assertEquals([...leading], []);
  await clock.tick(TTL_MS / 3);
  assertEquals([...leading], ["two"]);
  await one.resign();
  await clock.tick(TTL_MS);
  assertEquals([...leading], ["two"]);
});

Deno.test("Leadership: a leader without its database stops before the lease is anybody else's, and comes back", async () => {
  const { clock, leases, leading, sink, start } = fixture();
  start("one");
  await settled();
  leases.isGone = true;
  await clock.tick(TTL_MS - 1);
  assertEquals([...leading], ["one"]);
  await clock.tick(1);
  assertEquals([...leading], []);
  const warnings = sink.lines.filter((line) => line.includes("cannot ask for the lease"));
  assertEquals([warnings.length, warnings[0]!.includes("h:1/d: no answer")], [1, true]);
  leases.isGone = false;
  await clock.tick(TTL_MS / 3);
  assertEquals([...leading], ["one"]);
});

Deno.test("Leadership: an answer that comes when the lease has run out makes nobody the leader", async () => {
  const { clock, leases, leading, start } = fixture();
  const { promise, resolve } = Promise.withResolvers<void>();
  leases.gate = promise;
  start("one");
  await clock.tick(TTL_MS + 1);
  leases.gate = Promise.resolve();
  resolve();
  await settled();
  assertEquals([...leading], []);
  await clock.tick(TTL_MS / 3);
  assertEquals([...leading], ["one"]);
});

Deno.test("Leadership.resign() while the question is under way leaves the lease free and no timer behind", async () => {
  const { clock, leases, began, start } = fixture();
  const { promise, resolve } = Promise.withResolvers<void>();
  leases.gate = promise;
  const one = start("one");
  await settled();
  const resigned = one.resign();
  resolve();
  await resigned;
  assertEquals([began, leases.expiresAt, clock.timers], [[], 0, 0]);
});
