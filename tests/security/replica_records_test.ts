// Who can write to the records that replicas share must get no request of a client, and who sees a forwarded request no token.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { inSession, openSession, post } from "../support/mcp_post.ts";
import { paced } from "../support/pace.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import type { Sluice } from "../support/sluice.ts";
import { withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";
import { freePort } from "../support/free_port.ts";

const PING = { jsonrpc: "2.0", id: 1, method: "ping" };

/** Counts the connections that requests led here open. */
function startThief() {
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    seen.push(await request.text());
    return new Response(null, { status: 500 });
  });
  return {
    seen,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Writes another address into the records of all replicas. @returns how many there were */
type Forge = (address: string) => Promise<number> | number;

function addressIn(record: string, address: string): string {
  return JSON.stringify({ ...JSON.parse(record), address });
}

/** Sends requests for a session of `one` to `other` while the records of both are forged again and again. */
async function attack(one: Sluice, other: Sluice, token: string, forge: Forge): Promise<void> {
  await using thief = startThief();
  const session = await openSession(one, { token });
  const ask = () => post(other, PING, { token, headers: inSession(session) });
  let forged = 0;
  const isIgnored = () =>
    other.log().some(({ event }) => event === "replica record of another writer ignored");
  // No worker of `other` has met `one`, so each looks its address up.
  await waitFor(async () => {
    forged += await forge(thief.url);
    const { status } = await ask();
    assert(status === 200 || status === 503, String(status));
    return isIgnored() && forged > 10;
  }, { what: "the forged records to be read" });
  assertEquals(thief.seen, []);
  // The replica puts its own record in its place, and goes on under its number.
  await waitFor(async () => (await ask()).status === 200, { what: "the session at the other replica" });
  assertEquals((await post(one, PING, { token, headers: inSession(session) })).status, 200);
  assertEquals(thief.seen, []);
  const isLost = [...one.log(), ...other.log()].some(({ event }) => /declared gone/.test(String(event)));
  assertEquals(isLost, false);
}

/** Short, and long enough that no replica of a busy machine is declared gone. */
const SETTINGS = { LOG_LEVEL: "WARNING", REPLICA_TTL: String(Math.ceil(await paced(3))) };

Deno.test("A replica record that another writer forges in the database leads no request anywhere", () =>
  withTwo(async (one, other, token) => {
    const forge = (address: string) => {
      using database = new DatabaseSync(`${one.cwd}/mcp.db`, { timeout: 10_000 });
      const rows = database.prepare("SELECT * FROM cache_records WHERE cache_key LIKE 'replica:%'").all();
      const update = database.prepare("UPDATE cache_records SET value = ? WHERE cache_key = ?");
      for (const { cache_key, value } of rows) update.run(addressIn(String(value), address), cache_key!);
      return rows.length;
    };
    await attack(one, other, token, forge);
  }, SETTINGS));

Deno.test({
  name: "A replica record that another writer forges in Redis leads no request anywhere",
  ignore: canLeaveOut("redis-server"),
  fn: async () => {
    await using server = await RedisServer.start();
    await withTwo(async (one, other, token) => {
      const forge = (address: string) =>
        server.use(async (redis) => {
          const keys = await redis.keys("*replica:*");
          for (const key of keys) {
            const record = await redis.get(key);
            if (record !== null) await redis.set(key, addressIn(record, address), "KEEPTTL");
          }
          return keys.length;
        });
      await attack(one, other, token, forge);
    }, { ...SETTINGS, CACHE_TYPE: "redis", REDIS_URL: server.url() });
  },
});

/** Passes requests between replicas on, and keeps what it has seen. */
function startRelay(target: () => string) {
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const body = await request.text();
    seen.push(JSON.stringify([...request.headers]) + body);
    const { pathname } = new URL(request.url);
    return await fetch(target() + pathname, { method: "POST", headers: request.headers, body });
  });
  return {
    seen,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

for (const isPassed of [false, true]) {
  const settings: Record<string, string> = isPassed
    ? { ENABLE_HEADER_PASSTHROUGH: "true", ENABLE_SENSITIVE_HEADER_PASSTHROUGH: "true" }
    : {};
  const name = isPassed
    ? "A forwarded request carries the caller's Authorization where it can be passed upstream"
    : "A forwarded request carries no token of the caller";
  Deno.test(name, async () => {
    const port = String(freePort());
    await using relay = startRelay(() => `http://127.0.0.1:${port}`);
    await withTwo(
      async (one, other, token) => {
        const session = await openSession(one, { token });
        const { status } = await post(other, PING, { token, headers: inSession(session) });
        assertEquals(status, 200);
        assertNotEquals(relay.seen, []);
        assertEquals(relay.seen.some((text) => text.includes(token)), isPassed);
      },
      { ...SETTINGS, ...settings },
      [{ PORT: port, REPLICA_ADDRESS: new URL(relay.url).host }, {}],
    );
  });
}
