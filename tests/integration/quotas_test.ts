// Quotas from outside: set by REST, counted over all workers and replicas, and answered as each kind of client can take it.
import { assert, assertEquals } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { MCP_TRANSPORTS } from "../support/mcp_transports.ts";
import { metric } from "../support/metric.ts";
import { waitFor } from "../support/wait_for.ts";

const GET = toolCall("counter-get");
/** Long enough not to end within a test. */
const DAYS = 10 * 86_400;

interface Told {
  readonly operation: string;
  readonly changes: { readonly calls?: { readonly before: unknown; readonly after: unknown } };
}

gatewayTest(
  "Quotas are exact over all workers and replicas, and every client is told for how long",
  async (start, t) => {
    await using upstream = CounterUpstream.start({ jsonReplies: true });
    await using gateway = await start({
      QUOTA_TOOL: `bytes=1000000,window=${DAYS}`,
      AUDIT_TRAIL_ENABLED: "true",
    });
    await gateway.registerUpstream("counter", upstream.url);
    const userOf = (username: string) => gateway.token({ username, admin: false });
    const set = async (quota: Record<string, unknown>) => {
      const { status, body } = await gateway.api("POST", "/quotas", { window: DAYS, ...quota });
      assertEquals([status, body.created_by], [201, "admin@example.com"]);
      return body;
    };
    const callAs = (token: string, amount: number, path = "/rpc") =>
      Promise.all(Array.from({ length: amount }, () => post(gateway, GET, { token, path })));
    const served = (answers: Awaited<ReturnType<typeof callAs>>) =>
      answers.filter(({ body }) => body.result !== undefined).length;
    const knownToAll = async (token: string, limit: string | null) => {
      await waitFor(async () => {
        const asked = Array.from({ length: 12 }, async () => {
          const response = await fetch(`${gateway.url}/tools`, {
            headers: { authorization: `Bearer ${token}` },
          });
          await response.body?.cancel();
          return response.headers.get("ratelimit-limit") === limit;
        });
        return (await Promise.all(asked)).every((isKnown) => isKnown);
      }, { what: `the limit ${limit} in every worker` });
    };

    const ann = await userOf("ann@x.org");
    const quota = await set({ kind: "user", target: "Ann@x.org", calls: 40 });
    assertEquals(quota.target, "ann@x.org");
    await knownToAll(ann, "40");
    await t.step("parallel calls over every worker: as many as the quota has, no more", async () => {
      const answers = await callAs(ann, 70);
      assertEquals(served(answers), 40);
      const { status, body: { error } } = answers.find(({ body }) => body.error !== undefined)!;
      assertEquals([status, error.code, error.data.code], [429, -31436, "QUOTA_EXCEEDED"]);
      assert(error.data.retryAfter > 0 && error.data.retryAfter <= DAYS, String(error.data.retryAfter));
      assertEquals(served(await callAs(await userOf("ann@x.org"), 4)), 0);
      assertEquals(served(await callAs(await userOf("bob@x.org"), 4)), 4);
    });
    await t.step("429 with its headers outside a session, HTTP 200 inside one", async () => {
      const response = await fetch(`${gateway.url}/rpc`, {
        method: "POST",
        headers: { authorization: `Bearer ${ann}`, "content-type": "application/json" },
        body: JSON.stringify(GET),
      });
      await response.body?.cancel();
      const { headers } = response;
      const left = headers.get("ratelimit-reset")!;
      assertEquals(headers.get("ratelimit-remaining"), "0");
      assertEquals(headers.get("ratelimit-policy"), `"user";q=40;w=${DAYS}`);
      assertEquals(headers.get("ratelimit"), `"user";r=0;t=${left}`);
      assert(Math.abs(Number(headers.get("retry-after")) - Number(left)) <= 1);
      const session = await openSession(gateway, { token: ann });
      const { status, body } = await post(gateway, GET, { token: ann, headers: inSession(session) });
      assertEquals([status, body.error.data.code, body.id], [200, "QUOTA_EXCEEDED", 1]);
      assert(body.error.data.retryAfter > 0);
      const client = Deno.createHttpClient({});
      for (
        const transport of MCP_TRANSPORTS.filter(({ name }) => /^(SSE|WebSocket)/.test(name))
      ) {
        const address = { url: gateway.url, token: ann, serverId: null, client };
        const connection = await transport.connect(address);
        if ("status" in connection) throw new Error(`${transport.name} was answered ${connection.status}`);
        const asked = await connection.ask("tools/call", GET.params);
        assertEquals([transport.name, asked.status, asked.body.error?.data.code], [
          transport.name,
          200,
          "QUOTA_EXCEEDED",
        ]);
        await connection[Symbol.asyncDispose]();
      }
      client.close();
      const batch = await post(gateway, [GET, GET], { token: ann, path: "/rpc" });
      assertEquals([batch.status, batch.body.length], [200, 2]);
      // What asks no upstream is not counted.
      assertEquals((await gateway.api("GET", "/tools", undefined, ann)).status, 200);
    });
    await t.step("a change counts at once in all workers, and so does the end of a quota", async () => {
      assertEquals((await gateway.api("PUT", `/quotas/${quota.id}`, { calls: 42 })).status, 200);
      await knownToAll(ann, "42");
      assertEquals(served(await callAs(ann, 6)), 2);
      assertEquals((await gateway.api("DELETE", `/quotas/${quota.id}`)).status, 204);
      await knownToAll(ann, null);
      assertEquals(served(await callAs(ann, 4)), 4);
    });
    await t.step("time of upstreams, of a token", async () => {
      const holder = await gateway.token({ username: "eve@x.org", admin: false });
      const { jti } = JSON.parse(atob(holder.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")));
      await set({ kind: "token", target: jti, seconds: 1, calls: 500 });
      await knownToAll(holder, "500");
      const hold = toolCall("counter-hold", { ms: 1_050 });
      assertEquals((await post(gateway, hold, { token: holder, path: "/rpc" })).status, 200);
      const { body } = await waitFor(async () => {
        const answer = await post(gateway, GET, { token: holder, path: "/rpc" });
        return answer.status === 429 ? answer : null;
      }, { what: "the time to be counted" });
      assert(body.error.message.includes("1 seconds in"), body.error.message);
      assert(!body.error.message.includes(jti), body.error.message);
      assertEquals(served(await callAs(await userOf("eve@x.org"), 1)), 1);
    });
    await t.step("a tool by its name, for all callers together", async () => {
      const { target } = await set({ kind: "tool", target: "counter-get", bytes: 0 });
      assert(/^[0-9a-f]{32}$/.test(target), target);
      const { status, body } = await waitFor(async () => {
        const answers = await callAs(await userOf("zoe@x.org"), 6, "/mcp");
        return served(answers) === 0 ? answers[0] : null;
      }, { what: "the quota in every worker" });
      assertEquals([status, body.error.data.code], [200, "QUOTA_EXCEEDED"]);
    });
    await t.step("mistakes are refused, each with its field", async () => {
      const refused = async (quota: unknown) => {
        const { status, body } = await gateway.api("POST", "/quotas", quota);
        return [
          status,
          ...(Array.isArray(body.detail) ? body.detail.map(({ loc }: { loc: string[] }) => loc.at(-1)) : []),
        ];
      };
      assertEquals(await refused({ kind: "user", target: "*", calls: 1 }), [422, "window"]);
      assertEquals(await refused({ kind: "user", target: "*", window: 1 }), [422, "body"]);
      assertEquals(await refused({ kind: "tool", target: "nothing", calls: 1, window: 1 }), [422, "target"]);
      assertEquals(await refused({ kind: "ip", target: "*", calls: -1, window: 1 }), [422, "kind", "calls"]);
      assertEquals(await refused({ kind: "tool", target: "counter-get", calls: 1, window: 1 }), [409]);
    });
    await t.step("metrics and the audit trail", async () => {
      assert(await metric(gateway, "sluice_quota_refusals_total", 'kind="user",unit="calls"') >= 30);
      assert(await metric(gateway, "sluice_quota_counters") >= 3);
      assertEquals(await metric(gateway, "sluice_quota_calls_counted_alone_total"), 0);
      const { body } = await gateway.api("GET", `/audit?entity_id=${quota.id}`);
      const told = (body.records as Told[]).map(({ operation, changes: { calls } }) => [
        operation,
        calls?.before,
        calls?.after,
      ]);
      assertEquals(told, [["deleteQuota", 42, null], ["updateQuota", 40, 42], ["createQuota", null, 40]]);
    });
  },
);
