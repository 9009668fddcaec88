import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { ConnectionHolder } from "../../base/sharing/caller.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { Deadline } from "../resilience/deadline.ts";
import { callerAtRest } from "../../../tests/support/fakes.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { type AcquireOptions, ConnectionPool, type PooledConnection } from "./connection_pool.ts";
import { StreamPlaces } from "./stream_places.ts";
import { DeadlineTimer } from "../../base/deadline_timer.ts";
import type { Linked } from "../../base/linked_list.ts";

class FakeConnection implements PooledConnection, Linked<FakeConnection> {
  deadlineAt = Infinity;
  slot = -1;
  previous: FakeConnection | undefined;
  next: FakeConnection | undefined;
  isClosed = false;
  keepAliveHintMs = Infinity;
  reused = false;
  holder: ConnectionHolder | undefined;
  failure: unknown;
  onClosed = () => {};
  readonly key: string;
  readonly #deadlines: DeadlineTimer;

  constructor(key: string, deadlines: DeadlineTimer) {
    this.key = key;
    this.#deadlines = deadlines;
    deadlines.watch(this);
  }

  rest() {}

  expire() {
    this.close();
  }

  abort(error: unknown) {
    this.failure = error;
    this.close();
  }

  close() {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#deadlines.forget(this);
    this.onClosed();
  }
}

interface Dial {
  readonly key: string;
  readonly signal: AbortSignal;
  succeed(): Promise<void>;
  fail(error?: unknown): Promise<void>;
}

const A = { key: "a" }, B = { key: "b" };

function poolOf(limits: { max?: number; keepalive?: number } = {}) {
  const clock = new FakeClock();
  const deadlines = new DeadlineTimer(clock);
  const streamPlaces = new StreamPlaces(2);
  const dials: Dial[] = [];
  const waits: number[] = [];
  const pool = new ConnectionPool<{ key: string }, FakeConnection>({
    maxConnections: limits.max ?? 2,
    maxKeepaliveConnections: limits.keepalive ?? 2,
    keepaliveExpiryMs: 5_000,
    poolTimeoutMs: 1_000,
    streamPlaces,
    deadlines,
    clock,
    onWaited: (ms) => waits.push(ms),
    dial: ({ key }, _upstream, signal) =>
      new Promise((resolve, reject) => {
        let isOver = false;
        const once = (end: () => void) => {
          if (!isOver) end();
          isOver = true;
          return settled();
        };
        signal.addEventListener("abort", () => once(() => reject(signal.reason)));
        dials.push({
          key,
          signal,
          succeed: () => once(() => resolve(new FakeConnection(key, deadlines))),
          fail: (error = new Error("refused")) => once(() => reject(error)),
        });
      }),
  });
  /** Asks for a connection; what came of it is read off the result. */
  const ask = (target: { key: string }, options: Partial<AcquireOptions> = {}) => {
    const asked: { connection?: FakeConnection; error?: unknown } = {};
    pool.acquire(target, { upstream: "up", ...options }).then((connection) => {
      asked.connection = connection;
    }, (error) => {
      asked.error = error;
    });
    return asked;
  };
  /** A connection in use. */
  const open = async (target: { key: string }) => {
    const asked = ask(target);
    await dials.at(-1)!.succeed();
    return asked.connection!;
  };
  /** Gives a connection back as one that has carried a request. */
  const release = (connection: FakeConnection) => {
    connection.reused = true;
    pool.release(connection);
    return settled();
  };
  return { clock, pool, dials, streamPlaces, ask, open, release, waits };
}

Deno.test("ConnectionPool.takeIdle() gives the most recently used connection of the origin only", async () => {
  const { pool, open, release } = poolOf({ max: 3, keepalive: 3 });
  const [first, second] = [await open(A), await open(A)];
  await release(first);
  await release(second);
  assertEquals(pool.takeIdle("b"), undefined);
  assert(pool.takeIdle("a") === second);
  assert(pool.takeIdle("a") === first);
  assertEquals(pool.takeIdle("a"), undefined);
  assertEquals(pool.stats, { open: 2, idle: 0, waiting: 0, created: 2, reused: 2 });
});

Deno.test("ConnectionPool.release() hands the connection to who waited longest", async () => {
  const { pool, ask, open, release, dials } = poolOf();
  const [first, second] = [await open(A), await open(A)];
  const waiting = [ask(A), ask(A), ask(A)];
  assertEquals(pool.stats.waiting, 3);
  await release(second);
  await release(first);
  assert(waiting[0].connection === second);
  assert(waiting[1].connection === first);
  assertEquals(waiting[2].connection, undefined);
  assertEquals([dials.length, pool.stats.waiting, pool.stats.idle], [2, 1, 0]);
});

Deno.test("ConnectionPool.release() never passes over the head of the queue: its slot goes to another origin", async () => {
  const { ask, open, release, dials } = poolOf({ max: 1 });
  const connection = await open(A);
  const [head, next] = [ask(B), ask(A)];
  await release(connection);
  assertEquals([connection.isClosed, dials.length, dials[1]?.key], [true, 2, "b"]);
  await dials[1].succeed();
  assertEquals([head.connection?.key, next.connection], ["b", undefined]);
});

Deno.test("ConnectionPool.acquire() closes the oldest idle connection of another origin at the cap", async () => {
  const { pool, ask, open, release, dials } = poolOf();
  const [first, second] = [await open(A), await open(A)];
  await release(first);
  await release(second);
  ask(B);
  assertEquals([first.isClosed, second.isClosed, dials.at(-1)!.key], [true, false, "b"]);
  await dials.at(-1)!.succeed();
  assertEquals(pool.stats.open, 2);
});

Deno.test("ConnectionPool: who waits for a dial takes a connection that comes free first, and the dialled one rests", async () => {
  const { pool, ask, open, release, dials } = poolOf();
  const connection = await open(A);
  const asked = ask(A);
  await release(connection);
  assert(asked.connection === connection);
  await dials[1].succeed();
  assertEquals(pool.stats, { open: 2, idle: 1, waiting: 0, created: 2, reused: 1 });
});

Deno.test("ConnectionPool: a dial that fails fails its own caller only, and frees its slot", async () => {
  const { pool, ask, dials } = poolOf({ max: 1 });
  const [first, second] = [ask(A), ask(B)];
  await dials[0].fail(new Error("refused"));
  assertEquals([(first.error as Error).message, second.error, dials[1].key], ["refused", undefined, "b"]);
  await dials[1].succeed();
  assertEquals([second.connection?.key, pool.stats.open], ["b", 1]);
});

Deno.test("ConnectionPool: a failing dial whose caller was served otherwise leaves nobody without a dial", async () => {
  const { ask, open, release, dials } = poolOf({ max: 3 });
  const connection = await open(A);
  const [first, second] = [ask(A), ask(A)];
  await release(connection);
  assert(first.connection === connection);
  await dials[1].fail();
  await dials[2].succeed();
  assert(second.connection !== undefined);
});

Deno.test("ConnectionPool.acquire() gives up after the pool timeout, and says so", async () => {
  const { clock, pool, ask, open } = poolOf({ max: 1 });
  await open(A);
  const asked = ask(A);
  await clock.tick(999);
  assertEquals(asked.error, undefined);
  await clock.tick(1);
  const error = asked.error as SluiceError;
  assertEquals([error.code, error.params.timeoutMs, pool.stats.waiting], ["HTTP_POOL_TIMEOUT", 1_000, 0]);
});

Deno.test("ConnectionPool tells of each request that waited, for how long, however it ended, and of no other one", async () => {
  const { clock, ask, dials, release, waits } = poolOf({ max: 1 });
  const first = ask(A);
  await clock.tick(30);
  await dials[0]!.succeed();
  assertEquals(waits, [30]);
  ask(A);
  await clock.tick(1_000);
  const next = ask(A);
  await clock.tick(70);
  await release(first.connection!);
  assertEquals([next.connection === first.connection, waits], [true, [30, 1_000, 70]]);
  await release(next.connection!);
  ask(A);
  await settled();
  assertEquals(waits.length, 3);
});

Deno.test("ConnectionPool.acquire() ends with the deadline of the exchange, waiting or dialling", async () => {
  const { clock, pool, ask, dials } = poolOf({ max: 1 });
  const deadline = new Deadline(300, "TOOL_TIMEOUT", clock.now());
  const [dialling, waiting] = [ask(A, { deadline }), ask(A, { deadline })];
  await clock.tick(300);
  assertEquals([dialling, waiting].map(({ error }) => (error as SluiceError).message), [
    'Upstream "up" did not connect within 300 ms (TOOL_TIMEOUT)',
    'Upstream "up" did not free a connection within 300 ms (TOOL_TIMEOUT)',
  ]);
  assertEquals([dials[0].signal.aborted, pool.stats.open], [true, 0]);
});

Deno.test("ConnectionPool.acquire() ends by its signal, waiting or dialling, and frees what it held", async () => {
  const { pool, ask, dials } = poolOf({ max: 1 });
  const [dialling, waiting] = [new AbortController(), new AbortController()];
  const [first, second, third] = [
    ask(A, { signal: dialling.signal }),
    ask(A, { signal: waiting.signal }),
    ask(B),
  ];
  waiting.abort("second");
  dialling.abort("first");
  await settled();
  assertEquals([first.error, second.error, third.error], ["first", "second", undefined]);
  assertEquals([dials.length, dials[1].key, pool.stats.open, pool.stats.waiting], [2, "b", 1, 0]);
  assertEquals(
    await assertRejects(() => pool.acquire(A, { upstream: "up", signal: dialling.signal })),
    "first",
  );
});

Deno.test("ConnectionPool: a dial that ends after its caller gave up is closed", async () => {
  const clock = new FakeClock();
  const deadlines = new DeadlineTimer(clock);
  const late = Promise.withResolvers<FakeConnection>();
  const pool = new ConnectionPool<{ key: string }, FakeConnection>({
    maxConnections: 1,
    maxKeepaliveConnections: 1,
    keepaliveExpiryMs: 1_000,
    poolTimeoutMs: 1_000,
    streamPlaces: new StreamPlaces(2),
    deadlines,
    clock,
    dial: () => late.promise,
  });
  const abort = new AbortController();
  const asked = pool.acquire(A, { upstream: "up", signal: abort.signal });
  abort.abort("enough");
  assertEquals(await assertRejects(() => asked), "enough");
  const connection = new FakeConnection("a", deadlines);
  late.resolve(connection);
  await settled();
  assertEquals([connection.isClosed, pool.stats.open, clock.timers], [true, 0, 0]);
});

Deno.test("ConnectionPool.release() keeps idle connections up to their cap and for their time", async () => {
  const { clock, pool, open, release } = poolOf({ max: 3, keepalive: 2 });
  const [first, second, third] = [await open(A), await open(A), await open(B)];
  third.keepAliveHintMs = 3_000;
  for (const connection of [third, first, second]) await release(connection);
  // Two may rest; the third is surplus and goes soon, but not between two calls.
  await clock.tick(999);
  assertEquals([second.isClosed, pool.stats.idle], [false, 3]);
  await clock.tick(1);
  assertEquals([second.isClosed, pool.stats.idle], [true, 2]);
  await clock.tick(1_000);
  assertEquals([first.isClosed, third.isClosed], [false, true]);
  await clock.tick(3_000);
  assertEquals([first.isClosed, pool.stats.open], [true, 0]);
});

Deno.test("ConnectionPool.release() keeps nothing where nothing may be kept", async () => {
  const { pool, open, release } = poolOf({ keepalive: 0 });
  await release(await open(A));
  assertEquals(pool.stats.open, 0);
});

Deno.test("ConnectionPool.acquire() with `fresh` leaves idle connections alone", async () => {
  const { pool, ask, open, release, dials } = poolOf();
  await release(await open(A));
  const asked = ask(A, { fresh: true });
  await dials[1].succeed();
  assertEquals([asked.connection?.reused, pool.stats.idle], [false, 1]);
});

Deno.test("ConnectionPool.close() ends connections, dials and waiters", async () => {
  const { clock, pool, ask, open, dials } = poolOf();
  const busy = await open(A);
  const [dialling, waiting] = [ask(A), ask(A)];
  pool.close();
  await settled();
  for (const error of [busy.failure, dialling.error, waiting.error]) assert(isError(error, "SHUTTING_DOWN"));
  assertEquals([dials[1].signal.aborted, pool.stats.open, clock.timers], [true, 0, 0]);
  await assertRejects(() => pool.acquire(A, { upstream: "up" }), SluiceError);
});

Deno.test("ConnectionPool keeps its caps and starves nobody, whatever the order of events", async () => {
  const event = fc.tuple(
    fc.constantFrom("ask", "ask", "dialled", "failed", "release", "close", "abort", "time"),
    fc.nat(7),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 60 }), async (events) => {
      const { clock, pool, ask, dials } = poolOf({ max: 3, keepalive: 2 });
      const asked: (ReturnType<typeof ask> & { abort?: AbortController })[] = [];
      const inUse = () => asked.filter(({ connection }) => connection !== undefined && !connection.isClosed);
      for (const [what, which] of events) {
        const held = inUse();
        const one = held[which % held.length];
        const dial = dials[which % dials.length];
        if (what === "ask") {
          const abort = new AbortController();
          asked.push(Object.assign(ask(which % 3 === 0 ? B : A, { signal: abort.signal }), { abort }));
        } else if (what === "dialled") await dial?.succeed();
        else if (what === "failed") await dial?.fail();
        else if (what === "abort") asked[which % asked.length]?.abort?.abort("enough");
        else if (what === "time") await clock.tick(which * 100);
        else if (one !== undefined) {
          const connection = one.connection!;
          one.connection = undefined;
          connection.reused = true;
          if (what === "close") connection.close();
          else pool.release(connection);
        }
        await settled();
        const { open, idle, waiting } = pool.stats;
        const users = new Set(inUse().map(({ connection }) => connection));
        assertEquals(users.size, inUse().length, "no connection has two users");
        assert(open <= 3 && idle <= 2, "caps hold");
        assert(waiting === 0 || (idle === 0 && open === 3), "nobody waits beside a free connection or slot");
      }
      pool.close();
      await settled();
      assertEquals([pool.stats.open, pool.stats.waiting, clock.timers], [0, 0, 0]);
    }),
    { numRuns: 200 },
  );
});

Deno.test("ConnectionPool.acquire() leaves other origins room beside one that hangs", async () => {
  const { pool, ask, open, dials, release } = poolOf({ max: 10, keepalive: 10 });
  const hanging = Array.from({ length: 12 }, () => ask(A));
  for (const dial of [...dials]) await dial.succeed();
  assertEquals([dials.length, pool.stats.waiting], [8, 4]);
  // Past those in the queue, to whom a free slot means nothing.
  const other = await open(B);
  assertEquals(other.key, "b");
  // It comes and goes beside them, and keeps its connection.
  for (let i = 0; i < 3; i++) {
    await release(other);
    assertEquals(pool.takeIdle("b"), other);
  }
  await release(other);
  assertEquals([pool.stats.open, pool.stats.idle, pool.stats.waiting], [9, 1, 4]);
  // One of theirs comes back: it is handed over. One is closed: its slot is theirs again.
  await release(hanging[0]!.connection!);
  assertEquals(hanging[8]!.connection, hanging[0]!.connection);
  hanging[1]!.connection!.close();
  await dials.at(-1)!.succeed();
  assertEquals([hanging[9]!.connection?.key, pool.stats.waiting, pool.stats.open], ["a", 2, 9]);
});

Deno.test("ConnectionPool serves everybody in the end, whatever shares there are", async () => {
  const event = fc.tuple(
    fc.constantFrom("ask", "ask", "ask", "dialled", "failed", "release", "close"),
    fc.nat(20),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 80 }),
      fc.integer({ min: 1, max: 12 }),
      async (events, max) => {
        const { pool, ask, dials } = poolOf({ max, keepalive: max });
        const asked: ReturnType<typeof ask>[] = [];
        const give = (one: ReturnType<typeof ask> | undefined, close: boolean) => {
          const { connection } = one ?? {};
          if (connection === undefined || connection.isClosed) return;
          one!.connection = undefined;
          one!.error = "served";
          connection.reused = true;
          if (close) connection.close();
          else pool.release(connection);
        };
        for (const [what, which] of events) {
          if (what === "ask") asked.push(ask([A, A, B, { key: "c" }][which % 4]!));
          else if (what === "dialled") await dials[which % dials.length]?.succeed();
          else if (what === "failed") await dials[which % dials.length]?.fail();
          else give(asked[which % asked.length], what === "close");
          await settled();
          assert(pool.stats.open <= max, "the cap holds");
        }
        // Everybody gives back what they have: then all have been served, without any time having passed.
        for (let round = 0; round < asked.length + 1; round++) {
          for (const dial of [...dials]) await dial.succeed();
          for (const one of asked) give(one, false);
          await settled();
        }
        assertEquals([asked.filter(({ error }) => error === undefined).length, pool.stats.waiting], [0, 0]);
        pool.close();
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("ConnectionPool leaves room beside a caller who asks for everything", async () => {
  const { pool, dials, ask, release } = poolOf({ max: 8, keepalive: 8 });
  const [eve, bob] = [callerAtRest(), callerAtRest()];
  const all = Array.from({ length: 20 }, () => ask(A, { holder: eve }));
  assertEquals([dials.length, eve.connections, pool.stats.waiting], [6, 6, 14]);
  const bobs = ask(A, { holder: bob });
  assertEquals([dials.length, bob.connections], [7, 1]);
  for (const dial of [...dials]) await dial.succeed();
  assert(bobs.connection !== undefined);
  await release(bobs.connection!);
  assertEquals([pool.stats.idle, bob.connections], [1, 0], "the share of eve is no larger for it");
  assertEquals(pool.takeIdle("a", eve), undefined);
  const taken = pool.takeIdle("a", bob)!;
  assertEquals([taken, bob.connections], [bobs.connection, 1]);
  for (const { connection } of all.slice(0, 6)) await release(connection!);
  assertEquals(eve.connections, 6);
  pool.close();
  await settled();
  assertEquals([eve.connections, bob.connections], [0, 0]);
});

Deno.test("ConnectionPool serves the caller with the fewest connections next, and each in the order of its requests", async () => {
  const { pool, dials, ask, open, release } = poolOf({ max: 4, keepalive: 4 });
  const others = await Promise.all([open(A), open(A)]);
  const [eve, bob] = [callerAtRest(), callerAtRest()];
  const eves = Array.from({ length: 5 }, () => ask(A, { holder: eve }));
  const bobs = Array.from({ length: 2 }, () => ask(A, { holder: bob }));
  for (const dial of dials.slice(2)) await dial.succeed();
  assertEquals([eve.connections, bob.connections, pool.stats.waiting], [2, 0, 5]);
  await release(others[0]!);
  assert(bobs[0]!.connection !== undefined);
  await release(others[1]!);
  assert(bobs[1]!.connection !== undefined);
  await release(eves[0]!.connection!);
  assertEquals([eves[2]!.connection !== undefined, eves[3]!.connection], [true, undefined]);
  pool.close();
});

Deno.test("ConnectionPool counts a caller's connections right whatever happens to requests and connections", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(fc.nat(4), fc.nat(2), fc.nat(9)), { maxLength: 60 }),
    async (steps) => {
      const { pool, dials, ask, release } = poolOf({ max: 5, keepalive: 2 });
      const holders = [callerAtRest(), callerAtRest(), callerAtRest()];
      const asked: { asked: ReturnType<typeof ask>; stop: AbortController; isOver: boolean }[] = [];
      for (const [step, who, at] of steps) {
        const stop = new AbortController();
        const one = asked.at(-at - 1);
        const connection = one?.asked.connection;
        if (step === 0) {
          asked.push({ asked: ask(A, { holder: holders[who]!, signal: stop.signal }), stop, isOver: false });
        } else if (step === 1) await dials.at(-at - 1)?.succeed();
        else if (step === 2) await dials.at(-at - 1)?.fail();
        else if (step === 3 && connection === undefined) one?.stop.abort(new Error("given up"));
        else if (connection !== undefined && !one!.isOver) {
          one!.isOver = true;
          if (at % 2 === 0) await release(connection);
          else connection.close();
        }
        await settled();
        const held = holders.reduce((sum, { connections }) => sum + connections, 0);
        const { open, idle } = pool.stats;
        assert(held >= 0 && held <= open - idle, `${held} of ${open - idle}`);
      }
      pool.close();
      await settled();
      assertEquals(holders.map(({ connections }) => connections), [0, 0, 0]);
    },
  ));
});

Deno.test("ConnectionPool.openApart() opens as many streams for a caller as it may have, and others' all the same", async () => {
  const { pool, dials, streamPlaces } = poolOf({ max: 1 });
  const [eve, bob] = [callerAtRest(), callerAtRest()];
  const open = async (holder?: ConnectionHolder, deadline?: Deadline) => {
    const opening = pool.openApart(A, { upstream: "up", holder, deadline });
    await dials.at(-1)!.succeed();
    return await opening;
  };
  const [first] = [await open(eve), await open(eve)];
  const refused = () => assertRejects(() => pool.openApart(A, { upstream: "up", holder: eve }), SluiceError);
  assertEquals((await refused()).code, "TOO_MANY_STREAMS_OF_CALLER");
  await open(bob);
  for (let n = 0; n < 3; n++) await open();
  assertEquals([streamPlaces.open, eve.upstreamStreams], [6, 2]);
  // The response to a call goes on.
  (await open(eve, new Deadline(60_000, "the test"))).close();
  assertEquals([streamPlaces.open, eve.upstreamStreams], [6, 2]);
  first.close();
  const failing = assertRejects(() => pool.openApart(A, { upstream: "up", holder: eve }), Error, "refused");
  await dials.at(-1)!.fail();
  await failing;
  assertEquals(eve.upstreamStreams, 1);
  await open(eve);
  await refused();
});
