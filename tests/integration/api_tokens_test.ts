// API tokens from outside: made by users, narrowed, changed and revoked, on every way in and at every worker and replica.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { INITIALIZE, inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { runCli } from "../support/cli.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const PASSWORD = "correct horse battery";
const USERS = "/auth/email/admin/users";
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };
const CALL = toolCall("counter-get");

/** Over connections of their own, so that every worker gets some of them. @returns the distinct statuses and codes */
async function outcomes(gateway: Gateway, token: string): Promise<string[]> {
  const answers = await Promise.all(
    Array.from({ length: 6 * gateway.workers }, () => post(gateway, LIST, { path: "/rpc", token })),
  );
  return [...new Set(answers.map(({ status, body }) => `${status} ${body.error?.data.code ?? "ok"}`))];
}

/** Of another replica after a moment, of this one at once. */
async function comeTo(gateway: Gateway, token: string, outcome: string): Promise<void> {
  await waitFor(async () => (await outcomes(gateway, token)).join() === outcome, {
    what: `${outcome} at every worker`,
  });
}

async function login(gateway: Gateway, email: string): Promise<string> {
  await gateway.api("POST", USERS, { email, password: PASSWORD });
  return (await gateway.api("POST", "/auth/login", { email, password: PASSWORD }, null)).body.access_token;
}

gatewayTest(
  "API tokens: made, changed and revoked by their owner, narrowed on every way in",
  async (start, t, on) => {
    await using upstream = CounterUpstream.start({ jsonReplies: true });
    await using gateway = await start({
      FAILED_LOGIN_MIN_RESPONSE_MS: "0",
      AUDIT_TRAIL_ENABLED: "true",
      TRUSTED_PROXY_NETWORKS: "192.0.2.1",
    });
    await gateway.registerUpstream("counter", upstream.url);
    const ada = await login(gateway, "ada@x.org");
    await gateway.api("PATCH", `${USERS}/ada@x.org`, { is_admin: true });
    const ann = await login(gateway, "ann@x.org");
    const { body: team } = await gateway.api("POST", "/teams", { name: "crew" });
    await gateway.api("POST", `/teams/${team.id}/members`, { email: "ann@x.org", role: "owner" });
    const { body: [tool] } = await gateway.api("GET", "/tools");
    for (const id of ["one", "two"]) {
      const server = { id, name: id, associated_tools: [tool.id] };
      assertEquals((await gateway.api("POST", "/servers", { server })).status, 201);
    }
    let number = 0;
    const make = async (scope: Record<string, unknown> = {}, by = ann) => {
      const body = { name: `n${number++}`, expires_in_days: 1, team_id: team.id, scope };
      const answer = await gateway.api("POST", "/tokens", body, by);
      assertEquals(answer.status, 201, JSON.stringify(answer.body));
      return { id: answer.body.token.id as string, token: answer.body.access_token as string };
    };
    const put = async (id: string, body: unknown) => {
      assertEquals((await gateway.api("PUT", `/tokens/${id}`, body, ann)).status, 200);
    };

    await t.step("switched off and on, narrowed and revoked, at every worker", async () => {
      const { id, token } = await make();
      await comeTo(gateway, token, "200 ok");
      const session = await openSession(gateway, { token });
      const headers = {
        authorization: `Bearer ${token}`,
        accept: "text/event-stream",
        ...inSession(session),
      };
      const stream = await fetch(`${gateway.url}/mcp`, { headers });
      assertEquals(stream.status, 200);
      const ended = stream.body!.pipeTo(new WritableStream());
      await put(id, { is_active: false });
      if (on === "one process") assertEquals(await outcomes(gateway, token), ["401 UNAUTHENTICATED"]);
      await comeTo(gateway, token, "401 UNAUTHENTICATED");
      await ended;
      const { body } = await post(gateway, LIST, { path: "/rpc", token });
      assertStringIncludes(body.error.message, "the API token is switched off");
      await put(id, { is_active: true });
      await comeTo(gateway, token, "200 ok");
      await put(id, { scope: { permissions: ["prompts.read"] } });
      await comeTo(gateway, token, "200 FORBIDDEN");
      assertEquals((await gateway.api("DELETE", `/tokens/${id}`, { reason: "over" }, ann)).status, 204);
      await comeTo(gateway, token, "401 UNAUTHENTICATED");
      assertStringIncludes(
        (await post(gateway, LIST, { path: "/rpc", token })).body.error.message,
        "was revoked (over)",
      );
    });

    await t.step("one server and one permission, over REST, /rpc, /mcp, SSE and WebSocket", async () => {
      const { token } = await make({ server_id: "one", permissions: ["tools.read"] });
      const status = async (path: string, method = "GET") => {
        const response = await fetch(gateway.url + path, {
          method,
          headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
        });
        await response.body?.cancel();
        return response.status;
      };
      assertEquals([await status("/tools"), await status("/servers/one/tools")], [403, 403]);
      assertEquals(
        [await status("/sse"), await status("/servers/one/sse"), await status("/servers/two/sse")],
        [
          ...[200, 200, 403],
        ],
      );
      for (
        const [path, answered] of [["/rpc", "ok"], ["/servers/one/mcp", "ok"], ["/servers/two/mcp", 403]]
      ) {
        const isRpc = path === "/rpc";
        const session = isRpc || answered !== "ok"
          ? null
          : await openSession(gateway, { token, path: `${path}` });
        const options = { token, path: `${path}`, headers: session === null ? {} : inSession(session) };
        const listed = await post(gateway, isRpc || session !== null ? LIST : INITIALIZE, options);
        assertEquals([path, listed.body.error === undefined ? "ok" : listed.status], [path, answered]);
        if (answered !== "ok") continue;
        assertEquals(listed.body.result.tools.length, 1);
        const called = await post(gateway, CALL, options);
        assertEquals([path, called.body.error?.data.code], [path, "FORBIDDEN"]);
        assertStringIncludes(called.body.error.message, "the token does not include tools.execute");
      }
      using socket = await RawWebSocket.open(gateway.port, { token, path: "/servers/one/ws" });
      assertEquals(socket.status, 101);
      await socket.say(JSON.stringify(INITIALIZE));
      await socket.nextMessage();
      await socket.say(JSON.stringify(CALL));
      assertEquals((await socket.nextMessage()).error.data.code, "FORBIDDEN");
      using other = await RawWebSocket.open(gateway.port, { token, path: "/servers/two/ws" });
      assertEquals(other.status, 403);
    });

    await t.step(
      "addresses and hours: 403 outside of a session, a JSON-RPC error with HTTP 200 inside",
      async () => {
        const { id, token } = await make({ ip_restrictions: ["0.0.0.0/0", "::/0"] });
        const session = await openSession(gateway, { token });
        const options = { token, headers: inSession(session) };
        assertEquals((await post(gateway, CALL, options)).status, 200);
        await put(id, { scope: { ip_restrictions: ["203.0.113.0/24"] } });
        await comeTo(gateway, token, "403 TOKEN_RESTRICTED");
        const refused = await post(gateway, CALL, options);
        assertEquals([refused.status, refused.body.id, refused.body.error.data.code], [
          ...[200, CALL.id, "TOKEN_RESTRICTED"],
        ]);
        assertStringIncludes(refused.body.error.message, "ip_restrictions do not contain this address");
        const forged = await post(gateway, LIST, {
          token,
          path: "/rpc",
          headers: {
            "x-forwarded-for": "203.0.113.7",
            "x-real-ip": "203.0.113.7",
            forwarded: "for=203.0.113.7",
          },
        });
        assertEquals(forged.status, 403);
        const rest = await gateway.api("GET", "/tools", undefined, token);
        assertEquals([rest.status, rest.body.code], [403, "TOKEN_RESTRICTED"]);
        const never = new Date(Date.now() + 3 * 86_400_000).toLocaleDateString("en", {
          weekday: "long",
          timeZone: "UTC",
        });
        await put(id, { scope: { time_restrictions: { days: [never] } } });
        await waitFor(async () => {
          const { body } = await post(gateway, LIST, { token, path: "/rpc" });
          return body.error.message.includes(`only on ${never} (UTC)`);
        }, { what: "the refusal at this time of the week" });
      },
    );

    await t.step("a limit of requests holds over all workers and replicas, in batches too", async () => {
      const { id, token } = await make({ usage_limits: { requests_per_day: 8 } });
      const many = async (amount: number, of = token) =>
        await Promise.all(
          Array.from({ length: amount }, () => post(gateway, LIST, { token: of, path: "/rpc" })),
        );
      const answers = await many(20);
      assertEquals(answers.filter(({ status }) => status === 200).length, 8);
      const { status, body } = answers.find((answer) => answer.status !== 200)!;
      assertEquals([status, body.error.data.code], [429, "TOKEN_LIMIT_REACHED"]);
      assertStringIncludes(body.error.message, "8 requests in a day (UTC); retry in ");
      // Far from the limit, too, when all workers begin at once.
      const wide = await make({ usage_limits: { requests_per_day: 60 } });
      const burst = await many(150, wide.token);
      const allowed = burst.filter((answer) => answer.status === 200).length;
      assert(allowed <= 60 && allowed > 40, `${allowed}`);
      const other = await make({ usage_limits: { requests_total: 4 } });
      const batch = Array.from({ length: 4 }, (_, i) => ({ ...LIST, id: i }));
      const one = await post(gateway, batch, { token: other.token, path: "/rpc" });
      assertEquals([one.status, one.body.length], [200, 4]);
      // Other workers learn of the messages of a batch a moment later.
      await comeTo(gateway, other.token, "403 TOKEN_RESTRICTED");
      await waitFor(async () => {
        const { body } = await gateway.api("GET", `/tokens/${id}/usage`, undefined, ann);
        const { total_requests, blocked_requests, successful_requests, top_endpoints, addresses } = body;
        if (total_requests !== 20) return false;
        assertEquals([blocked_requests, successful_requests, top_endpoints], [12, 8, [["rpc", 20]]]);
        assert(addresses.length >= 1 && body.last_used !== null);
        return true;
      }, { what: "the use of the token in the database" });
    });

    await t.step("a WebSocket counts each message", async () => {
      const { token } = await make({ usage_limits: { requests_total: 3 } });
      using socket = await RawWebSocket.open(gateway.port, { token });
      await socket.say(JSON.stringify(INITIALIZE));
      assertEquals((await socket.nextMessage()).error, undefined);
      await socket.say(JSON.stringify(LIST));
      assertEquals((await socket.nextMessage()).error, undefined);
      await socket.say(JSON.stringify(LIST));
      assertEquals((await socket.nextMessage()).error.data.code, "TOKEN_RESTRICTED");
    });

    await t.step("the owner's end is the token's, and administrators see who did what", async () => {
      const { id, token } = await make({});
      await comeTo(gateway, token, "200 ok");
      const admins = await make({ permissions: ["*"] }, ada);
      assertEquals((await gateway.api("GET", "/tokens", undefined, admins.token)).status, 403);
      await gateway.api("PATCH", `${USERS}/ann@x.org`, { is_active: false });
      await comeTo(gateway, token, "401 UNAUTHENTICATED");
      const { body: { records } } = await gateway.api("GET", `/audit?entity_id=${id}`);
      const [created] = records;
      assertEquals([created.operation, created.actor.email], ["createToken", "ann@x.org"]);
      assert(!JSON.stringify(records).includes(token));
      assert(!JSON.stringify(gateway.log()).includes(token));
    });
  },
);

Deno.test("`sluice token create` and `list` make and show a user's tokens, which a running gateway takes and refuses at once", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    const env = { JWT_SECRET_KEY: "", AUDIT_TRAIL_ENABLED: "true" };
    await using sluice = await Sluice.start({ cwd, env });
    const run = (...args: string[]) => runCli(["token", ...args], { cwd, env });
    assertEquals((await runCli(["user", "add", "ann@x.org"], { cwd, env })).code, 0);
    const made = await run("create", "--user", "ann@x.org", "--permission", "tools.read", "--expires", "1");
    assertEquals([made.code, made.err], [0, ""]);
    const token = made.out.trim();
    await waitFor(async () => (await outcomes(sluice, token)).join() === "200 ok", { what: "the new token" });
    const [listed] = JSON.parse((await run("list", "--user", "ann@x.org", "--json")).out);
    assertEquals([listed.user_email, listed.resource_scopes], ["ann@x.org", ["tools.read"]]);
    assert((await run("list")).out.startsWith(`${listed.id}  ann@x.org  "made at `));
    const rows: [args: string[], code: number, words: string][] = [
      [["--user", "nobody@x.org"], 2, "no user has the address nobody@x.org"],
      [["--expires", "1"], 2, "--user is missing"],
      [["--user", "ann@x.org"], 1, "REQUIRE_TOKEN_EXPIRATION"],
      [["--user", "ann@x.org", "--expires", "1", "--permission", "admin.metrics"], 1, "cannot grant"],
      [["--user", "ann@x.org", "--expires", "1", "--ip", "here"], 2, '--ip has "here", which is no IP'],
      [
        ["--user", "ann@x.org", "--expires", "1", "--server", "none"],
        2,
        "--server must be the id of a virtual server",
      ],
      [
        ["--user", "ann@x.org", "--expires", "1", "--permission", "no"],
        2,
        "--permission must be a permission",
      ],
    ];
    for (const [args, code, words] of rows) {
      const { code: got, err } = await run("create", ...args);
      assertEquals([args, got === 0, err.includes(words)], [args, false, true], err);
      if (code === 2) assertEquals([args, got], [args, 2]);
    }
    assertEquals((await run("revoke", listed.id, "--reason", "over")).code, 0);
    await comeTo(sluice, token, "401 UNAUTHENTICATED");
    const all = JSON.parse((await run("list", "--all", "--json")).out);
    assertEquals([all.length, all[0].is_revoked, all[0].revocation_reason], [1, true, "over"]);
    const admin = (await run("--admin")).out.trim();
    const { body } = await sluice.api("GET", `/audit?entity_id=${listed.id}`, undefined, admin);
    assertEquals(body.records.map(({ operation }: { operation: string }) => operation).toSorted(), [
      ...["createToken", "revokeToken"],
    ]);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
