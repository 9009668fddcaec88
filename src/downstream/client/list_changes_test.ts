import { assertEquals } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  resourceRow,
  serverRow,
  toolRow,
} from "../../../tests/support/catalog_rows.ts";
import { mcpServer, messagesOf } from "../../../tests/support/mcp_server.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import { announceListChanges, changedLists } from "./list_changes.ts";

const ROWS = catalogRows({
  gateways: [gatewayRow("a"), gatewayRow("b")],
  tools: [toolRow("a", "one"), toolRow("b", "two")],
  resources: [resourceRow("b", "x://{id}")],
  servers: [serverRow("s", { toolIds: ["a-one"] })],
});
const TOOLS = "notifications/tools/list_changed";

Deno.test("changedLists() names the lists that differ for an endpoint, each once", () => {
  const before = new Catalog(ROWS);
  const after = new Catalog({ ...ROWS, tools: [...ROWS.tools, toolRow("b", "three")], resources: [] });
  const said = [{ gatewayId: "b", method: TOOLS }];
  assertEquals(changedLists(before.all, after.all, said), [TOOLS, "notifications/resources/list_changed"]);
  assertEquals(changedLists(before.scope("s"), after.scope("s"), said), []);
  assertEquals(changedLists(before.all, before.all), []);
});

Deno.test("changedLists() passes an upstream's own word on to who shows that list of it", () => {
  const catalog = new Catalog(ROWS);
  const [all, small] = [catalog.all, catalog.scope("s")];
  assertEquals(changedLists(all, all, [{ gatewayId: "b", method: TOOLS }]), [TOOLS]);
  assertEquals(changedLists(small, small, [{ gatewayId: "b", method: TOOLS }]), []);
  assertEquals(changedLists(small, small, [{ gatewayId: "a", method: TOOLS }]), [TOOLS]);
  const resources = [{ gatewayId: "b", method: "notifications/resources/list_changed" }];
  assertEquals(changedLists(all, all, resources), ["notifications/resources/list_changed"]);
  assertEquals(changedLists(all, all, [{ gatewayId: "a", method: resources[0].method }]), []);
});

Deno.test("announceListChanges() tells listening sessions which lists have changed for them", async () => {
  const { send, initialize, sessions, catalog } = await mcpServer(ROWS);
  const [everything, small] = [await initialize(), await initialize("2025-11-25", { serverId: "s" })];
  const streams = [
    await send({ method: "GET", sessionId: everything }),
    await send({ method: "GET", sessionId: small, serverId: "s" }),
  ];
  assertEquals(sessions.streamCount, 2);
  announceListChanges(
    sessions,
    catalog,
    new Catalog({ ...ROWS, tools: [...ROWS.tools, toolRow("a", "new")] }),
  );
  announceListChanges(sessions, catalog, new Catalog(ROWS));
  sessions.endStreams();
  assertEquals(sessions.streamCount, 0);
  assertEquals(await Promise.all(streams.map(messagesOf)), [
    [{ jsonrpc: "2.0", method: "notifications/tools/list_changed" }],
    [],
  ]);
});

Deno.test("announceListChanges() reaches a client that has listened, at its next stream, and nobody who never has", async () => {
  const { send, initialize, sessions, catalog } = await mcpServer(ROWS);
  const [listener, other] = [await initialize(), await initialize()];
  const get = (sessionId: string) => send({ method: "GET", sessionId });
  const first = await get(listener);
  sessions.endStreams();
  await messagesOf(first);
  announceListChanges(sessions, catalog, new Catalog({ ...ROWS, tools: [] }));
  const streams = [await get(listener), await get(other)];
  sessions.endStreams();
  assertEquals((await Promise.all(streams.map(messagesOf))).map((said) => said.map(({ method }) => method)), [
    [TOOLS],
    [],
  ]);
});
