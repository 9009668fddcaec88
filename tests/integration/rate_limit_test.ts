// Rate limits from outside: over the workers of a process, over replicas, on every way in, and with Redis gone.
import { assert, assertEquals } from "@std/assert";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { paced } from "../support/pace.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { RedisServer } from "../support/redis.ts";
import { Sluice } from "../support/sluice.ts";
import { withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";

const LIMIT = 200;
/** What may be let in too much, before the others have heard of it; far less than a worker that counts for itself alone. */
const SLACK = 100;
const LIMITED = {
  RATE_LIMITING_ENABLED: "true",
  RATE_LIMIT_MEDIUM_RPM: String(LIMIT - 50),
  RATE_LIMIT_MEDIUM_BURST: "50",
};
const PING = { jsonrpc: "2.0", id: 1, method: "ping" };

function userOf(sluice: Sluice, username: string): Promise<string> {
  return sluice.token({ username });
}

/** However slow the machine is: how many a caller can have been let in since. */
function mostSince(from: number): number {
  return LIMIT * (1 + (performance.now() - from) / 60_000) + SLACK;
}

/** Twenty requests at once over connections of their own, so that every worker is asked. @returns how many were let in */
async function round(gateways: readonly Sluice[], token: string): Promise<number> {
  const asked = gateways.flatMap((sluice) =>
    Array.from({ length: 20 / gateways.length }, () => post(sluice, PING, { path: "/rpc", token }))
  );
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  assertEquals(statuses.filter((status) => status !== 200 && status !== 429), []);
  return statuses.filter((status) => status === 200).length;
}

/** Asks until nearly all is refused. @returns how many were let in */
async function exhaust(gateways: readonly Sluice[], token: string): Promise<number> {
  let letIn = 0;
  await waitFor(async () => {
    const passed = await round(gateways, token);
    letIn += passed;
    return passed <= 2;
  }, { what: "refusals", everyMs: 100 });
  return letIn;
}

/** A single request may be let in again at any moment: time passes. */
async function refused(sluice: Sluice, path: string, token: string): Promise<Response> {
  return await waitFor(async () => {
    const response = await fetch(sluice.url + path, {
      method: path === "/rpc" ? "POST" : "GET",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: path === "/rpc" ? JSON.stringify(PING) : undefined,
    });
    if (response.status === 429) return response;
    await response.body?.cancel();
  }, { what: `429 of ${path}` });
}

Deno.test("The workers of one process count a caller's requests together, and refuse what is too much", async (t) => {
  await using sluice = await Sluice.start({ env: { ...LIMITED, CACHE_TYPE: "memory" } });
  const ann = await userOf(sluice, "ann");

  await t.step("RPM and BURST of both workers, not of each", async () => {
    const from = performance.now();
    const letIn = await exhaust([sluice], ann);
    assert(letIn >= LIMIT && letIn <= mostSince(from), `${letIn} let in`);
  });
  await t.step("429 with Retry-After, as the endpoint speaks", async () => {
    const rpc = await refused(sluice, "/rpc", ann);
    const wait = Number(rpc.headers.get("retry-after"));
    assert(wait >= 1 && wait <= 120, `wait ${wait}`);
    const { error } = await rpc.json();
    assertEquals([error.code, error.data.code], [-31430, "RATE_LIMITED"]);
    const rest = await refused(sluice, "/v1/tools", ann);
    const { code, detail } = await rest.json();
    assertEquals(code, "RATE_LIMITED");
    assert(detail.startsWith(`More than ${LIMIT} requests in a minute`), detail);
    assert(Number(rest.headers.get("retry-after")) >= 1);
  });
  await t.step("other tokens of the caller count with it, other callers and other tiers do not", async () => {
    await (await refused(sluice, "/rpc", await userOf(sluice, "ann"))).body?.cancel();
    assertEquals((await sluice.rpc("ping", {}, await userOf(sluice, "bob"))).status, 200);
    assertEquals((await sluice.api("GET", "/version", undefined, ann)).status, 200);
  });
  await t.step("/health and /ready are never limited", async () => {
    const asked = Array.from({ length: LIMIT + SLACK }, async (_, i) => {
      const response = await fetch(`${sluice.url}/${i % 10 === 0 ? "ready" : "health"}`);
      await response.body?.cancel();
      return response.status;
    });
    assertEquals(new Set(await Promise.all(asked)), new Set([200]));
  });
  await t.step("messages on a WebSocket count one by one, together with requests", async () => {
    const token = await userOf(sluice, "cat");
    const from = performance.now();
    using socket = await RawWebSocket.open(sluice.port, { token });
    const sent = LIMIT + SLACK;
    for (let id = 0; id < sent; id++) await socket.say(JSON.stringify({ ...PING, id }));
    const answers = [];
    for (let i = 0; i < sent; i++) answers.push(await socket.nextMessage());
    const codes = answers.filter(({ error }) => error !== undefined).map(({ error }) => error.data.code);
    // The handshake was a request, too.
    const letIn = sent - codes.length + 1;
    assert(letIn >= LIMIT && letIn <= mostSince(from), `${letIn} let in`);
    assertEquals(new Set(codes), new Set(["RATE_LIMITED"]));
    const more = await exhaust([sluice], token);
    assert(letIn + more <= mostSince(from), `${letIn} and ${more} let in`);
  });
  await t.step(
    "a batch counts as its messages, whichever worker has the session, and is refused as a whole",
    async () => {
      const rpc = { token: await userOf(sluice, "dan"), path: "/rpc" };
      const token = await userOf(sluice, "eve");
      const initialize = {
        ...PING,
        method: "initialize",
        params: { protocolVersion: "2025-03-26", capabilities: {} },
      };
      const { sessionId } = await post(sluice, initialize, { token });
      const headers = { "mcp-session-id": sessionId! };
      const batch = Array.from({ length: 90 }, (_, id) => ({ ...PING, id }));
      for (const options of [rpc, { token, headers }]) {
        const from = performance.now();
        let letIn = 0;
        const last = await waitFor(async () => {
          const answer = await post(sluice, batch, options);
          const { error } = Array.isArray(answer.body) ? answer.body[0] : answer.body;
          if (error !== undefined) return { ...answer, error };
          assertEquals(answer.body.length, batch.length);
          letIn += batch.length;
        }, { what: "a batch too much", everyMs: 300 });
        assertEquals(last.error.data.code, "RATE_LIMITED");
        // In a session each call gets an error of its own, since a 429 ends sessions of some clients.
        if (options === rpc) assertEquals(last.status, 429);
        else assertEquals([last.status, last.body.length], [200, batch.length]);
        assert(letIn >= LIMIT - batch.length && letIn <= mostSince(from), `${letIn} let in`);
      }
    },
  );
  await t.step("sluice_rate_limited_total counts by tier", async () => {
    assert(await metric(sluice, "sluice_rate_limited_total", 'tier="medium"') > SLACK);
    assertEquals(await metric(sluice, "sluice_rate_limited_total", 'tier="low"'), 0);
    assert(await metric(sluice, "sluice_rate_limit_callers") >= 5);
  });
});

Deno.test("Replicas count a caller's requests together with CACHE_TYPE=database", async () => {
  await withTwo(async (one, other) => {
    const from = performance.now();
    const letIn = await exhaust([one, other], await userOf(one, "ann"));
    assert(letIn >= LIMIT && letIn <= mostSince(from), `${letIn} let in`);
    assertEquals((await other.rpc("ping", {}, await userOf(one, "bob"))).status, 200);
  }, { ...LIMITED, CACHE_TYPE: "database" });
});

Deno.test({
  name:
    "Replicas count a caller's requests together with CACHE_TYPE=redis, and go on by themselves while Redis is gone",
  ignore: canLeaveOut("redis-server"),
  fn: async () => {
    await using redis = await RedisServer.start();
    const settings = {
      ...{ ...LIMITED, CACHE_TYPE: "redis", REDIS_URL: redis.url() },
      // A replica that has not heard of Redis within that time counts for itself.
      REDIS_SOCKET_TIMEOUT: String(await paced(0.5)),
    };
    await withTwo(async (one, other) => {
      const both = [one, other];
      const together = async (username: string) => {
        const from = performance.now();
        const token = await userOf(one, username);
        const letIn = await exhaust(both, token);
        assert(letIn >= LIMIT && letIn <= mostSince(from), `${letIn} let in`);
        return token;
      };
      const ann = await together("ann");
      const names = await redis.use((client) => client.keys("*rate:*"));
      assert(names.length > 0 && !names.some((name) => name.includes("ann")), names.join(" "));

      await redis.kill();
      const bob = await userOf(one, "bob");
      for (let i = 0; i < 3; i++) assertEquals(await round(both, bob), 20);
      // What the workers know of the minute is still true.
      await waitFor(async () => await round(both, ann) <= 2, { what: "refusals" });
      const count = (event: string) =>
        both.flatMap((sluice) => sluice.log()).filter((line) => line.event === event).length;
      const alone = () => count("rate limits are not shared: each worker counts alone");
      await waitFor(() => alone() > 0, { what: "a word in the log" });

      await redis.startAgain();
      const again = () => count("rate limits are shared with the other workers again");
      await waitFor(async () => {
        // Only who lets in has anything to share.
        await round(both, await userOf(one, crypto.randomUUID()));
        return again() === alone();
      }, { what: "all workers to count together again" });
      await together("dan");
    }, settings);
  },
});

Deno.test("Nobody is limited unless it is asked for; callers without a token are limited by their address", async (t) => {
  await t.step("by default", async () => {
    await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
    const asked = Array.from({ length: 130 }, () => sluice.rpc("ping"));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    assertEquals(new Set(statuses), new Set([200]));
    assertEquals(await metric(sluice, "sluice_rate_limited_total"), 0);
  });
  await t.step("anonymous", async () => {
    await using sluice = await Sluice.start({ env: { ...LIMITED, WORKERS: "1", AUTH_REQUIRED: "false" } });
    const from = performance.now();
    const letIn = await exhaust([sluice], "");
    assert(letIn >= LIMIT && letIn <= mostSince(from), `${letIn} let in`);
    assertEquals((await sluice.rpc("ping")).status, 200);
    const id = await openSession(sluice);
    assertEquals((await post(sluice, toolCall("nothing"), { headers: inSession(id) })).status, 200);
  });
});
