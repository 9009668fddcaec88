import { assertEquals } from "@std/assert";
import { catalogRows, gatewayRow, serverRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import type { RemovedEntry, ToolRow } from "../../store/registry/rows.ts";
import { Catalog } from "../snapshot/catalog.ts";
import { createNaming } from "../snapshot/tool_name.ts";
import { equalsCatalog, overlaid, ownList } from "./overlay.ts";

const naming = createNaming({ separator: "-", maxLength: 60 });

function listed(...names: string[]) {
  return ownList(
    names.map((name) => ({ key: name, text: JSON.stringify({ name, inputSchema: {} }), sessionText: null })),
  );
}

function row(name: string, more: Partial<ToolRow> = {}): ToolRow {
  return toolRow("g", name, {
    id: name,

    name: `gate-${name}`,
    definition: JSON.stringify({ name, inputSchema: {} }),
    sessionDefinition: null,
    ...more,
  });
}

const GATEWAY = gatewayRow("g", { name: "gate", slug: "gate", tags: ["team"] });

function catalogOf(tools: ToolRow[], removed: RemovedEntry[] = []) {
  const servers = [
    serverRow("whole", { gatewayIds: ["g"] }),
    serverRow("tagged", { memberTags: ["team"], naming: "original" }),
    serverRow("narrowed", { gatewayIds: ["g"], excluded: ["secret"] }),
    serverRow("chosen", { toolIds: ["open"] }),
  ];
  return new Catalog(catalogRows({ gateways: [GATEWAY], tools, servers, removed }));
}

function namesAt(catalog: Catalog, serverId: string | null, ...names: string[]): string[] {
  const own = new Map([["g", { tool: listed(...names) }]]);
  return overlaid(catalog, catalog.scope(serverId)!, own, naming).tools.entries.map(({ key }) => key);
}

Deno.test("overlaid() shows an entry of the session where everything of its upstream is", () => {
  const catalog = catalogOf([row("open")]);
  assertEquals(namesAt(catalog, null, "open", "secret"), ["gate-open", "gate-secret"]);
  assertEquals(namesAt(catalog, "whole", "open", "secret"), ["gate-open", "gate-secret"]);
  assertEquals(namesAt(catalog, "tagged", "open", "secret"), ["open", "secret"]);
  assertEquals(namesAt(catalog, "narrowed", "open", "secret"), ["gate-open"]);
  assertEquals(namesAt(catalog, "chosen", "open", "secret"), ["gate-open"]);
});

Deno.test("overlaid() keeps the operator's names and switches, and hides what the session does not list", () => {
  const catalog = catalogOf([
    row("open", { enabled: false }),
    row("other", { name: "gate-mine", customName: "mine" }),
  ]);
  assertEquals(namesAt(catalog, null, "open", "other", "secret"), ["gate-mine", "gate-secret"]);
  const own = new Map([["g", { tool: listed("secret") }]]);
  const { tools } = overlaid(catalog, catalog.all, own, naming);
  assertEquals(tools.entries.map(({ key }) => key), ["gate-secret"]);
  assertEquals(tools.get("gate-mine")?.isOn, false, "nothing else has its name");
});

Deno.test("overlaid() gives new entries names that nobody has", () => {
  const catalog = catalogOf([row("a b")].map((each) => ({ ...each, name: "gate-a-b" })));
  assertEquals(namesAt(catalog, null, "a b", "a-b"), ["gate-a-b", "gate-a-b-2"]);
});

Deno.test("overlaid() respects what an operator decided before the registry lost the entry", () => {
  const { definition: _, sessionDefinition: __, ...off } = row("secret", { enabled: false });
  const removed = (more: Partial<ToolRow>, serverIds: string[]): RemovedEntry => ({
    gatewayId: "g",
    kind: "tool",
    key: "secret",
    row: { ...off, ...more },
    serverIds,
  });
  assertEquals(namesAt(catalogOf([row("open")], [removed({}, [])]), null, "open", "secret"), ["gate-open"]);
  const chosen = catalogOf([row("open")], [removed({ enabled: true }, ["chosen"])]);
  assertEquals(namesAt(chosen, "chosen", "open", "secret"), ["gate-open", "gate-secret"]);
});

Deno.test("equalsCatalog() compares entries, not their order", () => {
  const catalog = catalogOf([row("a"), row("b")]);
  assertEquals(equalsCatalog(catalog, "g", "tool", listed("b", "a")), true);
  assertEquals(equalsCatalog(catalog, "g", "tool", listed("a")), false);
  assertEquals(equalsCatalog(catalog, "g", "tool", listed("a", "c")), false);
});

Deno.test("overlaid() shows the approved version of what a session lists, where changes wait for an approval", () => {
  const text = (name: string, description: string) =>
    JSON.stringify({ name, description, inputSchema: { type: "object" } });
  const session = ownList(
    ["open", "secret", "evil"].map((name) => ({ key: name, text: text(name, "EVIL"), sessionText: null })),
  );
  const own = new Map([["g", { tool: session }]]);
  const tools = [row("open", { definition: text("open", "good") })];
  const unlisted = [{
    kind: "tool" as const,
    key: "secret",
    text: text("secret", "good"),
    sessionText: null,
  }];
  const approvals = [{ gatewayId: "g", pending: 0, unlisted, heldUris: [] }];
  const catalog = new Catalog(catalogRows({ gateways: [GATEWAY], tools, approvals }));
  const shown = overlaid(catalog, catalog.all, own, naming).tools;
  assertEquals(shown.entries.map(({ key }) => key), ["gate-open", "gate-secret"]);
  assertEquals([shown.listText.includes("EVIL"), shown.get("gate-evil")], [false, undefined]);
  assertEquals(equalsCatalog(catalog, "g", "tool", ownList([session.get("open")!])), true);
  assertEquals(
    equalsCatalog(catalog, "g", "tool", ownList(["open", "evil"].map((name) => session.get(name)!))),
    false,
  );
  const unguarded = new Catalog(catalogRows({ gateways: [GATEWAY], tools }));
  assertEquals(equalsCatalog(unguarded, "g", "tool", ownList([session.get("open")!])), false);
});
