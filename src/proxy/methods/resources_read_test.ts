import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow, resourceRow } from "../../../tests/support/catalog_rows.ts";
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
