// What a connection to Redis does when Redis is away, stands still, comes back, or refuses us.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SluiceError } from "../../src/base/errors.ts";
import { RedisConnection } from "../../src/cache/redis_connection.ts";
import { makeCertificates } from "../support/postgres_certificates.ts";
import { beforeTimer } from "../support/pace.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import { connectionOptions, openRedisCache, type Settings } from "../support/redis_connections.ts";
import { StallingRelay } from "../support/stalling_relay.ts";
import { waitFor } from "../support/wait_for.ts";

const ignore = canLeaveOut("redis-server");

const TIMEOUT_MS = 500;
const SOON = { REDIS_SOCKET_TIMEOUT: "0.5", REDIS_SOCKET_CONNECT_TIMEOUT: "0.5" };
/** What waits for a server that does not answer fails after this timer of TIMEOUT_MS, what fails at once before it. */
const AT_ONCE_MS = TIMEOUT_MS - 100;
/** What waits fails before this one. */
const IN_TIME_MS = TIMEOUT_MS + 1_000;

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

/** How a command that needs Redis failed, in time. */
async function failure(
  run: () => Promise<unknown>,
  withinMs = IN_TIME_MS,
): Promise<{ code: string; cause: string }> {
  const error: SluiceError = await beforeTimer(withinMs, () => assertRejects(run, SluiceError));
  return { code: error.code, cause: String(error.cause) };
}

async function healed(connection: RedisConnection): Promise<void> {
  await waitFor(() => connection.isUp, { what: "a new connection" });
}

test("RedisConnection: what waits on a server that stands still fails in time, what comes later at once, and it heals", async () => {
  await using server = await RedisServer.start();
  const downs: string[] = [];
  const connection = new RedisConnection({
    ...await connectionOptions({ ...SOON, REDIS_URL: server.url() }),
    onDown: (reason) => downs.push(reason),
  });
  await connection.tried;
  await connection.run((redis) => redis.set("a", "1"));

  server.freeze();
  const waited = await Promise.all(
    Array.from({ length: 20 }, () => failure(() => connection.run((redis) => redis.get("a")))),
  );
  for (const { code, cause } of waited) {
    assertEquals(code, "CACHE_UNAVAILABLE");
    assertStringIncludes(cause, "no answer within 500 ms (REDIS_SOCKET_TIMEOUT)");
  }
  // Also while new connections are tried: the kernel accepts those.
  for (let i = 0; i < 20; i++) {
    const { code } = await failure(() => connection.run((redis) => redis.get("a")), AT_ONCE_MS);
    assertEquals(code, "CACHE_UNAVAILABLE");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assertEquals(downs.length, 1);

  server.thaw();
  await healed(connection);
  assertEquals(await connection.run((redis) => redis.get("a")), "1");
  await waitFor(async () => (await server.connections()).length === 1, { what: "the abandoned ones to end" });
  await connection.close();
});

test("RedisConnection: a killed server fails commands at once, and a restarted one is found again", async () => {
  await using server = await RedisServer.start();
  const events: string[] = [];
  const connection = new RedisConnection({
    ...await connectionOptions({ ...SOON, REDIS_URL: server.url() }),
    onUp: () => events.push("up"),
    onDown: () => events.push("down"),
  });
  await connection.tried;
  for (let round = 0; round < 2; round++) {
    await server.kill();
    await waitFor(() => !connection.isUp, { what: "it to be noticed" });
    const { code, cause } = await failure(() => connection.run((redis) => redis.get("a")), AT_ONCE_MS);
    assertEquals(code, "CACHE_UNAVAILABLE");
    assertStringIncludes(cause, `Redis at 127.0.0.1:${server.port}: `);
    await server.startAgain();
    await healed(connection);
    assertEquals(await connection.run((redis) => redis.set("a", "1")), "OK");
  }
  assertEquals(events, ["up", "down", "up", "down", "up"]);
  await connection.close();
});

test("RedisConnection: a server that is not there yet is found when it comes", async () => {
  await using server = await RedisServer.start();
  await server.kill();
  const connection = new RedisConnection(await connectionOptions({ ...SOON, REDIS_URL: server.url() }));
  await connection.tried;
  assertEquals((await failure(() => connection.run((redis) => redis.ping()))).code, "CACHE_UNAVAILABLE");
  await server.startAgain();
  await healed(connection);
  await connection.close();
});

test("RedisConnection: an idle connection that has gone dead is noticed by the health check", async () => {
  await using server = await RedisServer.start();
  await using relay = new StallingRelay(server.port);
  const settings = {
    ...SOON,
    REDIS_URL: server.url({ port: relay.port }),
    REDIS_HEALTH_CHECK_INTERVAL: "0.2",
  };
  const reasons: string[] = [];
  const connection = new RedisConnection({
    ...await connectionOptions(settings),
    onDown: (reason) => reasons.push(reason),
  });
  await connection.tried;
  assert(connection.isUp);
  relay.stall();
  await waitFor(() => reasons.length > 0, { what: "it to be noticed" });
  assertStringIncludes(reasons[0], "REDIS_SOCKET_TIMEOUT");
  await healed(connection);
  await connection.close();
});

test("RedisConnection.close() ends it, whatever the server does", async () => {
  await using server = await RedisServer.start();
  const make = async () => new RedisConnection(await connectionOptions({ ...SOON, REDIS_URL: server.url() }));
  const used = await make();
  await used.tried;
  server.freeze();
  const opening = await make();
  await beforeTimer(AT_ONCE_MS, () => Promise.all([used.close(), opening.close()]));
  assertEquals((await failure(() => used.run((redis) => redis.ping()))).code, "CACHE_UNAVAILABLE");
  server.thaw();
});

test("A wrong password is told, and is in no text that anybody sees", async () => {
  await using server = await RedisServer.start({ password: "right" });
  for (const [password, reason] of [["hush-hush", "WRONGPASS"], ["", "NOAUTH"]]) {
    const opened = await openRedisCache({ ...SOON, REDIS_URL: server.url({ password }) });
    const error = await assertRejects(() => opened.cache.put("a", "1", 1000), SluiceError);
    const seen = `${error.message} ${error.cause} ${Deno.inspect(error, { depth: 9 })} ${
      opened.logged.join("")
    }`;
    assertStringIncludes(seen, reason);
    assertEquals(seen.includes("hush-hush"), false, seen);
    assertEquals(opened.redis?.isUp, false);
    await opened.close();
  }
  const right = await openRedisCache({ REDIS_URL: server.url() });
  await right.cache.put("a", "1", 1000);
  await right.close();
});

test("A database number that the server does not have is told, and nothing is kept in another", async () => {
  await using server = await RedisServer.start();
  const opened = await openRedisCache({ ...SOON, REDIS_URL: server.url().replace(/0$/, "99") });
  const { code, cause } = await failure(() => opened.cache.put("a", "1", 60_000));
  assertEquals([code, opened.redis?.isUp], ["CACHE_UNAVAILABLE", false]);
  assertStringIncludes(cause, "DB index is out of range");
  assertEquals(await server.use((redis) => redis.keys("*")), []);
  await opened.close();
});

test("A command that the server refuses is CACHE_UNAVAILABLE with its words in the cause only", async () => {
  await using server = await RedisServer.start();
  const opened = await openRedisCache({ REDIS_URL: server.url() });
  await server.use((redis) => redis.config("SET", "maxmemory", "1"));
  const { code, cause } = await failure(() => opened.cache.put("a", "secret value", 60_000));
  assertEquals([code, cause.includes("OOM"), cause.includes("secret value")], [
    "CACHE_UNAVAILABLE",
    true,
    false,
  ]);
  // The connection is well, and reading goes on; but it is no Redis to count on.
  assertEquals([await opened.cache.get("a"), opened.redis?.isUp], [null, true]);
  assertEquals((await failure(() => opened.redis!.ping())).code, "CACHE_UNAVAILABLE");
  await server.use((redis) => redis.config("SET", "maxmemory", "0"));
  await opened.cache.put("a", "1", 60_000);
  await opened.redis!.ping();
  await opened.close();
});

test("A server that has become a replica is left, until its address leads to one that can be written", async () => {
  await using server = await RedisServer.start();
  await using primary = await RedisServer.start();
  const opened = await openRedisCache({ ...SOON, REDIS_URL: server.url() });
  await server.use((redis) => redis.replicaof("127.0.0.1", primary.port));
  for (let i = 0; i < 10; i++) {
    const { cause } = await failure(() => opened.cache.put("a", "1", 60_000));
    assertStringIncludes(cause, "READONLY");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(opened.redis?.isUp, false);
  await server.use((redis) => redis.replicaof("NO", "ONE"));
  await waitFor(() => opened.redis?.isUp, { what: "it to heal" });
  await opened.cache.put("a", "1", 60_000);
  const told = opened.logged.filter((line) => line.includes("redis is unavailable"));
  assertEquals(told.length, 1, told.join(""));
  await opened.close();
});

test("rediss:// trusts whom REDIS_SSL_CA_CERTS names and nobody else, and heals like redis://", async () => {
  const certificates = await makeCertificates();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/ca.pem`, certificates.ca);
  await Deno.writeTextFile(`${folder}/other.pem`, (await makeCertificates()).ca);
  await using server = await RedisServer.start({ tls: certificates, password: "p/w:%" });
  for (const host of ["127.0.0.1", "localhost"]) {
    const opened = await openRedisCache({
      ...SOON,
      REDIS_URL: server.url({ host }),
      REDIS_SSL_CA_CERTS: `${folder}/ca.pem`,
    });
    const large = JSON.stringify("x".repeat(100_000));
    await opened.cache.put("large", large, 60_000);
    assertEquals(await opened.cache.get("large"), large);
    if (host === "localhost") {
      server.freeze();
      const { code } = await failure(() => opened.cache.get("large"));
      assertEquals(code, "CACHE_UNAVAILABLE");
      server.thaw();
      await waitFor(() => opened.redis?.isUp, { what: "it to heal" });
      assertEquals(await opened.cache.get("large"), large);
    }
    await opened.close();
  }
  const authorities: Settings[] = [{}, { REDIS_SSL_CA_CERTS: `${folder}/other.pem` }];
  for (const authority of authorities) {
    const opened = await openRedisCache({ REDIS_URL: server.url(), ...authority });
    const { code, cause } = await failure(() => opened.cache.get("large"));
    assertEquals(code, "CACHE_UNAVAILABLE");
    assertStringIncludes(cause.toLowerCase(), "certificate");
    await opened.close();
  }
  const missing = await assertRejects(
    () => openRedisCache({ REDIS_URL: server.url(), REDIS_SSL_CA_CERTS: `${folder}/none.pem` }),
    SluiceError,
  );
  assertEquals(missing.code, "SETTINGS_INVALID");
  assertStringIncludes(missing.message, `REDIS_SSL_CA_CERTS ${folder}/none.pem cannot be read`);
  await Deno.remove(folder, { recursive: true });
});
