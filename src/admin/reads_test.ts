import { VARIES } from "../http/representation/accepted.ts";
import { CallerTurns } from "../base/sharing/caller_turns.ts";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { ADMIN, type AdminHarness, ALICE, withAdminApi } from "../../tests/support/admin_api.ts";
import { SERVED } from "../../tests/support/fakes.ts";
import { discovery } from "../../tests/support/registry_rows.ts";
import { ANONYMOUS } from "../auth/authenticate.ts";
import type { Principal } from "../auth/principal.ts";
import { SluiceError } from "../base/errors.ts";
import type { RowChanges } from "../store/registry/entities.ts";
import type { PromptRow } from "../store/registry/rows.ts";
import { ResponseCache } from "../http/representation/response_cache.ts";
import { AdminEndpoint } from "./endpoint.ts";

const KEPT = [
  "/tools",
  "/resources",
  "/resources/templates/list",
  "/prompts",
  "/servers",
  "/servers/s1/tools",
  "/servers/s1/resources",
  "/v1/servers/s1/prompts",
  "/admin/tools?page=1",
  "/admin/resources",
  "/admin/prompts",
  "/admin/servers",
  "/tags?include_entities=true",
  "/tags/x/entities",
];

/** Reads with a permission that are not cached: gateways and executions change without the catalog, contents come from the upstream. */
const NOT_KEPT = [
  "/v1/tools/TOOL",
  "/resources/RESOURCE/info",
  "/servers/s1",
  "/gateways",
  "/gateways/GATEWAY",
  "/resources/RESOURCE",
  "/prompts/PROMPT",
  "/admin/gateways",
  "/tokens/revoked",
];

type Get = (
  path: string,
  given?: { as?: Principal; headers?: Record<string, string>; method?: string },
) => Promise<{ status: number; headers: Headers; text: string }>;

interface Harness extends AdminHarness {
  /** Reads from a worker with a cache. */
  readonly get: Get;
  /** Reads from a worker without a cache. */
  readonly getNew: Get;
  /** The values of the names in capitals above. */
  readonly ids: Readonly<Record<string, string>>;
}

/** One gateway with two tools, two resources, a template and a prompt, and the virtual server s1 with all of them. */
function withReads(run: (harness: Harness) => Promise<void>): Promise<void> {
  return withAdminApi(async (admin) => {
    const cache = new ResponseCache({
      version: () => admin.store.readCatalogVersion(),
      clock: { now: () => 0 },
      maxBytes: 1 << 20,
      count: () => {},
    });
    const getFrom = (cache: ResponseCache | null): Get => {
      const endpoint = new AdminEndpoint(admin.api, {
        clientOf: () => "192.0.2.1",
        readBody: () => Promise.reject(new Error("a read has no body")),
        maxJsonDepth: 10,
        turns: new CallerTurns(5),
        cache,
      });
      return async (path, { as = ADMIN, headers = {}, method = "GET" } = {}) => {
        const real = path.replace(/[A-Z]{4,}/, (name) => ids[name] ?? name);
        const request = new Request(`http://gateway${real}`, { method, headers });
        const pathname = real.split("?")[0];
        try {
          const served = endpoint.route(pathname)!.serve({
            request,
            path: pathname,
            principal: as,
            info: SERVED,
          });
          const response = await served;
          return { status: response.status, headers: response.headers, text: await response.text() };
        } catch (error) {
          if (!(error instanceof SluiceError)) throw error;
          return { status: error.row.http, headers: new Headers(), text: error.message };
        }
      };
    };
    admin.upstreams.set(
      "http://up/mcp",
      discovery({ tools: ["a", "b"], resources: ["r:1", "r:2"], templates: ["t:{x}"], prompts: ["p"] }),
    );
    const { body } = await admin.call("POST", "/gateways", { body: { name: "up", url: "http://up/mcp" } });
    const [tool, other] = await admin.store.tools.list();
    const [resource] = await admin.store.resources.list();
    const [prompt] = await admin.store.prompts.list();
    await admin.store.prompts.update(prompt.id, {
      definition: JSON.stringify({ name: "p" }),
    } as RowChanges<PromptRow>);
    const ids: Harness["ids"] = {
      GATEWAY: body.id,
      TOOL: tool.id,
      OTHER: other.id,
      RESOURCE: resource.id,
      PROMPT: prompt.id,
    };
    const server = {
      id: "s1",
      name: "all",
      associated_tools: [tool.id, other.id],
      associated_resources: [resource.id],
      associated_prompts: [prompt.id],
    };
    await admin.call("POST", "/servers", { body: { server } });
    await run({ ...admin, ids, get: getFrom(cache), getNew: getFrom(null) });
  });
}

Deno.test("A cached read is answered from memory until the catalog version changes; other reads never are", () =>
  withReads(async ({ get, call, ids }) => {
    for (const path of KEPT) {
      const first = await get(path);
      const second = await get(path);
      assertEquals([first.status, first.headers.get("x-cache-status")], [200, "MISS"], path);
      assertEquals([second.status, second.headers.get("x-cache-status")], [200, "HIT"], path);
      assertEquals([second.text, second.headers.get("etag")], [first.text, first.headers.get("etag")]);
    }
    for (const path of NOT_KEPT) {
      for (let i = 0; i < 2; i++) {
        const { status, headers } = await get(path);
        assertEquals([status, headers.get("x-cache-status")], [200, "BYPASS"], path);
        assert(headers.get("etag") !== null, path);
      }
    }
    await call("PUT", `/tools/${ids.TOOL}`, { body: { description: "new words" } });
    const { headers, text } = await get("/tools");
    assertEquals([headers.get("x-cache-status"), text.includes("new words")], ["MISS", true]);
  }));

Deno.test("Every read with a permission has an entity tag and can be answered 304; health and readiness have none", () =>
  withReads(async ({ get, getNew }) => {
    for (const path of [...KEPT, ...NOT_KEPT]) {
      for (const from of [get, get, getNew]) {
        const { headers } = await from(path);
        assertEquals(
          [headers.get("cache-control"), headers.get("vary"), headers.get("content-type")],
          ["private, no-cache", VARIES, "application/json"],
        );
        const etag = headers.get("etag")!;
        for (const method of ["GET", "HEAD"]) {
          const again = await from(path, { method, headers: { "if-none-match": `"x", W/${etag}` } });
          assertEquals([again.status, again.text, again.headers.get("etag")], [304, "", etag], path);
          assertEquals(
            [again.headers.get("cache-control"), again.headers.get("vary")],
            ["private, no-cache", VARIES],
          );
        }
      }
    }
    const { status, headers } = await get("/health", { headers: { "if-none-match": "*" } });
    assertEquals([status, headers.get("etag"), headers.get("x-cache-status")], [200, null, null]);
    assertEquals((await getNew("/tools")).headers.get("x-cache-status"), "BYPASS");
  }));

Deno.test("A refusal is not cached, has no entity tag, and wins over an answer cached for another caller", () =>
  withReads(async ({ get }) => {
    await get("/tools");
    for (
      const [path, as, status] of [
        ["/tools", { ...ADMIN, permissions: ["servers.read"] }, 403],
        ["/tools", { ...ADMIN, serverId: "s1" }, 403],
        ["/tools/none", ADMIN, 404],
        ["/tools?limit=none", ADMIN, 422],
      ] as const
    ) {
      for (let i = 0; i < 2; i++) {
        const refused = await get(path, { as, headers: { "if-none-match": "*" } });
        assertEquals([refused.status, refused.headers.get("etag")], [status, null], path);
      }
    }
  }));

Deno.test("The next read of a gateway shows the result of a health check or refresh, without a change of the catalog", () =>
  withReads(async ({ get, store, call, ids }) => {
    const before = await get("/gateways/GATEWAY");
    const seenBefore = await store.readCatalogVersion();
    const row = (await store.gateways.get(ids.GATEWAY))!;
    assert(await store.saveHealth(row, { lastError: "refused", lastSeen: "2026-11-22T00:00:00.000Z" }));
    const noted = await get("/gateways/GATEWAY");
    assertEquals(JSON.parse(noted.text).lastError, "refused");
    await call("POST", `/gateways/${ids.GATEWAY}/tools/refresh`);
    const refreshed = await get("/gateways/GATEWAY");
    assertEquals([JSON.parse(refreshed.text).lastError, await store.readCatalogVersion()], [
      null,
      seenBefore,
    ]);
    const tags = [before, noted, refreshed].map(({ headers }) => headers.get("etag"));
    assertEquals(new Set(tags).size, 3);
  }));

Deno.test("A cached answer equals a fresh one, for any caller and any sequence of reads and writes", () => {
  const team = fc.constantFrom("t1", "t2");
  const who = fc.record({
    kind: fc.constantFrom("user" as const, "anonymous" as const),
    email: fc.constantFrom("alice@x", "bob@x"),
    isAdmin: fc.boolean(),
    teams: fc.option(fc.array(team, { maxLength: 2 })),
  }).map((given): Principal => ({ ...ANONYMOUS, ...given }));
  const visibility = fc.constantFrom(
    { visibility: "public" },
    { visibility: "team", team_id: "t1" },
    { visibility: "team", team_id: "t2" },
    { visibility: "private", owner_email: "alice@x" },
    { visibility: "private", owner_email: "bob@x" },
  );
  const query = fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    fc.constantFrom("?include_inactive=true", "?limit=1", "?include_pagination=true&limit=1", "?tags=x"),
  );
  const read = fc.record({ as: who, path: fc.constantFrom(...KEPT, ...NOT_KEPT), query });
  const put = (path: string, body: fc.Arbitrary<Record<string, unknown>>) =>
    fc.record({ method: fc.constant("PUT"), path: fc.constant(path), body });
  const post = (path: string) =>
    fc.record({ method: fc.constant("POST"), path: fc.constant(path), body: fc.constant(undefined) });
  const write = fc.oneof(
    put("/tools/TOOL", visibility),
    put("/gateways/GATEWAY", visibility),
    put("/servers/s1", visibility),
    put("/tools/OTHER", fc.constantFrom({ tags: ["x"] }, { tags: [] }, { custom_name: "c" })),
    post("/tools/OTHER/state?activate=false"),
    post("/gateways/GATEWAY/state?activate=false"),
    post("/gateways/GATEWAY/state"),
    post("/gateways/GATEWAY/tools/refresh"),
  );
  const step = fc.oneof(
    { weight: 8, arbitrary: read },
    { weight: 2, arbitrary: fc.constant("health note" as const) },
    { weight: 1, arbitrary: write },
  );
  return withReads(async ({ get, getNew, call, store, ids }) => {
    let hits = 0;
    let notes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
        for (const each of steps) {
          if (each === "health note") {
            // As the health checks do. Only a change of `reachable` concerns the catalog.
            const row = (await store.gateways.get(ids.GATEWAY))!;
            assert(await store.saveHealth(row, { lastError: `failed ${++notes} times` }));
          } else if ("as" in each) {
            const target = each.path + each.query;
            // Twice: with a cache, the second answer is cached.
            await get(target, each);
            const [given, fresh] = [await get(target, each), await getNew(target, each)];
            assertEquals([given.status, given.text, given.headers.get("etag")], [
              fresh.status,
              fresh.text,
              fresh.headers.get("etag"),
            ]);
            if (given.headers.get("x-cache-status") === "HIT") hits++;
          } else {
            const path = each.path.replace(/[A-Z]{4,}/, (name) => ids[name]);
            assertEquals((await call(each.method, path, { body: each.body })).status, 200);
          }
        }
      }),
      { numRuns: 200 },
    );
    assertNotEquals(hits, 0);
  });
});

Deno.test("Callers with the same visibility share a cached answer; others have separate ones", () =>
  withReads(async ({ get, call, ids }) => {
    await call("PUT", `/tools/${ids.TOOL}`, { body: { visibility: "team", team_id: "t1" } });
    const bob = { ...ALICE, email: "bob@x", teams: [] };
    const status = async (as: Principal) => (await get("/tools", { as })).headers.get("x-cache-status");
    assertEquals([await status(bob), await status(ANONYMOUS)], ["MISS", "HIT"]);
    assertEquals([await status(ALICE), await status({ ...ALICE, jti: "renewed" })], ["MISS", "HIT"]);
    const amount = async (as: Principal) => JSON.parse((await get("/tools", { as })).text).length;
    assertEquals([await amount(bob), await amount(ALICE), await amount(ADMIN)], [1, 2, 2]);
  }));
