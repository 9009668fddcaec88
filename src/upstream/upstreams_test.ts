import { assertEquals, assertThrows } from "@std/assert";
import { gatewayRow, toolRow } from "../../tests/support/catalog_rows.ts";
import { dataPlane } from "../../tests/support/data_plane.ts";
import { FakeUpstream } from "../../tests/support/fake_upstream.ts";
import { call } from "../../tests/support/pooled_upstream.ts";
import { SluiceError } from "../base/errors.ts";

Deno.test("Upstreams.forCallUnderWay() serves a call of another worker while the upstream is drained, and not when it is off", async () => {
  const rows = { gateways: [gatewayRow("a")], tools: [toolRow("a", "x")] };
  const { upstreams } = await dataPlane(rows, { a: new FakeUpstream() });
  const drained = gatewayRow("a", { enabled: false, drainingSince: "2026-11-30T10:00:00Z" });
  await upstreams.update([drained]);
  assertThrows(() => upstreams.get("a"), SluiceError, "it is being drained");
  const { text } = await upstreams.forCallUnderWay("a").request("tools/call", "{}", call({ bound: null }));
  assertEquals(text, '{"ok":true}');
  await upstreams.update([{ ...drained, drainingSince: null }]);
  assertThrows(() => upstreams.forCallUnderWay("a"), SluiceError, "it is switched off");
});
