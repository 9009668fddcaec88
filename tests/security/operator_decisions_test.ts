// What an operator decided about an entry outlives what its upstream says.
import { assertEquals } from "@std/assert";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { ListingUpstream } from "../support/listing_upstream.ts";

type Named = { id: string; name: string; originalName: string };

async function toolOf(gateway: Gateway, originalName: string): Promise<Named> {
  const { body } = await gateway.api("GET", "/tools?include_inactive=true");
  return body.find((tool: Named) => tool.originalName === originalName);
}

async function refresh(gateway: Gateway, id: string): Promise<void> {
  const { status, body } = await gateway.api("POST", `/gateways/${id}/tools/refresh`);
  assertEquals(status, 200, JSON.stringify(body));
}

gatewayTest("a tool that its upstream leaves out once comes back as the operator left it", async (start) => {
  await using upstream = new ListingUpstream();
  await using gateway = await start();
  upstream.tools = ["danger", "safe", "long"];
  const { id } = await gateway.registerUpstream("evil", upstream.url);
  const [danger, safe, long] = await Promise.all(
    ["danger", "safe", "long"].map((name) => toolOf(gateway, name)),
  );
  await gateway.api("POST", `/tools/${danger.id}/state?activate=false`);
  await gateway.api("PUT", `/tools/${safe.id}`, { visibility: "private", description: "Mine." });
  await gateway.api("PUT", `/tools/${long.id}`, { custom_name: "short", timeout_ms: 1234 });
  const server = await gateway.api("POST", "/servers", {
    server: { name: "s", associated_tools: [long.id] },
  });
  assertEquals(server.status, 201, JSON.stringify(server.body));

  upstream.tools = [];
  await refresh(gateway, id);
  assertEquals((await gateway.api("GET", "/tools?include_inactive=true")).body, []);
  upstream.tools = ["long", "danger", "safe"];
  await refresh(gateway, id);

  const now = await Promise.all(["danger", "safe", "long"].map((name) => toolOf(gateway, name)));
  const fields = ["id", "enabled", "visibility", "description", "name", "timeoutMs"] as const;
  const shown = now.map((tool) => fields.map((field) => (tool as unknown as Record<string, unknown>)[field]));
  assertEquals(shown, [
    [danger.id, false, "public", null, "evil-danger", null],
    [safe.id, true, "private", "Mine.", "evil-safe", null],
    [long.id, true, "public", null, "evil-short", 1234],
  ]);
  assertEquals((await gateway.api("GET", `/servers/${server.body.id}`)).body.associatedToolIds, [long.id]);
  const bob = gateway.token({ username: "bob@example.com", admin: false });
  for (const tool of ["evil-danger", "evil-safe"]) {
    const { body } = await gateway.rpc("tools/call", { name: tool, arguments: {} }, await bob);
    assertEquals(body.error?.data?.code, "TOOL_NOT_FOUND", tool);
  }
});

gatewayTest("a tool that an operator deleted does not come back into use by itself", async (start) => {
  await using upstream = new ListingUpstream();
  await using gateway = await start();
  upstream.tools = ["gone"];
  const { id } = await gateway.registerUpstream("up", upstream.url);
  await gateway.api("DELETE", `/tools/${(await toolOf(gateway, "gone")).id}`);
  await refresh(gateway, id);
  const { body } = await gateway.rpc("tools/call", { name: "up-gone", arguments: {} });
  assertEquals(body.error?.data?.code, "TOOL_NOT_FOUND");
}, { inCluster: false });
