import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { FakeClock, settled } from "../../../tests/support/fake_clock.ts";
import { type Poolable, type PoolSettings, PostgresPool } from "./postgres_pool.ts";

class FakeConnection implements Poolable {
  isUsable = true;
  isClosed = false;
  pings = 0;
  answersPings = true;
  #onLost = () => {};

  constructor(readonly number: number) {}

  set onLost(listener: () => void) {
    this.#onLost = listener;
  }

  lose(): void {
    this.isUsable = false;
    this.#onLost();
  }

  async ping(): Promise<boolean> {
    this.pings++;
    if (!this.answersPings) this.lose();
    return this.isUsable;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.isUsable = false;
  }
}

function fixture(settings: Partial<PoolSettings> = {}) {
  const clock = new FakeClock();
  const opened: FakeConnection[] = [];
  const server: { refusal: Error | null; gate: Promise<void> | null } = { refusal: null, gate: null };
  const pool = new PostgresPool(async () => {
    await server.gate;
    if (server.refusal !== null) throw server.refusal;
    const connection = new FakeConnection(opened.length);
    opened.push(connection);
    return connection;
  }, {
    location: "db:5432/mcp",
    clock,
    settings: { keep: 2, limit: 3, timeoutMs: 1000, recycleMs: 60_000, prePing: false, ...settings },
  });
  /** Leases a connection until `giveBack` is called. */
  const lease = async () => {
    const taken = Promise.withResolvers<FakeConnection>();
    const done = Promise.withResolvers<void>();
    const use = pool.use((connection) => {
      taken.resolve(connection);
      return done.promise;
    });
    use.catch(taken.reject);
    const connection = await taken.promise;
    return { connection, giveBack: () => (done.resolve(), use) };
  };
  return { clock, opened, pool, lease, server };
}

const open = (connections: readonly FakeConnection[]) =>
  connections.filter(({ isClosed, isUsable }) => isUsable && !isClosed).map(({ number }) => number);

Deno.test("PostgresPool keeps DB_POOL_SIZE connections and closes the overflow after its use", async () => {
  const { pool, lease, opened } = fixture();
  const leases = [await lease(), await lease(), await lease()];
  for (const each of leases) await each.giveBack();
  assertEquals([open(opened), pool.size], [[0, 1], 2]);
  await (await lease()).giveBack();
  assertEquals(opened.length, 3);
  await pool.close();
  assertEquals(open(opened), []);
});

Deno.test("PostgresPool hands a connection to who waits longest", async () => {
  const { lease, opened } = fixture({ limit: 1 });
  const first = await lease();
  const order: string[] = [];
  const waiters = ["a", "b"].map((name) => lease().then((got) => (order.push(name), got)));
  await first.giveBack();
  await (await waiters[0]).giveBack();
  await (await waiters[1]).giveBack();
  assertEquals([order, opened.length], [["a", "b"], 1]);
});

Deno.test("PostgresPool gives up at DB_POOL_TIMEOUT in words that say what to raise", async () => {
  const { clock, lease } = fixture();
  const held = [await lease(), await lease(), await lease()];
  const waiting = assertRejects(lease, SluiceError);
  await clock.tick(999);
  const late = lease();
  await clock.tick(1);
  const error = await waiting;
  assertEquals([error.code, error.params], ["STORE_POOL_TIMEOUT", { limit: 3, timeoutMs: 1000 }]);
  assertStringIncludes(error.message, "raise DB_POOL_SIZE");
  await held[0].giveBack();
  await (await late).giveBack();
});

Deno.test("PostgresPool with nothing to keep opens one for each use", async () => {
  const { lease, opened } = fixture({ keep: 0, limit: 1 });
  const first = await lease();
  const second = lease();
  await first.giveBack();
  await (await second).giveBack();
  assertEquals([opened.length, open(opened)], [2, []]);
});

Deno.test("PostgresPool replaces a connection at DB_POOL_RECYCLE: an idle one then, one in use after it", async () => {
  const { clock, pool, lease, opened } = fixture();
  const [first, second] = [await lease(), await lease()];
  await first.giveBack();
  await clock.tick(60_000);
  assertEquals(open(opened), [1]);
  await second.giveBack();
  assertEquals([open(opened), pool.size, clock.timers], [[], 0, 0]);
});

Deno.test("PostgresPool tests idle connections before use, and drops all at the first that fails", async () => {
  const { lease, opened } = fixture({ prePing: true });
  const [a, b] = [await lease(), await lease()];
  await a.giveBack();
  await b.giveBack();
  await (await lease()).giveBack();
  assertEquals(opened.map(({ pings }) => pings), [0, 1]);
  for (const connection of opened) connection.answersPings = false;
  const { connection, giveBack } = await lease();
  assertEquals([connection.number, opened.map(({ pings }) => pings)], [2, [0, 2, 0]]);
  await giveBack();
  assertEquals(open(opened), [2]);
});

Deno.test("PostgresPool forgets an idle connection that was lost", async () => {
  const { pool, lease, opened, clock } = fixture();
  await (await lease()).giveBack();
  opened[0].lose();
  assertEquals([pool.size, clock.timers], [0, 0]);
  const { connection, giveBack } = await lease();
  assertEquals(connection.number, 1);
  await giveBack();
});

Deno.test("PostgresPool drops the idle ones with one that was lost in use, and serves who waits anew", async () => {
  const { lease, opened } = fixture({ limit: 2 });
  const [a, b] = [await lease(), await lease()];
  const waiting = lease();
  a.connection.lose();
  await a.giveBack();
  assertEquals((await waiting).connection.number, 2);
  await b.giveBack();
  assertEquals(open(opened), [1, 2]);
  const c = await waiting;
  c.connection.lose();
  await c.giveBack();
  assertEquals(open(opened), []);
});

Deno.test("PostgresPool fails everybody who waits when no connection can be opened", async () => {
  const { pool, lease, server } = fixture({ limit: 1 });
  const gate = Promise.withResolvers<void>();
  server.gate = gate.promise;
  server.refusal = new Error("refused");
  const callers = [1, 2, 3].map(() => assertRejects(lease, Error, "refused"));
  await settled();
  gate.resolve();
  await Promise.all(callers);
  assertEquals(pool.size, 0);
  server.refusal = null;
  await (await lease()).giveBack();
});

Deno.test("PostgresPool.close() waits for what is lent out and refuses further use", async () => {
  const { pool, lease, opened } = fixture({ limit: 1 });
  const first = await lease();
  const waiting = assertRejects(lease, SluiceError);
  await settled();
  let isClosed = false;
  const closing = pool.close().then(() => isClosed = true);
  assertEquals((await waiting).code, "STORE_UNAVAILABLE");
  await settled();
  assertEquals(isClosed, false);
  await first.giveBack();
  await closing;
  assertEquals(open(opened), []);
  assertEquals((await assertRejects(lease, SluiceError)).code, "STORE_UNAVAILABLE");
});
