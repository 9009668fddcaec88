// The audit trail: one chain of all workers and replicas, without secrets, which a crash does not shorten and a forger does not change.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { CHANGE_NOTHING } from "../../src/admin/audited_writes.ts";
import { chainHash, FIRST_HASH } from "../../src/store/audit/audit_record.ts";
import { BEHIND_MS } from "../../src/store/audit/audit_trail.ts";
import { runCli } from "../support/cli.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { freePort } from "../support/free_port.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { INITIALIZE, inSession, openSession, post, type PostOptions, toolCall } from "../support/mcp_post.ts";
import { assertWithin } from "../support/pace.ts";
import { RawWebSocket } from "../support/raw_websocket.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const PASSWORD = "correct horse battery";

/** Clients that nobody has signed in for ask these. Who allowed and disconnected a client is recorded where a person decides. */
const ASKED_BY_CLIENTS = ["issueTokens", "registerOAuthClient", "beginDeviceLogin", "revokeOAuthToken"];
const SECRETS = [PASSWORD, "staple of the stable", "hunter2-old", "hunter2-new", "wrong-password"];
const ON = { AUDIT_TRAIL_ENABLED: "true" };
const GET = toolCall("counter-get");
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

// deno-lint-ignore no-explicit-any -- JSON of the API
type Json = any;

async function readTrail(gateway: Gateway, query = ""): Promise<Json[]> {
  const { status, body } = await gateway.api("GET", `/audit?limit=1000${query}`);
  assertEquals(status, 200);
  return body.records;
}

/** Checks the hashes of all records from the API alone. */
function assertChain(newestFirst: readonly Json[]): void {
  let previous = FIRST_HASH;
  newestFirst.toReversed().forEach(({ sequence, hash, ...record }, i) => {
    assertEquals(sequence, i + 1);
    assertEquals(hash, chainHash(sequence, previous, JSON.stringify(record)));
    previous = hash;
  });
}

gatewayTest(
  "The audit trail of all workers is one chain: who changed what, and who was refused",
  async (start) => {
    await using upstream = CounterUpstream.start();
    upstream.requireBearer("hunter2-old");
    await using gateway = await start({ ...ON, FAILED_LOGIN_MIN_RESPONSE_MS: "0" });
    const created = await Promise.all(
      Array.from({ length: 12 }, (_, i) => gateway.api("POST", "/servers", { server: { name: `s${i}` } })),
    );
    assertEquals([...new Set(created.map(({ status }) => status))], [201]);

    const credentials = { auth_type: "bearer", auth_token: "hunter2-old" };
    const { id } = await gateway.registerUpstream("counter", upstream.url, credentials);
    upstream.requireBearer("hunter2-new");
    const changed = { description: "changed", auth_type: "bearer", auth_token: "hunter2-new" };
    assertEquals((await gateway.api("PUT", `/gateways/${id}`, changed)).status, 200);
    assertEquals((await gateway.api("POST", `/gateways/${id}/state?activate=false`)).status, 200);
    assertEquals((await gateway.api("PUT", `/gateways/${id}`, { transport: 7 })).status, 422);
    const user = { email: "bob@x.org", password: PASSWORD };
    assertEquals((await gateway.api("POST", "/auth/email/admin/users", user)).status, 201);
    const login = (password: string) =>
      gateway.api("POST", "/auth/login", { email: "bob@x.org", password }, null);
    assertEquals([(await login("wrong-password")).status, (await login(PASSWORD)).status], [401, 200]);
    const alice = await gateway.token({ username: "alice@x.org", admin: false });
    assertEquals((await gateway.api("DELETE", `/gateways/${id}`, undefined, alice)).status, 403);
    assertEquals((await gateway.api("GET", "/audit", undefined, alice)).status, 403);
    for (let i = 0; i < 6; i++) {
      assertEquals(
        (await post(gateway, LIST, { path: "/rpc", token: "no" })).status,
        401,
      );
    }

    const counted = (records: readonly Json[], match: (record: Json) => boolean) =>
      records.filter(match).reduce((sum, { count }) => sum + count, 0);
    const records = await waitFor(async () => {
      const records = await readTrail(gateway);
      const isComplete = counted(records, ({ endpoint }) => endpoint === "rpc") === 6 &&
        counted(records, ({ outcome }) => outcome !== "done") === 10;
      return isComplete ? records : null;
    }, { what: "the refusals to be written" });
    assertChain(records);
    // A cluster's tests make servers of their own, to see that all replicas have a change.
    const named = records.filter(({ operation }) => operation === "createServer").map(({ entity }) =>
      entity.id
    )
      .filter((id) => !id.startsWith("mark-"));
    assertEquals(named.toSorted(), created.map(({ body }) => body.id).toSorted());

    const find = (operation: string, outcome = "done"): Json =>
      records.find((each) => each.operation === operation && each.outcome === outcome);
    const update = find("updateGateway");
    assertEquals(update.entity, { kind: "gateway", id });
    assertEquals(update.fields.toSorted(), ["auth_token", "auth_type", "description"]);
    assertEquals(update.changes.description, { before: null, after: "changed" });
    assertEquals([update.permission, update.status, update.address], ["gateways.update", 200, "127.0.0.1"]);
    assert(update.actor.email !== "" && update.actor.tokenId !== null);
    assertEquals(find("switchGateway").changes.enabled, { before: true, after: false });
    const invalid = find("updateGateway", "failed");
    assertEquals([invalid.code, invalid.entity.id, invalid.changes], ["VALIDATION_FAILED", id, {}]);
    assertEquals(find("createUser").entity, { kind: "user", id: "bob@x.org" });
    assertEquals(find("createUser").changes.is_admin, { before: null, after: false });
    assertEquals(find("login", "refused").entity, { kind: "user", id: "bob@x.org" });
    const refused = find("deleteGateway", "refused");
    assertEquals([refused.code, refused.actor.email, refused.entity.id], ["FORBIDDEN", "alice@x.org", id]);
    assertEquals(find("listAuditRecords", "refused").actor.email, "alice@x.org");
    assertEquals((await readTrail(gateway, `&entity_id=${id}`)).length, 5);
    assertEquals((await readTrail(gateway, "&email=alice@x.org")).length, 2);

    const text = JSON.stringify(records);
    for (const secret of SECRETS) assertEquals(text.includes(secret), false, secret);
  },
);

gatewayTest(
  "Calls of tools are recorded as AUDIT_TOOL_CALLS says: by whom, from where, and how they ended",
  async (start) => {
    await using upstream = CounterUpstream.start({ jsonReplies: true });
    await using gateway = await start({
      ...{
        ...ON,
        AUDIT_TOOL_CALLS: "all",
        DISABLE_ACCESS_LOG: "true",
        TRUSTED_PROXY_NETWORKS: "127.0.0.0/8",
      },
    });
    await gateway.registerUpstream("counter", upstream.url);
    const jti = crypto.randomUUID();
    const token = await gateway.token({ username: "eve@x.org", claims: { jti } });
    const weak = await gateway.token({
      username: "weak@x.org",
      claims: { scopes: { permissions: ["tools.read"] } },
    });
    const from = (id: string) => ({ "x-correlation-id": id, "x-forwarded-for": "192.0.2.9" });
    const call = (name: string, id: string, options: PostOptions = {}) =>
      post(gateway, toolCall(name, { ms: 1, pin: "hunter2-old" }), {
        token,
        path: "/rpc",
        ...options,
        headers: { ...from(id), ...options.headers },
      });
    const session = await openSession(gateway, { token });
    await call("counter-get", "by-rpc");
    await call("counter-get", "in-session", { path: "/mcp", headers: inSession(session) });
    await call("nothing", "unknown");
    await call("counter-get", "refused", { token: weak });
    await post(gateway, { ...GET, method: "counter-get", params: {} }, {
      token,
      path: "/rpc",
      headers: from("as-method"),
    });
    await post(gateway, [GET, GET], { token, path: "/rpc", headers: from("batch") });
    {
      using socket = await RawWebSocket.open(gateway.port, { token, headers: from("socket") });
      for (const message of [INITIALIZE, GET]) {
        await socket.say(JSON.stringify(message));
        await socket.nextMessage();
      }
    }
    const records = await waitFor(async () => {
      // A cluster's tests call a tool "none" to see that all replicas have a change.
      const isCall = ({ operation, entity }: Json) => operation === "tools/call" && entity.name !== "none";
      const found = (await readTrail(gateway)).filter(isCall);
      return found.length === 8 ? found : null;
    }, { what: "all calls" });
    assertChain(await readTrail(gateway));
    const find = (id: string): Json => records.find(({ correlationId }) => correlationId === id);
    const called = find("by-rpc");
    assertEquals([called.outcome, called.code, called.endpoint, called.permission], [
      "done",
      null,
      "rpc",
      "tools.execute",
    ]);
    assertEquals([called.actor.subject, called.actor.tokenId], ["eve@x.org", jti]);
    assertEquals([called.fields, called.changes], [["ms", "pin"], {}]);
    assertEquals([called.entity.kind, called.entity.name, called.entity.id.length], [
      "tool",
      "counter-get",
      32,
    ]);
    assertEquals((await readTrail(gateway, `&entity_id=${called.entity.id}`)).length, 7);
    assertEquals([find("in-session").endpoint, find("in-session").outcome], ["mcp", "done"]);
    assertEquals([find("unknown").code, find("unknown").outcome, find("unknown").entity.id], [
      "TOOL_NOT_FOUND",
      "failed",
      "nothing",
    ]);
    assertEquals([find("refused").code, find("refused").outcome], ["FORBIDDEN", "refused"]);
    assertEquals(find("as-method").entity, called.entity);
    assertEquals(records.filter(({ correlationId }) => correlationId === "batch").length, 2);
    const socket = records.find(({ endpoint }) => endpoint === "ws");
    assertEquals(socket.entity, called.entity);
    assertEquals([...new Set(records.map(({ address }) => address))], ["192.0.2.9"]);
    assertEquals(JSON.stringify(records).includes("hunter2"), false);
  },
);

gatewayTest(
  "AUDIT_TOOL_CALLS=failures records failed calls alone; every write of the API leaves a record",
  async (start) => {
    await using upstream = CounterUpstream.start({ jsonReplies: true });
    await using gateway = await start({
      ...ON,
      AUDIT_TOOL_CALLS: "failures",
      FAILED_LOGIN_MIN_RESPONSE_MS: "0",
    });
    await gateway.registerUpstream("counter", upstream.url);
    await post(gateway, GET, { path: "/rpc" });
    const wrong = await post(gateway, toolCall("counter-hold", { ms: "long" }), { path: "/rpc" });
    assertEquals(wrong.body.result.isError, true);
    await post(gateway, toolCall("nothing"), { path: "/rpc" });

    // Every operation that writes, whether its request is valid or not. Single sign-on is off here.
    const { body: document } = await gateway.api("GET", "/openapi.json");
    const writes = Object.entries<Record<string, Json>>(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).filter(([method, { tags }]) =>
        method !== "get" && method !== "parameters" && !tags.includes("MCP")
      )
        .map((
          [method, { operationId }],
        ): [string, string, string] => [method.toUpperCase(), path, operationId])
    ).filter(([, , id]) =>
      !CHANGE_NOTHING.has(id) && id !== "endSsoSession" && !ASKED_BY_CLIENTS.includes(id)
    );
    assert(writes.length > 60, String(writes.length));
    for (const [method, path] of writes) {
      const body = method === "DELETE" ? undefined : {};
      const token = await gateway.token({ claims: { jti: crypto.randomUUID() } });
      await gateway.api(method, path.replaceAll(/\{\w+\}/g, "x"), body, token);
    }
    const isCall = ({ operation }: Json) => operation === "tools/call";
    const records = await waitFor(async () => {
      const records = await readTrail(gateway);
      const recorded = new Set(records.map(({ operation }) => operation));
      const isComplete = writes.every(([, , id]) => recorded.has(id)) && records.filter(isCall).length >= 2;
      return isComplete ? records : null;
    }, { what: "a record of each write, and of two calls" });
    const calls = records.filter(isCall);
    assertEquals(calls.map(({ code, entity }) => [code, entity.name]).toSorted(), [[
      "TOOL_NOT_FOUND",
      "nothing",
    ], [
      "isError",
      "counter-hold",
    ]]);
  },
  { inCluster: false },
);

Deno.test("A killed gateway leaves a whole chain with every answered write and the calls until a second before, and audit verify finds a forged record (timed)", async () => {
  await using upstream = CounterUpstream.start({ jsonReplies: true });
  const cwd = await Deno.makeTempDir({ prefix: "sluice_audit_" });
  try {
    const env = { JWT_SECRET_KEY: "" };
    const answered: string[] = [];
    const calls: { readonly id: string; readonly at: number }[] = [];
    let killedAt = 0;
    {
      await using sluice = await Sluice.start({ cwd, env: { ...env, ...ON, AUDIT_TOOL_CALLS: "all" } });
      const token = (await runCli(["token", "--admin"], { cwd })).out.trim();
      const registered = { name: "counter", url: upstream.url, transport: "STREAMABLEHTTP" };
      assertEquals((await sluice.api("POST", "/gateways", registered, token)).status, 200);
      let isKilled = false;
      const writer = async (name: string) => {
        for (let i = 0; !isKilled; i++) {
          const answer = await sluice.api("POST", "/servers", { server: { name: `${name}-${i}` } }, token)
            .catch(() => null);
          if (answer?.status === 201) answered.push(answer.body.id);
        }
      };
      const caller = async (name: string) => {
        for (let i = 0; !isKilled; i++) {
          const headers = { "x-correlation-id": `${name}-${i}` };
          const answer = await post(sluice, GET, { token, path: "/rpc", headers }).catch(() => null);
          if (answer?.body?.result) calls.push({ id: `${name}-${i}`, at: performance.now() });
        }
      };
      const writers = [...["a", "b"].map(writer), ...["c", "d", "e"].map(caller)];
      const from = performance.now();
      const isEnough = () => answered.length >= 20 && calls.length >= 300 && performance.now() - from > 2_500;
      await waitFor(isEnough, { what: "some writes and calls" });
      killedAt = performance.now();
      await sluice.kill();
      isKilled = true;
      await Promise.all(writers);
    }
    const verified = await runCli(["audit", "verify"], { cwd });
    assertEquals(verified.code, 0, verified.err);
    const [, head] = /^head (\S+)$/m.exec(verified.out)!;
    const exported = await runCli(["audit", "export"], { cwd });
    const lines: Json[] = exported.out.trim().split("\n").map((line) => JSON.parse(line));
    const recorded = new Set(lines.map(({ record }) => record.entity?.id));
    assertEquals(answered.filter((id) => !recorded.has(id)), []);
    const kept = new Set(lines.map(({ record }) => record.correlationId));
    const firstLost = Math.min(killedAt, ...calls.filter(({ id }) => !kept.has(id)).map(({ at }) => at));
    await assertWithin(killedAt - firstLost, BEHIND_MS + 500, "what is lost");
    assert(calls.filter(({ id }) => kept.has(id)).length > 0);
    assertEquals(
      (await runCli(["audit", "export", "--after", String(lines.length - 1)], { cwd })).out.split("\n")
        .length,
      2,
    );

    // A command is recorded in its own transaction.
    assertEquals((await runCli(["token", "revoke", "a-token"], { cwd, env: ON })).code, 0);
    assertEquals((await runCli(["keys", "rotate"], { cwd, env: ON })).code, 0);
    assertEquals((await runCli(["backup", "copy.db"], { cwd, env: ON })).code, 0);
    const restored = await runCli(["restore", "copy.db", "--force"], { cwd, env: ON });
    assertEquals(restored.code, 0, restored.err);
    const { out } = await runCli(["audit", "export", "--after", String(lines.length)], { cwd });
    const told: Json[] = out.trim().split("\n").map((line) => JSON.parse(line).record);
    assertEquals(told.map(({ operation, endpoint }) => [operation, endpoint]), [
      ["revokeToken", "command line"],
      ["rotateKeys", "command line"],
      ["restoreBackup", "command line"],
    ]);
    assertEquals(told[0].entity, { kind: "token", id: "a-token" });

    // The chain goes on after a restart, and the noted head is still in it. With the trail off, nothing is recorded.
    for (const settings of [ON, {}]) {
      await using sluice = await Sluice.start({
        cwd,
        env: { ...env, ...settings, PORT: String(freePort()) },
      });
      const token = (await runCli(["token", "--admin"], { cwd })).out.trim();
      assertEquals(
        (await sluice.api("POST", "/servers", { server: { name: JSON.stringify(settings) } }, token)).status,
        201,
      );
    }
    const again = await runCli(["audit", "verify", "--noted", head], { cwd });
    assertEquals(again.code, 0, again.err);
    assertStringIncludes(again.out, `${lines.length + 4} records`);
    assertEquals(
      (await runCli(["audit", "verify", "--noted", head.replace(/.$/, (end) => end === "0" ? "1" : "0")], {
        cwd,
      })).code,
      1,
    );

    const database = new DatabaseSync(`${cwd}/mcp.db`);
    database.exec(
      "UPDATE audit_records SET record = REPLACE(record, '\"count\":1', '\"count\":2') WHERE sequence = 3",
    );
    database.close();
    const forged = await runCli(["audit", "verify"], { cwd });
    assertEquals(forged.code, 1);
    assertStringIncludes(forged.err, "record 3 does not match its hash");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
