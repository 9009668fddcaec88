// Users who log in: the first administrator, and what every worker and replica knows of a user at once.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { FastUpstream } from "../support/fast_upstream.ts";
import { inSession, openSession, post } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { createRegistry } from "../../src/store/registry/registry.ts";
import { openSqlite } from "../../src/store/sqlite/sqlite.ts";

const PASSWORD = "correct horse battery";

/** Of argon2-cffi, with ContextForge's cost: 64 MiB, 3 passes, 1 lane. */
const CONTEXTFORGE_PASSWORD = "moved from ContextForge";
const CONTEXTFORGE_HASH =
  "$argon2id$v=19$m=65536,t=3,p=1$E1ttxz6IL+0u4FPC8ZV4fw$VO02MLhiHQK1dcKUysaRyzMeDZSoMx7KYwyVgN4xTP4";

const USERS = "/auth/email/admin/users";
const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} };

/** Over connections of their own: every worker gets some of them. @returns the distinct HTTP statuses */
async function statuses(gateway: Gateway, token: string): Promise<number[]> {
  const answers = await Promise.all(
    Array.from({ length: 6 * gateway.workers }, () => post(gateway, LIST, { path: "/rpc", token })),
  );
  return [...new Set(answers.map(({ status }) => status))];
}

function setupTokens(gateway: Gateway): string[] {
  return gateway.log().filter(({ event }) => event === "no users yet")
    .flatMap(({ tokenForSetup }) => tokenForSetup === undefined ? [] : [tokenForSetup as string]);
}

gatewayTest(
  "One start of all offers a token for the first administrator, and users log in at every worker",
  async (start) => {
    await using gateway = await start({ FAILED_LOGIN_MIN_RESPONSE_MS: "0", REQUIRE_USER_IN_DB: "true" });
    assertEquals(setupTokens(gateway).length, 1);
    const [token] = setupTokens(gateway);
    const setUp = (email: string) =>
      gateway.api("POST", "/auth/setup", { token, email, password: PASSWORD }, null);
    const made = await setUp("ada@x.org");
    assertEquals([made.status, (await setUp("eve@x.org")).status], [201, 401]);
    const ada: string = made.body.access_token;
    assertEquals(await statuses(gateway, ada), [200]);

    assertEquals(
      (await gateway.api("POST", USERS, { email: "bob@x.org", password: PASSWORD }, ada)).status,
      201,
    );
    const login = async (email: string, password: string) =>
      await gateway.api("POST", "/auth/login", { email, password }, null);
    const { body: { access_token: bob } } = await login("bob@x.org", PASSWORD);
    assertEquals(await statuses(gateway, bob), [200]);
    assertEquals((await gateway.api("GET", USERS, undefined, bob)).status, 403);
    const refusals = [await login("bob@x.org", "wrong"), await login("nobody@x.org", "wrong")];
    assertEquals(refusals.map(({ status, body: { detail, code } }) => [status, detail, code]), [
      [401, "Wrong email or password", "LOGIN_FAILED"],
      [401, "Wrong email or password", "LOGIN_FAILED"],
    ]);
    // A token without a user record is refused, other than that of PLATFORM_ADMIN_EMAIL.
    assertEquals(await statuses(gateway, await gateway.token({ username: "stranger@x.org" })), [401]);

    const session = await openSession(gateway, { token: bob });
    const headers = { authorization: `Bearer ${bob}`, accept: "text/event-stream", ...inSession(session) };
    const stream = await fetch(`${gateway.url}/mcp`, { headers });
    assertEquals(stream.status, 200);
    const ended = stream.body!.pipeTo(new WritableStream());
    const { status } = await gateway.api("PATCH", `${USERS}/bob@x.org`, { is_active: false }, ada);
    assertEquals(status, 200);
    assertEquals(await statuses(gateway, bob), [401]);
    await ended;
    assertEquals((await login("bob@x.org", PASSWORD)).status, 401);

    // After a change of password every earlier token ends.
    const change = { old_password: PASSWORD, new_password: "staple of the stable" };
    assertEquals((await gateway.api("POST", "/auth/logout", undefined, ada)).status, 200);
    assertEquals(await statuses(gateway, ada), [401]);
    const { body: { access_token: again } } = await login("ada@x.org", PASSWORD);
    assertEquals((await gateway.api("POST", "/auth/email/change-password", change, again)).status, 200);
    assertEquals([
      (await login("ada@x.org", PASSWORD)).status,
      (await login("ada@x.org", change.new_password)).status,
    ], [
      ...[401, 200],
    ]);
    const log = JSON.stringify(gateway.log());
    for (const secret of [PASSWORD, change.new_password, "scrypt", ada, again]) {
      assert(
        !log.includes(secret),
        secret,
      );
    }
  },
);

gatewayTest(
  "A team's tools are there for its members alone, and a role counts for the next request",
  async (start) => {
    const upstream = FastUpstream.start();
    try {
      await using gateway = await start({ FAILED_LOGIN_MIN_RESPONSE_MS: "0" });
      const tokens: Record<string, string> = {};
      for (const name of ["ann", "bob"]) {
        const email = `${name}@x.org`;
        await gateway.api("POST", USERS, { email, password: PASSWORD });
        tokens[name] =
          (await gateway.api("POST", "/auth/login", { email, password: PASSWORD }, null)).body.access_token;
      }
      const { body: team } = await gateway.api("POST", "/teams", { name: "Travel" });
      const registered = { name: "time", url: upstream.url, visibility: "team" };
      assertEquals(
        (await gateway.api("POST", "/gateways", { ...registered, team_id: team.id }, tokens.ann)).status,
        403,
      );
      await gateway.api("POST", `/teams/${team.id}/members`, { email: "ann@x.org", role: "owner" });
      const { status, body } = await gateway.api(
        "POST",
        "/gateways",
        { ...registered, team_id: team.id },
        tokens.ann,
      );
      assertEquals([status, body.ownerEmail], [200, "ann@x.org"]);
      const tools = async (name: string) => {
        const { body } = await gateway.rpc("tools/list", {}, tokens[name]);
        return body.result.tools.length;
      };
      const call = async (name: string) => {
        const params = { name: "time-echo", arguments: { message: "hi" } };
        return (await gateway.rpc("tools/call", params, tokens[name])).body.error?.data.code ?? "called";
      };
      assertEquals([await tools("ann") > 0, await tools("bob"), await call("ann"), await call("bob")], [
        ...[true, 0, "called", "TOOL_NOT_FOUND"],
      ]);
      const change = async (name: string) =>
        (await gateway.api("PUT", `/gateways/${body.id}`, { description: name }, tokens[name])).status;
      assertEquals([await change("ann"), await change("bob")], [200, 404]);
      await gateway.api("POST", `/teams/${team.id}/members`, { email: "bob@x.org" });
      assertEquals([await call("bob"), await change("bob")], ["called", 403]);
      const role = { role_id: "developer", scope: "team", scope_id: team.id };
      await gateway.api("POST", "/rbac/users/bob@x.org/roles", role);
      assertEquals(await change("bob"), 200);
      // A token only narrows: without the team it sees nothing of it and calls nothing, and its is_admin does not count.
      const minted = async (teams: readonly string[]) =>
        tokens.minted = await gateway.token({ username: "bob@x.org", claims: { is_admin: true, teams } });
      await gateway.api("PUT", `/gateways/${body.id}`, { visibility: "public" });
      await minted([]);
      assertEquals([await tools("minted") > 0, await call("minted"), await change("minted")], [
        true,
        "FORBIDDEN",
        403,
      ]);
      assertEquals((await gateway.api("GET", USERS, undefined, tokens.minted)).status, 403);
      await minted([team.id, "another"]);
      assertEquals([await call("minted"), await change("minted")], ["called", 200]);
      await gateway.api("PUT", `/gateways/${body.id}`, { visibility: "team" });
      await gateway.api("DELETE", `/teams/${team.id}/members/bob@x.org`);
      assertEquals([await call("bob"), await change("bob")], ["TOOL_NOT_FOUND", 404]);
    } finally {
      await upstream.close();
    }
  },
);

Deno.test("A restart offers no further token while one is valid, and ContextForge's password hashes are replaced", async () => {
  const env = { FAILED_LOGIN_MIN_RESPONSE_MS: "0" };
  const cwd = await Deno.makeTempDir();
  const first = await Sluice.start({ env, cwd });
  const [token] = setupTokens(first);
  await first.stop();
  await first[Symbol.asyncDispose]();
  await using sluice = await Sluice.start({ env, cwd });
  assertEquals([typeof token, setupTokens(sluice)], ["string", []]);
  const [line] = sluice.log().filter(({ event }) => event === "no users yet");
  assertStringIncludes(line!.next as string, "`sluice user add EMAIL --admin`");
  const api = (path: string, body: unknown) => sluice.api("POST", path, body, null);
  assertEquals((await api("/auth/setup", { token, email: "ada@x.org", password: PASSWORD })).status, 201);
  const database = await openSqlite(`${cwd}/mcp.db`, { busyTimeoutMs: 5_000 });
  try {
    const { users } = createRegistry(database).people;
    await users.update("ada@x.org", { passwordHash: CONTEXTFORGE_HASH });
    assertEquals((await api("/auth/login", { email: "ada@x.org", password: "wrong" })).status, 401);
    assertEquals(
      (await api("/auth/login", { email: "ada@x.org", password: CONTEXTFORGE_PASSWORD })).status,
      200,
    );
    assertEquals((await users.get("ada@x.org"))?.passwordHash?.startsWith("$scrypt$"), true);
    assertEquals(
      (await api("/auth/login", { email: "ada@x.org", password: CONTEXTFORGE_PASSWORD })).status,
      200,
    );
  } finally {
    await database.close();
  }
  assertEquals(await sluice.stop(), 0);
  await Deno.remove(cwd, { recursive: true });
});
