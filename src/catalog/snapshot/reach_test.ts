import { assertEquals } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  resourceRow,
  serverRow,
  toolRow,
} from "../../../tests/support/catalog_rows.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { Catalog } from "./catalog.ts";
import { barrierTo, reachedScope } from "./reach.ts";

const TEAM = { visibility: "team", teamId: "t1" } as const;
const anybody = principal();
const member = principal({ teams: ["t1"] });

const catalog = new Catalog(catalogRows({
  gateways: [
    gatewayRow("open"),
    gatewayRow("off", { enabled: false }),
    gatewayRow("drained", { enabled: false, drainingSince: "2026-11-30T10:00:00Z" }),
    gatewayRow("team", TEAM),
    gatewayRow("empty"),
    gatewayRow("empty-team", TEAM),
    gatewayRow("tool-off"),
    gatewayRow("resources"),
  ],
  tools: [
    toolRow("open", "x"),
    toolRow("off", "x"),
    toolRow("team", "x", TEAM),
    toolRow("tool-off", "x", { enabled: false }),
  ],
  resources: [resourceRow("resources", "r:{x}")],
  servers: [
    serverRow("s", { toolIds: ["open-x", "team-x"] }),
    serverRow("hidden", { ...TEAM, toolIds: ["open-x"] }),
    serverRow("off", { enabled: false, toolIds: ["open-x"] }),
  ],
}));

Deno.test("reachedScope() gives the endpoint as long as its server is enabled and visible to the caller", () => {
  const idOf = (who: typeof anybody | null, serverId: string | null) =>
    reachedScope(catalog, { principal: who, serverId })?.server?.id;
  assertEquals(reachedScope(catalog, { principal: anybody, serverId: null }), catalog.all);
  assertEquals([idOf(anybody, "s"), idOf(anybody, "hidden"), idOf(member, "hidden")], [
    "s",
    undefined,
    "hidden",
  ]);
  assertEquals([idOf(anybody, "off"), idOf(anybody, "gone"), idOf(null, "hidden")], [
    undefined,
    undefined,
    "hidden",
  ]);
  assertEquals(idOf(principal({ serverId: "s" }), null), "s");
  assertEquals(reachedScope(catalog, { principal: principal({ serverId: "gone" }), serverId: null }), null);
});

Deno.test("barrierTo() judges an upstream by its entries at the endpoint, or by its gateway while it lists nothing", () => {
  const barriers = (who: typeof anybody | null, serverId: string | null, ids: readonly string[]) =>
    ids.map((id) => barrierTo(catalog, { principal: who, serverId }, id));
  const ids = ["open", "off", "gone", "team", "empty", "empty-team", "tool-off", "resources"];
  const [no, off, gone] = ["the caller may not use it", "it is switched off", "it was deleted"];
  assertEquals(barriers(anybody, null, ids), [null, off, gone, no, null, no, no, null]);
  assertEquals(barriers(member, null, ids), [null, off, gone, null, null, null, no, null]);
  assertEquals(barriers(member, "s", ids), [null, off, gone, null, null, null, no, no]);
  assertEquals(barriers(anybody, null, ["drained"]), ["it is being drained"]);
  assertEquals(barriers(anybody, "hidden", ["open"]), ["no endpoint"]);
  // A caller that is not known yet.
  assertEquals(barriers(null, null, ["open", "off", "team"]), [null, off, null]);
});
