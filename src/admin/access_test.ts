// Who may do what over the REST API: every route for every kind of caller and entry, against rules that are written here anew.
import { assert, assertEquals } from "@std/assert";
import { type AdminHarness, type Answer, withAdminApi } from "../../tests/support/admin_api.ts";
import { principal as tokenOf } from "../../tests/support/fakes.ts";
import { newUser } from "../../tests/support/people_contract.ts";
import { grantOf, memberOf, peopleOf, userOf } from "../../tests/support/people_rows.ts";
import { discovery, newGateway, newServer } from "../../tests/support/registry_rows.ts";
import type { Permission } from "../auth/permission_table.ts";
import type { Principal } from "../auth/principal.ts";
import { createNaming } from "../catalog/snapshot/tool_name.ts";
import type { EntityRow } from "../store/registry/rows.ts";
import { type Route, ROUTES } from "./routes.ts";

const EVERYBODY = ["ada", "owner", "dev", "member", "guest", "plain", "key"] as const;
type Caller = typeof EVERYBODY[number];

const PEOPLE = peopleOf({
  users: [
    userOf("ada", { isAdmin: true }),
    ...["owner", "dev", "member", "guest"].map((name) => userOf(name)),
  ],
  members: [memberOf("t1", "owner", "owner"), memberOf("t1", "dev"), memberOf("t1", "member")],
  assignments: [grantOf("dev", "developer", "team", "t1")],
});

/** The limits that a token can have. */
const TOKENS: Readonly<Record<string, Partial<Principal>>> = {
  whole: {},
  "without teams": { teams: [] },
  "of the team": { teams: ["t1"] },
  "of another team": { teams: ["t2"] },
  "to read tools": { permissions: ["tools.read"] },
  "for another server": { serverId: "elsewhere" },
};

/** A caller as the authenticator finds it. `plain` and `key` have no user record; `key` has an administrator's token. */
function callerOf(name: Caller, limits: Partial<Principal>): Principal {
  const isAdmin = name === "key";
  const teams = isAdministrator(name) ? null : ["t1"];
  return PEOPLE.resolve(tokenOf({ subject: name, email: name, isAdmin, teams, ...limits }));
}

const ENTRIES = {
  own: { visibility: "private", teamId: null },
  team: { visibility: "team", teamId: "t1", ownerEmail: "somebody" },
  "other team": { visibility: "team", teamId: "t2", ownerEmail: "somebody" },
  public: { visibility: "public", teamId: null, ownerEmail: "somebody" },
  "public, of the team": { visibility: "public", teamId: "t1", ownerEmail: "somebody" },
  "another's": { visibility: "private", teamId: "t1", ownerEmail: "somebody" },
} as const;
type Place = keyof typeof ENTRIES;

const isRead = (permission: Permission) => permission.endsWith(".read");

const isAdministrator = (name: Caller) => name === "ada" || name === "key";

/** The teams that the token leaves to the caller; "all" of an administrator. */
function teamsOf(name: Caller, { teams }: Partial<Principal>): readonly string[] | "all" {
  if (isAdministrator(name)) return teams ?? "all";
  // `plain` has no record that could say otherwise than the token.
  if (name === "plain") return teams ?? ["t1"];
  return name === "guest" ? [] : (teams ?? ["t1"]).filter((id) => id === "t1");
}

/** What only a role that counts everywhere grants. */
const isForAll = (permission: Permission) => permission.startsWith("admin.") || permission === "teams.create";

/** Has the caller the permission for anything at all? */
function hasSomewhere(name: Caller, permission: Permission, limits: Partial<Principal>): boolean {
  if (limits.permissions !== undefined && !limits.permissions!.includes(permission)) return false;
  const teams = teamsOf(name, limits);
  if (teams === "all") return true;
  if (isAdministrator(name) && isForAll(permission)) return false;
  if (isAdministrator(name) && teams.length > 0) return true;
  // What is everybody's with a user record; `key` has none.
  if (name === "key" && /^(teams|tokens)\./.test(permission)) return false;
  if (permission === "teams.read" || permission === "teams.join") return name !== "plain";
  if (/^teams\.(update|delete|manage_members)$/.test(permission)) {
    return name === "owner" && teams.length > 0;
  }
  // API tokens belong to users.
  if (permission.startsWith("tokens.")) return name !== "plain";
  if (isRead(permission)) return true;
  if (permission === "gateways.approve") return name === "owner" && teams.length > 0;
  const isInTeam = (name === "owner" || name === "dev") && teams.length > 0;
  return isInTeam && /^(tools|resources|prompts|servers|gateways)\./.test(permission);
}

function sees(name: Caller, place: Place, limits: Partial<Principal>): boolean {
  if (place.startsWith("public")) return true;
  const teams = teamsOf(name, limits);
  if (teams === "all") return true;
  const teamOfPlace = ENTRIES[place].teamId;
  if (place === "team" || place === "other team") return teams.includes(teamOfPlace!);
  // A token without a team shows nothing private.
  return place === "own" && teams.length > 0;
}

/** May the caller, who sees the entry and has the permission somewhere, change it? */
function changes(name: Caller, place: Place, limits: Partial<Principal>): boolean {
  const teams = teamsOf(name, limits);
  if (teams === "all" || place === "own") return true;
  const teamOfPlace = ENTRIES[place].teamId;
  return teamOfPlace !== null && teams.includes(teamOfPlace);
}

const KINDS = ["gateways", "tools", "resources", "prompts", "servers"] as const;
type Ids = Readonly<Record<typeof KINDS[number], string>>;

/** One entity of each kind, all with the same visibility, team and owner. */
async function populate({ store, upstreams }: AdminHarness, sharing: Partial<EntityRow>): Promise<Ids> {
  const name = `x${crypto.randomUUID().slice(0, 8)}`;
  const { id, url } = await store.gateways.insert(newGateway({ name, ...sharing }));
  const offered = discovery({ tools: ["t"], resources: ["a://b"], prompts: ["p"] });
  upstreams.set(url, offered);
  await store.saveDiscovery(id, offered, createNaming({ separator: "-", maxLength: 64 }));
  const [[tool], [resource], [prompt]] = [
    await store.tools.list({ gatewayId: id }),
    await store.resources.list({ gatewayId: id }),
    await store.prompts.list({ gatewayId: id }),
  ];
  const server = await store.servers.insert(newServer({ name, toolIds: [tool.id], ...sharing }));
  return { gateways: id, tools: tool.id, resources: resource.id, prompts: prompt.id, servers: server.id };
}

const outcomeOf = ({ status }: Answer) =>
  status === 403 ? "forbidden" : status === 404 ? "unknown" : "answered";

const BODIES: Readonly<Record<string, unknown>> = { PUT: { description: "new" } };

/** `/tools/{id}/state`, of the kinds whose entities belong to somebody. */
function kindOf({ path }: Route): typeof KINDS[number] | undefined {
  return KINDS.find((kind) => path.startsWith(`/${kind}/{id}`));
}

Deno.test("every route of an entity × caller × entity × token is answered, forbidden or unknown, as its permission says", () =>
  withAdminApi(async (harness) => {
    const wrong: string[] = [];
    let cells = 0;
    for (const name of EVERYBODY) {
      for (const [place, sharing] of Object.entries(ENTRIES) as [Place, Partial<EntityRow>][]) {
        const owned = { ownerEmail: name, ...sharing };
        let ids = await populate(harness, owned);
        for (const [token, limits] of Object.entries(TOKENS)) {
          const as = callerOf(name, limits);
          for (const route of ROUTES) {
            const kind = kindOf(route);
            if (kind === undefined || route.permission === null || route.permission === "token") continue;
            const path = route.path.replace("{id}", ids[kind]).replace("{entry}", "none");
            const expected = !hasSomewhere(name, route.permission, limits) || token === "for another server"
              ? "forbidden"
              : !sees(name, place, limits)
              ? "unknown"
              : !isRead(route.permission) && !changes(name, place, limits)
              ? "forbidden"
              : route.path.includes("{entry}")
              ? "unknown"
              : "answered";
            const answer = await harness.call(route.method, path, { as, body: BODIES[route.method] ?? {} });
            cells++;
            const found = outcomeOf(answer);
            if (found !== expected) {
              wrong.push(
                `${route.method} ${route.path} by ${name}, token ${token}, entry ${place}: ${found}, not ${expected}`,
              );
            }
            if (expected === "unknown" && !route.path.includes("{entry}")) {
              // An entry that the caller may not see and one that does not exist are answered alike.
              const other = path.replace(ids[kind], "nothing");
              const unknown = await harness.call(route.method, other, {
                as,
                body: BODIES[route.method] ?? {},
              });
              assertEquals(
                JSON.stringify(answer).replaceAll(ids[kind], "nothing"),
                JSON.stringify(unknown),
                `${route.method} ${route.path}`,
              );
            }
            if (found === "answered" && route.method === "DELETE") ids = await populate(harness, owned);
          }
        }
        // Lists show what the caller sees, and the next caller starts with nothing.
        for (const kind of KINDS) {
          for (const limits of [TOKENS.whole, TOKENS["without teams"]]) {
            const { body } = await harness.call("GET", `/${kind}`, { as: callerOf(name, limits) });
            const isListed = body.some(({ id }: { id: string }) => id === ids[kind]);
            if (isListed !== sees(name, place, limits)) {
              wrong.push(`GET /${kind} by ${name} ${place}: ${isListed}`);
            }
          }
        }
        for (const { id } of await harness.store.gateways.list()) await harness.store.gateways.delete(id);
        for (const { id } of await harness.store.servers.list()) await harness.store.servers.delete(id);
      }
    }
    assertEquals(wrong, []);
    assert(cells > 4_000, String(cells));
  }));

/** What a read cannot do without. */
const QUERIES: Readonly<Record<string, string>> = { "/metrics/history": "?entity=tool&entity_id=x" };

const NEEDS_NO_BODY: ReadonlySet<string> = new Set(["/doctor", "/import/cleanup", "/metrics/reset"]);

Deno.test("every other route needs its permission, whatever the caller", () =>
  withAdminApi(async ({ call, store }) => {
    // With a record in the database, nobody is refused for having none.
    for (const name of EVERYBODY) await store.people.users.insert(newUser(name));
    for (const route of ROUTES) {
      if (kindOf(route) !== undefined || route.permission === null || route.permission === "token") continue;
      for (const name of EVERYBODY) {
        for (const [token, limits] of Object.entries(TOKENS)) {
          const path = route.path.replaceAll(/\{\w+\}/g, "x") + (QUERIES[route.path] ?? "");
          const answer = await call(route.method, path, { as: callerOf(name, limits), body: {} });
          const isAllowed = hasSomewhere(name, route.permission, limits) && token !== "for another server";
          const label = `${route.method} ${route.path} by ${name}, token ${token}`;
          // Administrators revoke tokens that the gateway has never seen.
          const isRevocation = isAdministrator(name) && teamsOf(name, limits) === "all";
          const isUnknown = /^\/(teams|auth|rbac|quotas|import|oauth|connections)\/.*\{/.test(route.path) ||
            (/^\/tokens\/.*\{/.test(route.path) && route.method !== "POST" &&
              !(route.method === "DELETE" && isRevocation));
          const isInSettings = route.path.startsWith("/auth/sso/admin/providers") && route.method !== "GET";
          if (isAllowed && isInSettings) assertEquals([label, answer.status], [label, 409]);
          else if (isAllowed && isUnknown) assertEquals([label, answer.status], [label, 404]);
          else if (isAllowed && route.method === "POST" && !NEEDS_NO_BODY.has(route.path)) {
            assertEquals([label, answer.status], [label, 422]);
          } else if (isAllowed) assert(answer.status < 300, `${label}: ${answer.status}`);
          else assertEquals([label, answer.status], [label, 403]);
        }
      }
    }
  }));

Deno.test("whoever has a token alone ends only what is its own, and only with that token", () => {
  const writes = ROUTES.filter(({ method, permission }) => permission === "token" && method !== "GET");
  assertEquals(writes.map(({ operation }) => operation), ["changePassword", "logout", "refreshSession"]);
});

Deno.test("a new entity goes into a team in which the caller may create it", () =>
  withAdminApi(async ({ call, store }) => {
    let number = 0;
    const create = async (as: Principal, fields: Record<string, unknown> = {}) => {
      const name = `n${number++}`;
      const answers = [
        await call("POST", "/gateways", { as, body: { name, url: `http://127.0.0.1:9/${name}`, ...fields } }),
        await call("POST", "/servers", { as, body: { server: { name, ...fields } } }),
      ];
      const [gateway, server] = answers.map(({ status, body }) =>
        status < 300 ? `${body.teamId} of ${body.ownerEmail}` : status
      );
      assertEquals(gateway, server);
      return gateway;
    };
    const dev = callerOf("dev", {});
    assertEquals(await create(dev), "t1 of dev");
    assertEquals(await create(dev, { team_id: "t1", visibility: "team" }), "t1 of dev");
    assertEquals(await create(dev, { visibility: "team" }), "t1 of dev");
    assertEquals(await create(dev, { team_id: "t2" }), 403);
    assertEquals(await create(dev, { owner_email: "somebody" }), 403);
    assertEquals(await create(callerOf("ada", {})), "null of ada");
    assertEquals(await create(callerOf("key", {}), { team_id: "t9", owner_email: "x" }), "t9 of x");
    const inTwo = peopleOf({
      users: [userOf("two")],
      members: [memberOf("t1", "two", "owner"), memberOf("t3", "two", "owner")],
    }).resolve(tokenOf({ subject: "two", email: "two", isLogin: true }));
    assertEquals(await create(inTwo), 403);
    const { body } = await call("POST", "/servers", { as: inTwo, body: { server: { name: "z" } } });
    assert(body.detail.includes("send team_id") && body.detail.includes("t1, t3"), body.detail);
    assertEquals(await create(inTwo, { team_id: "t3" }), "t3 of two");
    assertEquals((await store.servers.list()).length, 6);
  }));

Deno.test("an entity is moved and given away only by somebody who may create it there", () =>
  withAdminApi(async (harness) => {
    const { call } = harness;
    const dev = callerOf("dev", {});
    for (const kind of KINDS) {
      const ids = await populate(harness, ENTRIES.team);
      const put = async (as: Principal, body: unknown) =>
        (await call("PUT", `/${kind}/${ids[kind]}`, { as, body })).status;
      for (
        const body of [{ team_id: "t2" }, { team_id: null, visibility: "public" }, { owner_email: "dev2" }]
      ) {
        assertEquals([kind, body, await put(dev, body)], [kind, body, 403]);
      }
      assertEquals([kind, await put(dev, { team_id: "t1", owner_email: "somebody" })], [kind, 200]);
      assertEquals([kind, await put(dev, { visibility: "public", owner_email: "dev" })], [kind, 200]);
      assertEquals([kind, await put(callerOf("ada", {}), { team_id: "t2", owner_email: "x" })], [kind, 200]);
    }
  }));

Deno.test("programs and the gateway's environment stay with administrators, whatever a role grants", () =>
  withAdminApi(async ({ call, store, discovered }) => {
    const dev = callerOf("dev", {});
    const program = { name: "p", transport: "STDIO", command: "/bin/true" };
    assertEquals((await call("POST", "/gateways", { as: dev, body: program })).status, 403);
    const file = JSON.stringify({ mcpServers: { p: { command: "/bin/true" } } });
    const imported = await call("POST", "/import/mcp-servers", { as: dev, body: file });
    assert(imported.body.servers[0].reason.includes("needs an administrator"), JSON.stringify(imported.body));
    assertEquals(await store.gateways.list(), []);
    const { body: { id } } = await call("POST", "/gateways", {
      as: callerOf("ada", {}),
      body: { ...program, team_id: "t1" },
    });
    for (const body of [{ command: "/bin/false" }, { env: { A: "b" } }, { description: "d" }]) {
      assertEquals((await call("PUT", `/gateways/${id}`, { as: dev, body })).status, 403);
    }
    discovered.length = 0;
    const secret = { name: "s", url: "http://127.0.0.1:9/s", auth_type: "bearer", auth_token: "${ALLOWED}" };
    await call("POST", "/gateways", { as: dev, body: secret });
    await call("POST", "/gateways", { as: callerOf("ada", {}), body: { ...secret, name: "s2" } });
    assertEquals(discovered.map(({ headers }) => headers[0]?.[1]), [
      "Bearer ${ALLOWED}",
      "Bearer from-the-environment",
    ]);
  }));

Deno.test("an administrator's token that is narrowed to permissions starts no programs, and reads no environment", () =>
  withAdminApi(async ({ call, discovered }) => {
    const narrowed = callerOf("ada", { permissions: ["gateways.create", "gateways.read", "admin.export"] });
    const program = { name: "p", transport: "STDIO", command: "/bin/true" };
    const refused = await call("POST", "/gateways", { as: narrowed, body: program });
    assertEquals(refused.status, 403);
    assert(refused.body.detail.includes("this one has scopes"), refused.body.detail);
    const { body: { id } } = await call("POST", "/gateways", { as: callerOf("ada", {}), body: program });
    const shown = (as: Principal) => call("GET", `/gateways/${id}`, { as });
    assertEquals((await shown(callerOf("ada", {}))).body.command, "/bin/true");
    assertEquals((await shown(narrowed)).body.command, undefined);
    assertEquals(
      (await call("POST", "/export/selective", {
        as: narrowed,
        body: { passphrase: "correct horse battery" },
      }))
        .status,
      403,
    );
    discovered.length = 0;
    const secret = { name: "s", url: "http://127.0.0.1:9/s", auth_type: "bearer", auth_token: "${ALLOWED}" };
    await call("POST", "/gateways", { as: narrowed, body: secret });
    assertEquals(discovered.map(({ headers }) => headers[0]?.[1]), ["Bearer ${ALLOWED}"]);
  }));

Deno.test("whoever may change a gateway reads its URL whole, and can send it back; others read the origin", () =>
  withAdminApi(async ({ call }) => {
    const url = "http://127.0.0.1:9/a/path";
    const fields = { name: "hosted", url, team_id: "t1", visibility: "public" };
    const { body: { id } } = await call("POST", "/gateways", { as: callerOf("dev", {}), body: fields });
    const read = async (name: Caller, limits: Partial<Principal> = {}) =>
      (await call("GET", `/gateways/${id}`, { as: callerOf(name, limits) })).body;
    for (const name of ["dev", "owner", "ada", "key"] as const) {
      assertEquals([name, (await read(name)).url], [name, url]);
    }
    for (const name of ["member", "guest", "plain"] as const) {
      assertEquals([name, (await read(name)).url], [name, "http://127.0.0.1:9"]);
    }
    assertEquals((await read("dev", { permissions: ["gateways.read"] })).url, "http://127.0.0.1:9");
    const { status, body } = await call("PUT", `/gateways/${id}`, {
      as: callerOf("dev", {}),
      body: await read("dev"),
    });
    assertEquals([status, body.url], [200, url]);
  }));
