import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow } from "../../../tests/support/catalog_rows.ts";
import { principal, settle } from "../../../tests/support/fakes.ts";
import { ownListsDeps } from "../../../tests/support/own_lists.ts";
import { ClientMemory } from "../../base/sharing/client_memory.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { UpstreamChannel } from "../../upstream/session/upstream_channel.ts";
import { OwnLists } from "./own_lists.ts";

const TOOLS = "notifications/tools/list_changed";

/** A client with an upstream session that lists one tool. */
function setUp(memory: ClientMemory) {
  const catalog = new Catalog(catalogRows({ gateways: [gatewayRow("g")] }));
  const results: string[] = [];
  const told: string[] = [];
  const deps = ownListsDeps({ catalog: () => catalog, memory, countRead: (result) => results.push(result) });
  const bound = new BoundSessions();
  const listener = {
    serverId: null,
    principal: principal(),
    since: null as string | null,
    hears: () => true,
    notify: (text: string) => told.push(JSON.parse(text).method),
  };
  const lists = new OwnLists(deps, listener, bound, { issuer: null, subject: "ann" });
  const session = {
    isStateful: true,
    closed: false,
    protocolVersion: "2025-11-25",
    requestCount: 1,
    request: () =>
      Promise.resolve({ text: '{"tools":[{"name":"own","inputSchema":{"type":"object"}}]}', failed: false }),
  } as unknown as UpstreamChannel;
  const report = async () => {
    lists.changed("g", TOOLS, session);
    await settle(50);
  };
  const names = () => lists.over(catalog.all).tools.entries.map(({ originalKey }) => originalKey);
  return { lists, bound, results, told, report, names, memory };
}

Deno.test("OwnLists shows what a session reports, tells it once, and counts it as the caller's memory", async () => {
  const { bound, results, told, report, names, memory } = setUp(new ClientMemory(1_000_000));
  await report();
  assertEquals([names(), results, told], [["own"], ["own"], [TOOLS]]);
  assertEquals(memory.chars > 0, true);
  await report();
  assertEquals([told, results.length], [[TOOLS], 1], "a report soon after waits");
  await bound.end();
  assertEquals(memory.chars, 0);
});

Deno.test("OwnLists shows the registry's lists if the caller has no memory left", async () => {
  const { bound, results, told, report, names } = setUp(new ClientMemory(10));
  await report();
  assertEquals([names(), results, told], [[], ["refused", "own"], []]);
  await bound.end();
});
