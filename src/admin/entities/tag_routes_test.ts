import { assertEquals } from "@std/assert";
import { ALICE, withAdminApi } from "../../../tests/support/admin_api.ts";
import { discovery } from "../../../tests/support/registry_rows.ts";

Deno.test("GET /tags counts the entities of each tag, and lists those that the caller may see", () =>
  withAdminApi(async ({ call, upstreams, store }) => {
    const url = "http://127.0.0.1:9000/mcp";
    upstreams.set(url, discovery({ tools: ["a", "b"], resources: ["r:1"], prompts: ["p"] }));
    await call("POST", "/gateways", { body: { name: "one", url, tags: "ops, Support Desk" } });
    const server = { name: "s", description: "d", tags: ["Support Desk"], visibility: "private" };
    const { body: { id } } = await call("POST", "/servers", { body: { server } });
    for (const row of await store.tools.list()) {
      await call("PUT", `/tools/${row.id}`, {
        body: { tags: [{ id: "support-desk", label: "support_desk" }] },
      });
    }
    const [resource] = await store.resources.list();
    await call("PUT", `/resources/${resource.id}`, { body: { tags: ["Ops"] } });
    const none = { tools: 0, resources: 0, prompts: 0, servers: 0, gateways: 0 };
    assertEquals((await call("GET", "/tags")).body, [
      { name: "ops", stats: { ...none, resources: 1, gateways: 1, total: 2 }, entities: [] },
      { name: "support-desk", stats: { ...none, tools: 2, servers: 1, gateways: 1, total: 4 }, entities: [] },
    ]);
    const some = await call("GET", "/tags?entity_types=resources%2CServers%2Cgrapes&include_entities=true");
    assertEquals(some.body.map(({ name }: { name: string }) => name), ["ops", "support-desk"]);
    assertEquals(some.body[1].entities, [{ id, name: "s", type: "server", description: "d" }]);

    for (const tag of ["support-desk", "Support%20Desk", "SUPPORT_DESK"]) {
      const { body } = await call("GET", `/tags/${tag}/entities`);
      const found = body.map(({ name, type }: Record<string, string>) => `${type} ${name}`);
      assertEquals(found, ["tool one-a", "tool one-b", "server s", "gateway one"], tag);
    }
    const seen = await call("GET", "/tags/support-desk/entities?entity_types=servers,gateways", {
      as: ALICE,
    });
    assertEquals(seen.body.map(({ name }: { name: string }) => name), ["one"]);
    assertEquals((await call("GET", "/tags/absent/entities")).body, []);
    assertEquals((await call("GET", "/tags", { as: { ...ALICE, permissions: ["tools.read"] } })).status, 403);
  }));

Deno.test("associated_tags and ?tags= take the id of a tag, its label, or both", () =>
  withAdminApi(async ({ call, upstreams }) => {
    const url = "http://127.0.0.1:9000/mcp";
    upstreams.set(url, discovery({ tools: ["a"] }));
    await call("POST", "/gateways", { body: { name: "one", url, tags: ["Support Desk"] } });
    const written = ["support-desk", "SUPPORT DESK", { id: "support-desk", label: "Support Desk" }, {
      id: "support-desk",
    }];
    for (const [i, tag] of written.entries()) {
      const { body } = await call("POST", "/servers", {
        body: { server: { name: `s${i}`, associated_tags: [tag] } },
      });
      assertEquals((await call("GET", `/servers/${body.id}/tools`)).body.length, 1);
      assertEquals((await call("PUT", `/servers/${body.id}`, { body })).status, 200);
    }
    assertEquals((await call("GET", "/gateways?tags=x,support-desk")).body.length, 1);
    assertEquals((await call("GET", "/gateways?tags=Support%20Desk")).body.length, 1);
    assertEquals((await call("GET", "/gateways?tags=support")).body.length, 0);
  }));
