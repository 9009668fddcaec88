import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  ADMIN,
  type AdminHarness,
  ALICE,
  LOGIN_SECRET,
  withAdminApi,
} from "../../../tests/support/admin_api.ts";
import { versionsAt } from "../../../tests/support/catalog_rows.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { newUser } from "../../../tests/support/people_contract.ts";
import { newServer } from "../../../tests/support/registry_rows.ts";
import { apiTokenCaller } from "../../auth/api_tokens/api_token_caller.ts";
import { JwtVerifier, ownIssuer } from "../../auth/jwt.ts";
import { keysOfSecret, signToken } from "../../auth/keys/own_keys.ts";
import { People } from "../../auth/people.ts";
import type { Principal } from "../../auth/principal.ts";
import { readLimits } from "../../auth/token_limits.ts";
import { SluiceError } from "../../base/errors.ts";
import { decodeJwt } from "jose";

/** Users of the store, as callers. */
async function setUp(harness: AdminHarness) {
  const { store, call } = harness;
  const { users, teams, roles } = store.people;
  const [ada, ann, bob] = [
    await users.insert(newUser("ada@x", { isAdmin: true })),
    await users.insert(newUser("ann@x")),
    await users.insert(newUser("bob@x")),
  ];
  const fields = { description: null, visibility: "private" as const, maxMembers: null, createdBy: "ada@x" };
  const team = await teams.insert({ name: "crew", ...fields }, { id: ann.id, maxTeams: 9 });
  await teams.addMember(team.id, bob.id, "member", { members: 9, teams: 9 });
  await roles.assign({
    ...{ userId: ann.id, roleId: "developer", scope: "team", scopeId: team.id, grantedBy: "ada@x" },
    expiresAt: null,
  });
  // The API reads users anew after a change.
  await call("DELETE", "/tokens/some-id", { as: ADMIN });
  const people = async () =>
    new People(await store.people.read(), {
      ...{ platformAdminEmail: "root@x", requireUser: false, now: () => Date.now() },
    });
  const as = async (email: string, given: Partial<Principal> = {}) =>
    (await people()).resolve(
      principal({ subject: email, email, isLogin: true, issuedAt: Date.now(), ...given }),
    );
  /** The caller of a token, as a worker finds it now. */
  const bearerOf = async (token: string): Promise<Principal> => {
    const verifier = new JwtVerifier(
      ownIssuer(keysOfSecret("HS256", LOGIN_SECRET), {
        ...{
          issuer: "mcpgateway",
          audience: "mcpgateway-api",
          platformAdminEmail: "root@x",
          environment: null,
        },
        apiTokenCaller: apiTokenCaller({
          read: (id) => store.apiTokens.read(id),
          now: () => Date.now(),
          count: () => {},
        }),
      }),
      { requireExpiration: false, requireJti: true },
    );
    return (await people()).resolve(await verifier.verify(token));
  };
  const reasonOf = async (token: string): Promise<string> => {
    try {
      await bearerOf(token);
      return "accepted";
    } catch (error) {
      if (error instanceof SluiceError) return String(error.params.reason);
      throw error;
    }
  };
  return { ada, ann, bob, team, as, bearerOf, reasonOf };
}

Deno.test("DELETE /tokens/{jti} revokes a token without a row, once or again, and tells of who and why", async () => {
  await withAdminApi(async ({ call, store, changes }) => {
    const body = { reason: "lost", expires_at: "2030-01-01T00:00:00Z" };
    assertEquals(await call("DELETE", "/tokens/some%2Fid", { body }), { status: 204, body: null });
    assertEquals((await call("DELETE", "/v1/tokens/admin/other")).status, 204);
    assertEquals((await call("DELETE", "/tokens/other")).status, 204);
    assertEquals(changes(), 3);
    assertEquals((await store.readCatalog()).revokedTokens.toSorted(), ["other", "some/id"]);
    const { body: listed } = await call("GET", "/tokens/revoked");
    const [first] = listed.filter(({ jti }: { jti: string }) => jti === "some/id");
    assertEquals(first, {
      jti: "some/id",
      revokedAt: first.revokedAt,
      revokedBy: "admin@example.com",
      revocationReason: "lost",
      expiresAt: "2030-01-01T00:00:00.000Z",
    });
  });
});

Deno.test("DELETE /tokens/{jti} refuses whoever is no administrator, and what is no id", async () => {
  await withAdminApi(async ({ call, store }) => {
    assertEquals((await call("DELETE", "/tokens/a", { as: ALICE })).status, 403);
    assertEquals((await call("GET", "/tokens/revoked", { as: ALICE })).status, 403);
    const faulty = await call("DELETE", "/tokens/a%0Ab", { body: { expires_at: "soon" } });
    assertEquals([faulty.status, faulty.body.detail[0].loc], [422, ["path", "token_id"]]);
    const body = { expires_at: "soon" };
    assertEquals((await call("DELETE", "/tokens/a", { body })).body.detail[0].loc, ["body", "expires_at"]);
    assertEquals(await store.revokedTokens.ids(), []);
  });
});

Deno.test("an API token is shown once, is known by its hash, and means what its row says", () =>
  withAdminApi(async (harness) => {
    const { call, store } = harness;
    const { team, as, bearerOf, reasonOf } = await setUp(harness);
    const ann = await as("ann@x");
    const { id: serverId } = await store.servers.insert(newServer({ name: "s" }));
    const body = {
      name: "ci",
      description: "builds",
      expires_in_days: 3_000,
      tags: ["a"],
      team_id: team.id,
      scope: {
        server_id: serverId,
        permissions: ["tools.read", "tools.execute", "servers.use"],
        ip_restrictions: ["10.0.0.0/8"],
        time_restrictions: { weekdays_only: true },
        usage_limits: { requests_per_hour: 5 },
      },
    };
    const created = await call("POST", "/tokens", { as: ann, body });
    assertEquals(created.status, 201);
    const { token, access_token: secret, warnings } = created.body;
    assertEquals(warnings.map(({ msg }: { msg: string }) => msg), [
      '"servers.use" is no permission here, and opens nothing',
    ]);
    const claims = decodeJwt(secret);
    assertEquals([claims.jti, claims.token_use, claims.teams, claims.sub], [
      ...[token.id, "api", [team.id], "ann@x"],
    ]);
    assertEquals(await call("GET", `/tokens/${token.id}`, { as: ann }), { status: 200, body: token });
    assertEquals([
      token.resource_scopes,
      token.user_email,
      token.is_active,
      token.is_revoked,
      token.last_used,
    ], [
      ...[["tools.read", "tools.execute", "servers.use"], "ann@x", true, false, null],
    ]);
    const row = (await store.apiTokens.get(token.id))!;
    assert(!JSON.stringify(row).includes(secret) && row.tokenHash.length === 64);
    const { records } = (await call("GET", "/audit?limit=1")).body;
    assertEquals([records[0].operation, records[0].entity, records[0].changes.name.after], [
      ...["createToken", { kind: "token", id: token.id }, "ci"],
    ]);
    assert(!JSON.stringify(records).includes(secret));

    const bearer = await bearerOf(secret);
    assertEquals([bearer.email, bearer.teams, bearer.serverId, bearer.permissions, bearer.isAdmin], [
      ...["ann@x", [team.id], serverId, ["tools.read", "tools.execute", "servers.use"], false],
    ]);
    assertEquals(bearer.limits, {
      networks: ["10.0.0.0/8"],
      times: { timeZone: "UTC", days: [1, 2, 3, 4, 5], windows: [] },
      usage: { perHour: 5, perDay: null, inAll: null },
    });
    assertEquals(bearer.grants!.inTeams.map(({ ids }) => ids), [[team.id]]);

    const put = (change: unknown) => call("PUT", `/tokens/${token.id}`, { as: ann, body: change });
    assertEquals((await put({ is_active: false })).body.is_active, false);
    assertStringIncludes(await reasonOf(secret), "is switched off");
    assertEquals((await put({ is_active: true, scope: {} })).body.resource_scopes, []);
    assertEquals([(await bearerOf(secret)).permissions, (await bearerOf(secret)).limits], [null, null]);
    const reason = { reason: "lost" };
    assertEquals((await call("DELETE", `/tokens/${token.id}`, { as: ann, body: reason })).status, 204);
    assertEquals(await reasonOf(secret), "the API token was revoked (lost)");
    const shown = (await call("GET", `/tokens/${token.id}`, { as: ann })).body;
    assertEquals([shown.is_revoked, shown.revoked_by, shown.revocation_reason], [true, "ann@x", "lost"]);
    assertEquals((await put({ is_active: true })).status, 404);
    assertEquals(await store.revokedTokens.ids(), ["some-id"]);
    assertEquals((await call("POST", "/tokens", { as: ann, body })).status, 201, "the name is free again");
  }));

Deno.test("an API token ends with its owner, the owner's membership and the owner's logout everywhere", () =>
  withAdminApi(async (harness) => {
    const { call, store } = harness;
    const { team, as, reasonOf } = await setUp(harness);
    const tokenOf = async (email: string, body: Record<string, unknown>) =>
      (await call("POST", "/tokens", { as: await as(email), body })).body.access_token as string;
    const [whole, ofTeam, annsOfTeam] = [
      await tokenOf("bob@x", { name: "whole" }),
      await tokenOf("bob@x", { name: "team", team_id: team.id }),
      await tokenOf("ann@x", { name: "team", team_id: team.id }),
    ];
    assertEquals([await reasonOf(whole), await reasonOf(ofTeam)], ["accepted", "accepted"]);
    const bob = (await store.people.users.get("bob@x"))!;
    await store.people.teams.removeMember(team.id, bob.id);
    assertEquals(await reasonOf(whole), "accepted");
    assertStringIncludes(await reasonOf(ofTeam), "no member of its team");
    await store.people.users.update("bob@x", { isActive: false });
    assertEquals(await reasonOf(whole), "the token's user is deactivated");
    await store.people.users.update("bob@x", { isActive: true, tokensValidFrom: Date.now() + 60_000 });
    assertStringIncludes(await reasonOf(whole), "older than the user's last change of password");
    await store.people.users.update("bob@x", { tokensValidFrom: null });
    assertEquals(await reasonOf(whole), "accepted");
    await store.people.users.delete("bob@x");
    assertStringIncludes(await reasonOf(whole), "was deleted, or another gateway has made it");
    await store.people.users.insert(newUser("bob@x"));
    assertStringIncludes(await reasonOf(whole), "was deleted, or another gateway has made it");
    await store.people.teams.delete(team.id);
    assertEquals(await reasonOf(annsOfTeam), "the API token was revoked (the team was deleted)");
  }));

Deno.test("a token with the id of another's row, of no row, or with other claims opens nothing more", () =>
  withAdminApi(async (harness) => {
    const { call } = harness;
    const { as, bearerOf, reasonOf } = await setUp(harness);
    const { body } = await call("POST", "/tokens", {
      as: await as("bob@x"),
      body: { name: "a", scope: { permissions: ["tools.read"] } },
    });
    const claims = decodeJwt(body.access_token);
    const keys = keysOfSecret("HS256", LOGIN_SECRET);
    const forged = [
      { ...claims, sub: "ada@x", user: { email: "ada@x", is_admin: true }, is_admin: true },
      { ...claims, scopes: { permissions: ["*"] } },
      { ...claims, exp: 4_000_000_000 },
      { ...claims, jti: crypto.randomUUID() },
    ];
    for (const given of forged) {
      assertStringIncludes(await reasonOf(await signToken(given, keys)), "none of the API tokens here");
    }
    assertStringIncludes(await reasonOf(await signToken({ ...claims, jti: undefined }, keys)), "jti");
    assertEquals((await bearerOf(body.access_token)).permissions, ["tools.read"]);
  }));

Deno.test("an API token is never made to open more than its owner, or the token of the request, may", () =>
  withAdminApi(async (harness) => {
    const { call, store } = harness;
    const { team, as, bearerOf } = await setUp(harness);
    const hidden = await store.servers.insert(
      newServer({ name: "h", visibility: "private", ownerEmail: "ada@x" }),
    );
    let number = 0;
    const make = async (caller: Principal, body: Record<string, unknown>, path = "/tokens") =>
      (await call("POST", path, { as: caller, body: { name: `n${number++}`, ...body } })).status;
    const permissions = (...names: string[]) => ({ scope: { permissions: names } });
    const [ada, ann, bob] = [await as("ada@x"), await as("ann@x"), await as("bob@x")];
    const rows: [status: number, caller: Principal, body: Record<string, unknown>][] = [
      [201, ann, { ...permissions("tools.create"), team_id: team.id }],
      [400, bob, { ...permissions("tools.create"), team_id: team.id }],
      [400, bob, permissions("*")],
      [400, bob, permissions("admin.metrics")],
      [201, ada, permissions("*", "admin.metrics")],
      [422, bob, { team_id: "elsewhere" }],
      [422, ada, { team_id: "elsewhere" }],
      [422, bob, { scope: { server_id: hidden.id } }],
      [201, ada, { scope: { server_id: hidden.id } }],
      [422, bob, { scope: { server_id: "unknown" } }],
      [422, bob, { scope: { ip_restrictions: ["x"] } }],
      [422, bob, { scope: { usage_limits: { per_week: 1 } } }],
      // Ignored, each of these would leave the token without the limit.
      [422, bob, { scope: { ip_restriction: ["10.0.0.0/8"] } }],
      [422, bob, { scope: { serverId: hidden.id } }],
      [422, bob, { scopes: { permissions: ["tools.read"] } }],
      [422, bob, { permissions: ["tools.read"] }],
      [201, bob, { scope: {}, scopes: null, ip_restrictions: [] }],
      [422, bob, permissions("tools read")],
      [422, bob, { expires_in_days: 0 }],
      [403, bob, { user_email: "ada@x" }],
      [201, ada, { user_email: "BOB@x" }],
      [400, ada, { user_email: "bob@x", ...permissions("admin.metrics") }],
      [404, ada, { user_email: "nobody@x" }],
      [409, ADMIN, {}],
      [201, ADMIN, { user_email: "ann@x" }],
    ];
    for (const [status, caller, body] of rows) {
      assertEquals([caller.email, body, await make(caller, body)], [caller.email, body, status]);
    }
    assertEquals(await make(bob, {}, `/tokens/teams/${team.id}`), 201);
    assertEquals(await make(bob, {}, "/tokens/teams/elsewhere"), 404);
    const narrow = (given: Partial<Principal>) => as("ann@x", given);
    const toRead = await narrow({ permissions: ["tokens.create", "tools.read"] });
    assertEquals(await make(toRead, {}), 400);
    assertEquals(await make(toRead, permissions("tools.execute")), 400);
    assertEquals(await make(toRead, permissions("tools.read")), 201);
    assertEquals(await make(await narrow({ permissions: ["tools.read"] }), permissions("tools.read")), 403);
    const ofNoTeam = await call("POST", "/tokens", {
      as: await narrow({ isLogin: false, teams: [] }),
      body: { name: "of no team" },
    });
    assertEquals([ofNoTeam.status, ofNoTeam.body.token.team_id], [201, null]);
    const nobodys = await bearerOf(ofNoTeam.body.access_token);
    assertEquals([nobodys.teams, nobodys.isLogin, nobodys.grants?.inTeams], [[], false, []]);
    assertEquals(
      await make(await as("ada@x", { isLogin: false, teams: ["t"] }), { user_email: "bob@x" }),
      403,
    );
    const { body } = await call("POST", "/tokens", {
      as: await narrow({ isLogin: false, teams: [team.id] }),
      body: { name: "inherits" },
    });
    // What the token of the request is held to would be lifted by another token.
    for (
      const limit of [{ ip_restrictions: ["10.0.0.0/8"] }, { time_restrictions: { weekdays_only: true } }]
    ) {
      const held = await narrow({ limits: readLimits(limit) });
      assertEquals(await make(held, { scope: limit }), 403);
      assertEquals(
        (await call("PUT", `/tokens/${body.token.id}`, { as: held, body: { scope: {} } })).status,
        403,
      );
    }
    assertEquals(body.token.team_id, team.id);

    const apiToken = { id: "t", ownerId: "x", teamId: null, readAt: versionsAt(0), refusal: null };
    const byToken = { ...ann, apiToken };
    for (
      const [method, path] of [
        ...[["POST", "/tokens"], ["GET", "/tokens"], ["GET", `/tokens/${body.token.id}`]],
        ...[["PUT", `/tokens/${body.token.id}`], ["DELETE", `/tokens/${body.token.id}`]],
        ...[["GET", `/tokens/${body.token.id}/usage`], ["GET", `/tokens/teams/${team.id}`]],
      ]
    ) {
      const answer = await call(method, path, { as: byToken, body: { name: "x" } });
      assertEquals([method, path, answer.status], [method, path, 403]);
      assertStringIncludes(answer.body.detail, "API tokens cannot manage API tokens");
    }
  }));

Deno.test("tokens are listed for their owner, their team and administrators, and unknown to everybody else", () =>
  withAdminApi(async (harness) => {
    const { call, store } = harness;
    const { team, as } = await setUp(harness);
    const [ada, ann, bob] = [await as("ada@x"), await as("ann@x"), await as("bob@x")];
    const make = async (caller: Principal, body: Record<string, unknown>) =>
      (await call("POST", "/tokens", { as: caller, body })).body.token.id as string;
    const own = await make(ann, { name: "own" });
    await make(ann, { name: "team", team_id: team.id });
    await make(bob, { name: "bobs", is_active: false });
    const names = async (caller: Principal, path: string) => {
      const { body } = await call("GET", path, { as: caller });
      return [body.tokens?.map(({ name }: { name: string }) => name), body.total];
    };
    assertEquals(await names(ann, "/tokens"), [["team", "own"], 2]);
    assertEquals(await names(ann, "/tokens?limit=1&offset=1"), [["own"], 2]);
    assertEquals(await names(bob, "/tokens"), [["team"], 1]);
    assertEquals(await names(bob, "/tokens?include_inactive=true"), [["bobs", "team"], 2]);
    assertEquals(await names(bob, `/tokens/teams/${team.id}`), [["team"], 1]);
    assertEquals(await names(ada, "/tokens/admin/all?include_inactive=true"), [["bobs", "team", "own"], 3]);
    assertEquals(await names(ada, "/tokens/admin/all?user_email=ann@x"), [["team", "own"], 2]);
    assertEquals(await names(ada, "/tokens/admin/all?user_email=nobody@x"), [[], 0]);
    assertEquals((await call("GET", "/tokens/admin/all", { as: ann })).status, 403);
    assertEquals((await call("GET", "/tokens/teams/elsewhere", { as: ann })).status, 404);
    for (const [method, path] of [["GET", ""], ["GET", "/usage"], ["PUT", ""], ["DELETE", ""]]) {
      const ask = async (id: string) => {
        const { status, body } = await call(method, `/tokens/${id}${path}`, { as: bob, body: {} });
        return [status, String(body.detail).replace(id, "ID")];
      };
      assertEquals(await ask(own), [404, "Token ID not found"]);
      assertEquals(await ask(own), await ask(crypto.randomUUID()));
    }
    assertEquals((await call("PUT", `/tokens/${own}`, { as: ada, body: {} })).status, 404);
    const now = 1_790_000_000_000;
    const endpoint = { endpoint: "mcp", requests: 4, refused: 1, failed: 1, ms: 30 };
    const limits = { perHour: null, perDay: null, inAll: null };
    const use = {
      tokenId: own,
      lastUsed: now,
      allowed: 3,
      asked: 0,
      limits,
      endpoints: [endpoint],
      addresses: ["10.0.0.1"],
    };
    await store.tokenUses.add([use], now);
    assertEquals((await call("GET", `/tokens/${own}/usage?days=1`, { as: ann })).body, {
      period_days: 1,
      total_requests: 4,
      successful_requests: 2,
      blocked_requests: 1,
      success_rate: 0.5,
      average_response_time_ms: 10,
      top_endpoints: [["mcp", 4]],
      last_used: new Date(now).toISOString(),
      addresses: [{ address: "10.0.0.1", last_used: new Date(now).toISOString() }],
    });
    assertEquals(
      (await call("GET", `/tokens/${own}`, { as: ada })).body.last_used,
      new Date(now).toISOString(),
    );
    assertEquals((await call("DELETE", `/tokens/admin/${own}`, { as: ada })).status, 204);
    assertEquals((await call("GET", `/tokens/${own}`, { as: ann })).body.revoked_by, "ada@x");
    for (let i = 0; i < 4; i++) await make(ann, { name: `n${i}` });
    const tooMany = await call("POST", "/tokens", { as: ann, body: { name: "more" } });
    assertEquals(tooMany.status, 409);
    assertStringIncludes(tooMany.body.detail, "MAX_API_TOKENS_PER_USER");
    assertEquals((await call("POST", "/tokens", { as: bob, body: { name: "bobs" } })).status, 409);
  }));
