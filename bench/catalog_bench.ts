// Finding a tool among 10,000, and making the snapshot that it is found in.
import { ANONYMOUS } from "../src/auth/authenticate.ts";
import { Catalog } from "../src/catalog/snapshot/catalog.ts";
import { resolveTool } from "../src/catalog/snapshot/resolver.ts";
import { catalogRows, gatewayRow, toolRow } from "../tests/support/catalog_rows.ts";

const tools = Array.from(
  { length: 10_000 },
  (_, i) => toolRow("g", `tool_${i}`, { id: `t${i}`, name: `g-tool-${i}`, position: i }),
);
const rows = catalogRows({ gateways: [gatewayRow("g")], tools });
const { all } = new Catalog(rows);

Deno.bench("resolveTool() by our name, 10,000 tools", { group: "resolve", baseline: true }, () => {
  resolveTool(all, "g-tool-5000", ANONYMOUS);
});

Deno.bench("resolveTool() by the upstream's name", { group: "resolve" }, () => {
  resolveTool(all, "tool_5000", ANONYMOUS);
});

Deno.bench("Catalog of 10,000 tools", { group: "snapshot" }, () => {
  new Catalog(rows);
});
