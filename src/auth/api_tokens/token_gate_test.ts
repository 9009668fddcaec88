import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { versionsAt } from "../../../tests/support/catalog_rows.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import { grantOf, type TokenAnswer, type TokenCounts, type TokenUse } from "../../store/tokens/token_uses.ts";
import type { Principal } from "../principal.ts";
import { readLimits, type WrittenLimits } from "../token_limits.ts";
import { TokenCounters } from "./token_counters.ts";
import { TokenGate } from "./token_gate.ts";

const HOUR_MS = 3_600_000;

/** A database that several workers share. */
class Shared {
  readonly told: TokenUse[] = [];
  isDown = false;
  #counts = new Map<string, TokenCounts>();

  readonly add = (uses: readonly TokenUse[], now: number): Promise<Map<string, TokenAnswer>> => {
    if (this.isDown) return Promise.reject(new Error("down"));
    this.told.push(...uses);
    const answers = uses.map(({ tokenId, allowed, asked, limits }): [string, TokenAnswer] => {
      const grant = grantOf({ asked, limits }, this.#add(tokenId, allowed, now));
      return [tokenId, { ...grant, counts: this.#add(tokenId, grant.granted + grant.ahead, now) }];
    });
    return Promise.resolve(new Map(answers));
  };

  #add(tokenId: string, requests: number, now: number): TokenCounts {
    const [hour, day] = [Math.floor(now / HOUR_MS), Math.floor(now / (24 * HOUR_MS))];
    const known = this.#counts.get(tokenId) ?? { hour, day, inHour: 0, inDay: 0, inAll: 0 };
    const counts = {
      hour,
      day,
      inHour: requests + (known.hour === hour ? known.inHour : 0),
      inDay: requests + (known.day === day ? known.inDay : 0),
      inAll: requests + known.inAll,
    };
    this.#counts.set(tokenId, counts);
    return counts;
  }
}

function worker(shared: Shared, clock: FakeClock, maxTokens?: number) {
  const refused: string[] = [];
  const lost = { count: 0 };
  const counters = new TokenCounters({
    add: shared.add,
    clock,
    log: { warning: () => {}, info: () => {} },
    countLost: () => lost.count++,
    maxTokens,
  });
  const gate = new TokenGate({ counters, clock, countRefused: (reason) => refused.push(reason) });
  return { gate, counters, refused, lost };
}

function tokenOf(written: WrittenLimits = {}, id = "t1"): Principal {
  const apiToken = { id, ownerId: "u1", teamId: null, readAt: versionsAt(1), refusal: null };
  return principal({ jti: id, apiToken, limits: readLimits(written) });
}

const codeOf = async (act: () => unknown): Promise<string> => {
  try {
    await act();
    return "allowed";
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error);
  }
};

Deno.test("TokenGate allows a token from its networks only", async () => {
  const clock = new FakeClock();
  const { gate, refused, counters } = worker(new Shared(), clock);
  const token = tokenOf({ ip_restrictions: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"] });
  const from = (address: string) => codeOf(() => gate.admit(token, address, "rpc"));
  for (const address of ["10.1.2.3", "2001:db8::17", "192.0.2.7", "10.1.2.3"]) {
    assertEquals([address, await from(address)], [address, "allowed"]);
  }
  for (const address of ["11.0.0.1", "192.0.2.8", "2001:db9::1", "::1", "unknown", "", "10.0.0.1, 1.2.3.4"]) {
    assertEquals([address, await from(address)], [address, "TOKEN_RESTRICTED"]);
  }
  assertEquals(refused, Array(7).fill("address"));
  await counters.close();
});

Deno.test("TokenGate allows a token of any kind at its times only, and says which these are", async () => {
  const clock = new FakeClock(); // 2023-11-14 22:13:20 UTC, a Tuesday
  const { gate, counters } = worker(new Shared(), clock);
  const written = { time_restrictions: { start_time: "22:00", end_time: "22:30", days: ["Tuesday"] } };
  const claimed = principal({ limits: readLimits(written) });
  assertEquals(gate.admit(claimed, "10.0.0.1", "rpc"), undefined);
  await clock.tick(20 * 60_000);
  for (const token of [claimed, tokenOf(written)]) {
    const refusal = assertThrows(() => gate.admit(token, "10.0.0.1", "rpc"), SluiceError);
    assertEquals(
      refusal.message,
      "The token may not be used now, only 22:00 to 22:30 on Tuesday (UTC)",
    );
    assertThrows(() => gate.take(token, 1), SluiceError, "only 22:00");
  }
  await counters.close();
});

Deno.test("TokenGate holds a limit exactly among workers, and counts again in the next hour", async () => {
  const clock = new FakeClock();
  const shared = new Shared();
  const [one, two] = [worker(shared, clock), worker(shared, clock)];
  const token = tokenOf({ usage_limits: { requests_per_hour: 5 } });
  const use = () =>
    Promise.all([one, two, one, two].map(({ gate }) => codeOf(() => gate.admit(token, "10.0.0.1", "rpc"))));
  const outcomes = [await use(), await use(), await use()].flat();
  assertEquals(outcomes.filter((each) => each === "allowed").length, 5);
  assertEquals(outcomes.filter((each) => each === "TOKEN_LIMIT_REACHED").length, 7);
  const refusal = await assertRejects(
    async () => await one.gate.admit(token, "10.0.0.1", "rpc"),
    SluiceError,
  );
  assertEquals(refusal.params, { limit: 5, period: "in an hour", waitS: 2_800 });
  const told = shared.told.length;
  for (let i = 0; i < 10; i++) await codeOf(() => one.gate.admit(token, "10.0.0.1", "rpc"));
  assertEquals(shared.told.length, told, "a refusal asks no database");
  await clock.tick(HOUR_MS);
  assertEquals((await use()).filter((each) => each === "allowed").length, 4);
  await Promise.all([one.counters.close(), two.counters.close()]);
});

Deno.test("TokenGate holds a limit among workers that allow as much as they can within one second", async () => {
  const clock = new FakeClock();
  const shared = new Shared();
  const workers = [worker(shared, clock), worker(shared, clock), worker(shared, clock)];
  const token = tokenOf({ usage_limits: { requests_per_hour: 400, requests_total: 500 } });
  const useUp = async (turns: number) => {
    let allowed = 0;
    for (let i = 0; i < turns; i++) {
      for (const { gate } of workers) {
        if (await codeOf(() => gate.admit(token, "10.0.0.1", "rpc")) === "allowed") allowed++;
      }
    }
    return allowed;
  };
  assertEquals(await useUp(300), 400);
  await clock.tick(HOUR_MS);
  // A worker with requests ahead of the former hour does not use them in the next.
  await workers[0]!.gate.admit(token, "10.0.0.1", "rpc");
  assertEquals(await useUp(100), 99);
  for (const { counters } of workers) await counters.close();
});

Deno.test("TokenGate gives back what it was granted ahead and does not use", async () => {
  const clock = new FakeClock();
  const shared = new Shared();
  const [one, two] = [worker(shared, clock), worker(shared, clock)];
  const token = tokenOf({ usage_limits: { requests_total: 201 } });
  const allowed = async ({ gate }: typeof one, requests: number) => {
    const outcomes = [];
    for (let i = 0; i < requests; i++) {
      outcomes.push(await codeOf(() => gate.admit(token, "10.0.0.1", "rpc")));
    }
    return outcomes.filter((each) => each === "allowed").length;
  };
  assertEquals(await allowed(one, 1), 1);
  assertEquals(await allowed(two, 300), 190, "ten are granted to the first");
  await clock.tick(4_000);
  assertEquals(await allowed(two, 300), 10);
  assertEquals(shared.told.reduce((sum, { allowed }) => sum + allowed, 0), -10);
  const told = shared.told.length;
  await clock.tick(60_000);
  assertEquals(shared.told.length, told + 1, "nothing is told but the refusals of the last second");
  await Promise.all([one.counters.close(), two.counters.close()]);

  // At the end at once.
  const last = worker(shared, clock);
  await last.gate.admit(tokenOf({ usage_limits: { requests_per_day: 1_000 } }, "t2"), "10.0.0.1", "rpc");
  await last.counters.close();
  assertEquals(shared.told.at(-1)!.allowed, -49);
});

Deno.test("TokenGate asks the database seldom far from a limit, and tells of the use once a second", async () => {
  const clock = new FakeClock();
  const shared = new Shared();
  const { gate, counters } = worker(shared, clock);
  const token = tokenOf({ usage_limits: { requests_per_day: 1_000 } });
  await gate.admit(token, "10.0.0.1", "rpc");
  for (let i = 0; i < 49; i++) {
    assertEquals(gate.admit(token, "10.0.0.1", "rpc"), undefined);
    gate.answered(token, "rpc", { status: i < 10 ? 500 : 200, ms: 2 });
  }
  assertEquals(shared.told.length, 1);
  await clock.tick(1_000);
  assertEquals(shared.told.slice(1).map(({ allowed, endpoints }) => ({ allowed, endpoints })), [
    { allowed: 0, endpoints: [{ endpoint: "rpc", requests: 49, refused: 0, failed: 10, ms: 98 }] },
  ]);
  await clock.tick(60_000);
  assertEquals(shared.told.length, 2, "nothing is told twice");
  await counters.close();
});

Deno.test("TokenGate counts the messages of a batch and of a WebSocket, all or none", async () => {
  const clock = new FakeClock();
  const { gate, counters, refused } = worker(new Shared(), clock);
  const token = tokenOf({ usage_limits: { requests_total: 10 } });
  await gate.admit(token, "10.0.0.1", "rpc");
  gate.take(token, 8);
  assertThrows(() => gate.take(token, 2), SluiceError, "its 10 requests in all are used up");
  await gate.admit(token, "10.0.0.1", "rpc");
  assertEquals(await codeOf(() => gate.admit(token, "10.0.0.1", "rpc")), "TOKEN_RESTRICTED");
  assertEquals(refused, ["total", "total"]);
  gate.take(principal(), 1_000);
  await counters.close();
});

Deno.test("TokenGate counts messages that are on their way to the database", async () => {
  const clock = new FakeClock();
  const shared = new Shared();
  const { gate, counters } = worker(shared, clock);
  const token = tokenOf({ usage_limits: { requests_total: 3 } });
  await gate.admit(token, "10.0.0.1", "ws");
  gate.take(token, 1);
  await undefined;
  gate.take(token, 1);
  assertThrows(() => gate.take(token, 1), SluiceError, "used up");
  await counters.close();
  assertThrows(() => gate.take(token, 1), SluiceError, "used up");
});

Deno.test("TokenCounters counts alone while the database is down, loses nothing, and bounds what waits", async () => {
  const clock = new FakeClock();
  const shared = new Shared();
  const { gate, counters, lost } = worker(shared, clock, 3);
  shared.isDown = true;
  const token = tokenOf({ usage_limits: { requests_per_hour: 2 } });
  assertEquals(await codeOf(() => gate.admit(token, "10.0.0.1", "rpc")), "allowed");
  assertEquals(await codeOf(() => gate.admit(token, "10.0.0.2", "rpc")), "allowed");
  assertEquals(await codeOf(() => gate.admit(token, "10.0.0.1", "rpc")), "TOKEN_LIMIT_REACHED");
  for (const id of ["a", "b", "c"]) await gate.admit(tokenOf({}, id), "10.0.0.1", "mcp");
  assertEquals(lost.count, 1);
  await clock.tick(2_000);
  assertEquals(shared.told, []);
  shared.isDown = false;
  await clock.tick(1_000);
  const use = shared.told.find(({ tokenId }) => tokenId === "t1")!;
  assertEquals([use.allowed, use.endpoints[0]!.requests, use.endpoints[0]!.refused], [2, 3, 1]);
  assertEquals(use.addresses.toSorted(), ["10.0.0.1", "10.0.0.2"]);
  assert(counters.size <= 3);
  await counters.close();
});
