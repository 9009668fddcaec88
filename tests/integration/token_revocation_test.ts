// A revoked token: refused by every worker at once, by other replicas within their bound, its open streams ended.
import { assertEquals } from "@std/assert";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { assertWithin } from "../support/pace.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RedisServer } from "../support/redis.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

/** Over connections of their own: every worker gets some of them. @returns the distinct HTTP statuses */
async function statuses(sluice: Gateway, token: string): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: 6 * sluice.workers }, () => post(sluice, LIST, { path: "/rpc", token })),
  );
  return [...new Set(answers.map(({ status }) => status))];
}

interface Stream {
  isOpen: boolean;
  /** Resolves when the gateway has ended it. */
  readonly ended: Promise<void>;
}

async function openStream(sluice: Gateway, init: RequestInit): Promise<Stream> {
  const response = await fetch(`${sluice.url}/mcp`, init);
  assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
  const read = async () => {
    for await (const _ of response.body!);
    stream.isOpen = false;
  };
  const stream: Stream = { isOpen: true, ended: Promise.resolve().then(read) };
  return stream;
}

async function listen(sluice: Gateway, token: string): Promise<Stream> {
  const id = await openSession(sluice, { token });
  const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream", ...inSession(id) };
  return await openStream(sluice, { headers });
}

/** `subscriptions/listen` of revision 2026-07-28. */
function subscribe(sluice: Gateway, token: string): Promise<Stream> {
  const body = {
    jsonrpc: "2.0",
    id: 1,
    method: "subscriptions/listen",
    params: {
      notifications: { toolsListChanged: true },
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  };
  return openStream(sluice, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "subscriptions/listen",
    },
    body: JSON.stringify(body),
  });
}

/** `sluice token revoke`, where the gateway runs. */
async function revoke(
  sluice: Sluice,
  args: readonly string[],
  { env = {}, input = "" }: { env?: Readonly<Record<string, string>>; input?: string } = {},
): Promise<{ code: number; out: string; err: string }> {
  const root = new URL("../../", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--config",
      `${root}deno.json`,
      `${root}src/main.ts`,
      "token",
      "revoke",
      ...args,
    ],
    cwd: sluice.cwd,
    env: { NO_COLOR: "1", JWT_SECRET_KEY: sluice.secret, ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

gatewayTest("A token that REST revokes is refused at once, and its streams end", async (start) => {
  await using sluice = await start({ WORKERS: "3" });
  const token = await sluice.token({ claims: { jti: "to-go" } });
  const kept = await sluice.token({ claims: { jti: "to-stay" } });
  // Every worker has verified both, and keeps them in its cache.
  for (const each of [token, kept]) assertEquals(await statuses(sluice, each), [200]);
  const sessionId = await openSession(sluice, { token });
  const ending = [await listen(sluice, token), await listen(sluice, token), await subscribe(sluice, token)];
  const staying = await listen(sluice, kept);

  const answer = await sluice.api("DELETE", "/tokens/to-go", { reason: "lost" });
  assertEquals([answer.status, answer.body], [204, null]);
  assertEquals(await statuses(sluice, token), [401]);
  const inItsSession = await post(sluice, toolCall("any"), { token, headers: inSession(sessionId) });
  assertEquals([inItsSession.status, inItsSession.body.error.data.code], [401, "UNAUTHENTICATED"]);
  await waitFor(() => ending.every(({ isOpen }) => !isOpen), { what: "its streams to end" });
  assertEquals([staying.isOpen, await statuses(sluice, kept)], [true, [200]]);

  const { body } = await sluice.api("GET", "/tokens/revoked");
  assertEquals([body.length, body[0].jti, body[0].revocationReason], [1, "to-go", "lost"]);
  assertEquals(
    (await sluice.api(
      "DELETE",
      "/tokens/x",
      undefined,
      await sluice.token({ admin: false, username: "a@b.c" }),
    )).status,
    403,
  );
  assertEquals((await sluice.api("DELETE", "/tokens/to-stay")).status, 204);
  await staying.ended;
});

Deno.test("A token that `sluice token revoke` revokes is refused within POLL_INTERVAL, and after a restart", async () => {
  const env = { POLL_INTERVAL: "0.2", MAX_INTERVAL: "0.4", JWT_SECRET_KEY: crypto.randomUUID().repeat(2) };
  const cwd = await Deno.makeTempDir({ prefix: "sluice_revoke_" });
  try {
    let token: string;
    {
      await using sluice = await Sluice.start({ cwd, env });
      token = await sluice.token();
      const other = await sluice.token({ claims: { jti: "by-id" } });
      for (const each of [token, other]) assertEquals(await statuses(sluice, each), [200]);

      const done = await revoke(sluice, ["-"], { input: `${token}\n` });
      assertEquals([done.code, done.out.startsWith("revoked "), done.err], [0, true, ""]);
      assertEquals(done.out.includes(token), false);
      await waitFor(async () => (await statuses(sluice, token)).every((status) => status === 401), {
        what: "the token to be refused",
      });
      assertEquals((await revoke(sluice, ["by-id", "--reason", "left"])).out, "revoked by-id\n");
      await waitFor(async () => (await statuses(sluice, other)).every((status) => status === 401), {
        what: "the token to be refused by its id",
      });
      const { body } = await sluice.api("GET", "/tokens/revoked");
      const [first, second] = body;
      assertEquals([first.expiresAt !== null, second.expiresAt, second.revocationReason], [
        true,
        null,
        "left",
      ]);

      const expired = await sluice.token({ expiresInSeconds: -5 });
      const foreign = await revoke(sluice, [token], { env: { JWT_SECRET_KEY: "another".repeat(8) } });
      for (
        const [{ code, err }, text] of [
          [await revoke(sluice, [expired]), "has expired already"],
          [foreign, "the signature of the token is wrong"],
        ] as const
      ) {
        assertEquals([code, err.includes(text), err.includes(token)], [2, true, false]);
      }
    }
    await using again = await Sluice.start({ cwd, env });
    assertEquals(await statuses(again, token), [401]);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test({
  name:
    "A token that is revoked at one replica, or by the command, is refused at another within 250 ms, over Redis (timed)",
  ignore: canLeaveOut("redis-server"),
  fn: async () => {
    await using server = await RedisServer.start();
    const cwd = await Deno.makeTempDir({ prefix: "sluice_revoke_" });
    const env = {
      CACHE_TYPE: "redis",
      REDIS_URL: server.url(),
      // So seldom that only Redis can tell.
      POLL_INTERVAL: "3600",
      MAX_INTERVAL: "3600",
      JWT_SECRET_KEY: crypto.randomUUID().repeat(2),
    };
    try {
      await using one = await Sluice.start({ cwd, env });
      await using other = await Sluice.start({ cwd, env });
      const took: number[] = [];
      for (let i = 0; i < 5; i++) {
        const token = await other.token({ claims: { jti: `t${i}` } });
        assertEquals(await statuses(other, token), [200]);
        const stream = await listen(other, token);
        assertEquals((await one.api("DELETE", `/tokens/t${i}`)).status, 204);
        const from = performance.now();
        await waitFor(async () => (await statuses(other, token)).every((status) => status === 401), {
          what: "the other replica to refuse it",
          everyMs: 2,
        });
        await stream.ended;
        took.push(performance.now() - from);
      }
      // The median: a busy machine is late now and then; each look takes a dozen requests itself.
      await assertWithin(took.sort((a, b) => a - b)[2]!, 250, `The refusal (${took.map(Math.round)} ms)`);

      const token = await one.token();
      for (const replica of [one, other]) assertEquals(await statuses(replica, token), [200]);
      const { code, err } = await revoke(one, [token], { env });
      assertEquals([code, err], [0, ""]);
      for (const replica of [one, other]) {
        await waitFor(async () => (await statuses(replica, token)).every((status) => status === 401), {
          what: "the replica to hear of the command",
        });
      }
    } finally {
      await Deno.remove(cwd, { recursive: true });
    }
  },
});
