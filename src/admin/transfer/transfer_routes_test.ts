import { assertEquals, assertStringIncludes } from "@std/assert";
import { type AdminHarness, withAdminApi } from "../../../tests/support/admin_api.ts";
import { discovery, newServer } from "../../../tests/support/registry_rows.ts";
import { SluiceError } from "../../base/errors.ts";

const URL = "http://one.test/mcp";

/** As ContextForge exports: servers name tools, which the upstreams list. */
const FILE = {
  version: "2025-03-26",
  exported_at: "2026-01-01T00:00:00Z",
  source_gateway: "http://contextforge.test",
  entities: {
    gateways: [
      { name: "one", url: URL, transport: "STREAMABLEHTTP", enabled: true, auth_type: null },
      { name: "two", url: "http://two.test/mcp", transport: "STREAMABLEHTTP", enabled: true },
    ],
    servers: [{ name: "Desk", tool_ids: ["one-a"], is_active: true }],
  },
};

async function imported({ call, store }: AdminHarness, strategy = "update") {
  const body = { import_data: FILE, conflict_strategy: strategy };
  const { status, body: answer } = await call("POST", "/import", { body });
  const names = async (kind: "gateways" | "tools" | "servers") =>
    (await store[kind].list()).map(({ name }) => name).sort();
  return { status, answer, has: [await names("gateways"), await names("tools"), await names("servers")] };
}

Deno.test("an import of ContextForge's file lists its upstreams first, and writes all in one change", () =>
  withAdminApi(async (harness) => {
    harness.upstreams.set(URL, discovery({ tools: ["a", "b"] }));
    harness.upstreams.set(
      "http://two.test/mcp",
      new SluiceError("UPSTREAM_TIMEOUT", { upstream: "two" }),
    );
    const { status, answer, has } = await imported(harness);
    assertEquals([status, has], [200, [["one", "two"], ["one-a", "one-b"], ["Desk"]]]);
    assertStringIncludes(answer.warnings.join(), "gateway two is tried again later");
    const [desk] = await harness.store.servers.list();
    const tools = await harness.store.tools.list();
    assertEquals(desk.toolIds, tools.filter(({ name }) => name === "one-a").map(({ id }) => id));
    const pending = (await harness.store.gateways.list()).map(({ name, registration }) => [
      name,
      registration !== null,
    ]);
    assertEquals([pending.toSorted(), harness.changes()], [[["one", false], ["two", true]], 1]);
  }));

Deno.test("an import of ContextForge's file that another write gets in the way of leaves nothing", () =>
  withAdminApi(async (harness) => {
    const { store, upstreams } = harness;
    // The other write comes while the upstream is asked.
    let inserting: Promise<unknown> | undefined;
    upstreams.get = () => {
      inserting ??= store.servers.insert(newServer({ name: "Desk" }));
      return discovery({ tools: ["a"] });
    };
    const { status, has } = await imported(harness, "fail");
    await inserting;
    assertEquals([status, has], [409, [[], [], ["Desk"]]]);
  }));
