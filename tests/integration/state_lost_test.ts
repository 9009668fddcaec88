// What a stdio upstream kept for a session ends with the worker that ran its process: the session goes on, and is told so.
import { assert, assertEquals } from "@std/assert";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import { Sluice } from "../support/sluice.ts";
import { counterLaunch, processesWith } from "../support/stdio_upstream.ts";
import { known, withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";

const ENABLED = { STDIO_ENABLED: "true" };

async function registerCounter(sluice: Sluice, more: Record<string, unknown> = {}): Promise<string> {
  const mark = `mark-${crypto.randomUUID()}`;
  const { status, body } = await sluice.api("POST", "/gateways", {
    name: "counter",
    transport: "STDIO",
    ...counterLaunch(mark),
    ...more,
  });
  assertEquals(status, 200, JSON.stringify(body));
  return mark;
}

/** What a session's counter says, or the code of the error in its place. */
async function count(sluice: Sluice, token: string, id: string, tool = "counter-increment"): Promise<string> {
  const { body } = await post(sluice, toolCall(tool), { token, headers: inSession(id) });
  return body.error?.data.code ?? body.result.content[0].text;
}

function openSessions(sluice: Sluice, token: string, howMany: number): Promise<string[]> {
  // Enough that each worker has some.
  return Promise.all(Array.from({ length: howMany }, () => openSession(sluice, { token })));
}

async function lossIsSaid(one: Sluice, other: Sluice, token: string): Promise<void> {
  const mark = await registerCounter(one);
  await registerCounter(one, { name: "common", isolation: "shared" });
  await known(other, "common-increment");
  const [used, unused] = [await openSessions(one, token, 6), await openSessions(one, token, 2)];
  const countAll = (replica: Sluice, ids: string[]) =>
    Promise.all(ids.map((id) => count(replica, token, id)));
  assertEquals(await countAll(one, used), used.map(() => "1"));
  assertEquals(await countAll(other, used), used.map(() => "2"), "the owner's processes serve on");
  assertEquals(await count(one, token, used[0]!, "common-increment"), "1");
  const died = processesWith(mark);

  await one.kill();
  await waitFor(() => processesWith(mark).every((pid) => !died.includes(pid)), {
    what: "the dead replica's processes to end",
  });
  const listed = await post(other, { jsonrpc: "2.0", id: 1, method: "tools/list" }, {
    token,
    headers: inSession(used[0]!),
  });
  assert(JSON.stringify(listed.body.result).includes("counter-increment"));
  const [first, ...rest] = used as [string, ...string[]];
  const { body } = await post(other, toolCall("counter-increment"), { token, headers: inSession(first) });
  assertEquals([body.error.code, body.error.data.code], [-31518, "UPSTREAM_STATE_LOST"]);
  assert(body.error.message.includes('Upstream "counter" has lost the state that it kept for this client'));
  assertEquals(await countAll(other, rest), rest.map(() => "UPSTREAM_STATE_LOST"));
  assertEquals(await countAll(other, used), used.map(() => "1"));
  assertEquals(await countAll(other, used), used.map(() => "2"));
  // Who had nothing there has lost nothing; a shared upstream promises nobody a state.
  assertEquals(await countAll(other, unused), unused.map(() => "1"));
  assertEquals(await count(other, token, first, "common-increment"), "1");
  assertEquals(await metric(other, "sluice_errors_total", "UPSTREAM_STATE_LOST"), used.length);
}

Deno.test("A session that is taken over hears once from each stdio upstream it has used that its state is gone", async () => {
  await withTwo(lossIsSaid, ENABLED);
});

Deno.test({
  name: "A session that is taken over over Redis hears of its lost state, too",
  ignore: canLeaveOut("redis-server"),
  fn: async () => {
    await using redis = await RedisServer.start();
    await withTwo(lossIsSaid, { ...ENABLED, CACHE_TYPE: "redis", REDIS_URL: redis.url() });
  },
});

/** Resolves when both workers have begun to hand over, and what `finished` waits for: when they have ended. */
async function recycleAll(sluice: Sluice): Promise<{ readonly finished: () => Promise<unknown> }> {
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "TOOL_TIMEOUT=20\n");
  Deno.kill(sluice.pid, "SIGHUP");
  const count = (wanted: string) => sluice.log().filter(({ event }) => event === wanted).length;
  await waitFor(() => count("recycling worker") > 0, { what: "a worker to be recycled" });
  return {
    finished: () =>
      waitFor(() => count("worker recycled") === 2, {
        what: "both workers to be recycled",
      }),
  };
}

Deno.test("A session whose worker is recycled hears once that its process has ended with the worker", async () => {
  await using sluice = await Sluice.start({ env: { ...ENABLED, LOG_LEVEL: "INFO" } });
  const token = await sluice.token();
  await registerCounter(sluice);
  const used = await openSessions(sluice, token, 6);
  const countAll = () => Promise.all(used.map((id) => count(sluice, token, id)));
  assertEquals(await countAll(), used.map(() => "1"));
  await (await recycleAll(sluice)).finished();
  assertEquals(await countAll(), used.map(() => "UPSTREAM_STATE_LOST"));
  assertEquals(await countAll(), used.map(() => "1"));
});

Deno.test("A caller without a session whose worker is recycled hears once that its process has ended, and those who share one do not", async () => {
  await using sluice = await Sluice.start({ env: { ...ENABLED, LOG_LEVEL: "INFO" } });
  const token = await sluice.token();
  await registerCounter(sluice);
  await registerCounter(sluice, { name: "common", isolation: "shared" });
  const countBoth = () =>
    Promise.all(["counter", "common"].map(async (upstream) => {
      const { body } = await sluice.rpc("tools/call", { name: `${upstream}-increment` }, token);
      return body.error?.data.code ?? body.result.content[0].text;
    }));
  assertEquals([await countBoth(), await countBoth()], [["1", "1"], ["2", "2"]]);
  await (await recycleAll(sluice)).finished();
  assertEquals([await countBoth(), await countBoth()], [["UPSTREAM_STATE_LOST", "1"], ["1", "2"]]);
});

Deno.test("A session that is handed over while its process starts hears of that one's end, too", async () => {
  await using sluice = await Sluice.start({ env: { ...ENABLED, LOG_LEVEL: "INFO" } });
  const token = await sluice.token();
  const mark = `mark-${crypto.randomUUID()}`;
  await registerCounter(sluice, counterLaunch(mark, "slow"));
  await waitFor(() => processesWith(mark).length === 0, { what: "the process of the registration to end" });
  const id = await openSession(sluice, { token });
  const starting = count(sluice, token, id);
  await waitFor(() => processesWith(mark).length === 1, { what: "the session's process to be started" });
  const { finished } = await recycleAll(sluice);
  assertEquals(await starting, "1");
  await finished();
  assertEquals([await count(sluice, token, id), await count(sluice, token, id)], [
    "UPSTREAM_STATE_LOST",
    "1",
  ]);
});
