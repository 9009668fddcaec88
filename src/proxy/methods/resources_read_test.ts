import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow, resourceRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { dataPlane, requestOf } from "../../../tests/support/data_plane.ts";
import { FakeUpstream, result } from "../../../tests/support/fake_upstream.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { claimsOf } from "../../../tests/support/sessionless_parts.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";

Deno.test("resources/read lets nobody share what not everybody may see, whatever the upstream says", async () => {
  const read = JSON.stringify({ contents: [], resultType: "complete", ttlMs: 5, cacheScope: "public" });
  const upstream = new FakeUpstream(({ method, id }) =>
    method === "resources/read" ? result(id, read) : undefined
  );
  upstream.revisions = "stateless";
  const rows = catalogRows({
    gateways: [gatewayRow("a", { protocolVersion: STATELESS_REVISION, stateful: false })],
    resources: [
      resourceRow("a", "x://all"),
      resourceRow("a", "x://team", { visibility: "team", teamId: "t" }),
    ],
  });
  const { dispatcher, context } = await dataPlane(rows, { a: upstream });
  const call = context({ revision: STATELESS_REVISION, principal: principal({ teams: ["t"] }) });
  for (const [uri, cacheScope] of [["x://all", "public"], ["x://team", "private"]]) {
    const params = JSON.stringify({ uri, _meta: claimsOf() });
    const text = `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":${params}}`;
    const answer = JSON.parse(await dispatcher.respond(call, requestOf(text)));
    assertEquals([answer.result.cacheScope, answer.result.ttlMs], [cacheScope, 5], uri);
  }
});

Deno.test("resources/read finds what a tool has linked to, called by tools/call or as a method, for its caller alone", async () => {
  const upstream = new FakeUpstream(({ method, id, params }) => {
    const { name, uri } = (params ?? {}) as { name?: string; uri?: string };
    if (method === "tools/call") {
      return result(id, JSON.stringify({ content: [{ type: "resource_link", uri: `x://${name}`, name }] }));
    }
    return method === "resources/read"
      ? result(id, JSON.stringify({ contents: [{ uri, text: "" }] }))
      : undefined;
  });
  const rows = catalogRows({
    gateways: [gatewayRow("a", { capabilities: { tools: {}, resources: {} } })],
    tools: [toolRow("a", "one"), toolRow("a", "two")],
    resources: [
      resourceRow("a", "x://team", { visibility: "team", teamId: "t" }),
      resourceRow("a", "x://two", { enabled: false }),
    ],
  });
  const { dispatcher, context } = await dataPlane(rows, { a: upstream });
  const ask = async (subject: string, method: string, params: object) => {
    const call = context({ principal: principal({ subject }), toolsAsMethods: true });
    const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const { result, error } = JSON.parse(await dispatcher.respond(call, requestOf(text)));
    return result?.contents?.[0].uri ?? error?.data.code;
  };
  const read = (subject: string, uri: string) => ask(subject, "resources/read", { uri });
  for (
    const [subject, method, params] of [["ann", "a-one", {}], ["bob", "tools/call", {
      name: "a-one",
    }]] as const
  ) {
    assertEquals(await read(subject, "x://one"), "RESOURCE_NOT_FOUND");
    await ask(subject, method, params);
    assertEquals(await read(subject, "x://one"), "x://one", method);
  }
  await ask("ann", "a-two", {});
  for (const uri of ["x://two", "x://team", "x://other"]) {
    assertEquals(await read("ann", uri), "RESOURCE_NOT_FOUND", uri);
  }
  assertEquals(await read("eve", "x://one"), "RESOURCE_NOT_FOUND");
});
