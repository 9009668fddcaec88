import { assertEquals, assertThrows } from "@std/assert";
import {
  catalogRows,
  gatewayRow,
  promptRow,
  resourceRow,
  serverRow,
  toolRow,
} from "../../tests/support/catalog_rows.ts";
import { principal } from "../../tests/support/fakes.ts";
import { SluiceError } from "../base/errors.ts";
import { Catalog } from "./catalog.ts";
import { resolvePrompt, resolveResource, resolveTool } from "./resolver.ts";

const GATEWAYS = [gatewayRow("a"), gatewayRow("b")];
const HIDDEN = { visibility: "team", teamId: "t1" } as const;
const anybody = principal();
const member = principal({ teams: ["t1"] });

function failure(run: () => unknown): SluiceError {
  return assertThrows(run, SluiceError);
}

Deno.test("Catalog keeps only what is enabled and comes from an enabled gateway", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [gatewayRow("a"), gatewayRow("off", { enabled: false })],
    tools: [
      toolRow("a", "on"),
      toolRow("a", "off", { enabled: false }),
      toolRow("off", "x"),
      toolRow("gone", "x"),
      toolRow("a", "rest", { gatewayId: null }),
    ],
  }));
  assertEquals(all.tools.entries.map(({ key }) => key), ["a-on"]);
});

Deno.test("Catalog lists an upstream's object verbatim but for the name", () => {
  const definition =
    '{ "x-new": 1.0, "name":"echo", "inputSchema":{"$defs":{},"name":"inner"}, "big":12345678901234567890 }';
  const { all } = new Catalog(
    catalogRows({ gateways: GATEWAYS, tools: [toolRow("a", "echo", { definition })] }),
  );
  assertEquals(
    all.tools.listText,
    '{ "x-new": 1.0, "name":"a-echo", "inputSchema":{"$defs":{},"name":"inner"}, "big":12345678901234567890 }',
  );
});

Deno.test("Catalog puts the operator's words in place of the upstream's", () => {
  const definition = '{"name":"echo","description":"theirs","title":"Theirs"}';
  const given = { definition, description: "ours", displayName: "Ours" };
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "echo", given)],
    prompts: [promptRow("a", "ask", { description: "ours" })],
  }));
  assertEquals(JSON.parse(all.tools.listText), { name: "a-echo", description: "ours", title: "Ours" });
  assertEquals(JSON.parse(all.prompts.listText), { name: "a-ask", description: "ours" });
});

Deno.test("Catalog tells resources from templates, and leaves both verbatim", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [
      resourceRow("a", "x://1", { definition: '{"uri":"x://1", "n":1.0}' }),
      resourceRow("a", "x://{id}"),
    ],
  }));
  assertEquals(all.resources.listText, '{"uri":"x://1", "n":1.0}');
  assertEquals(all.templates.entries.map(({ key }) => key), ["x://{id}"]);
});

Deno.test("Catalog.scope() shows a virtual server's members in its order, and no server that is off or unknown", () => {
  const catalog = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "x"), toolRow("a", "y"), toolRow("b", "z", { enabled: false })],
    servers: [
      serverRow("s", { toolIds: ["a-y", "b-z", "gone", "a-x"] }),
      serverRow("off", { enabled: false }),
    ],
  }));
  assertEquals(catalog.scope("s")!.tools.entries.map(({ key }) => key), ["a-y", "a-x"]);
  assertEquals(catalog.scope("off"), undefined);
  assertEquals(catalog.scope("nothing"), undefined);
  assertEquals(catalog.scope(null), catalog.all);
});

Deno.test("resolveTool() finds our name first, the upstream's where it means one tool", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    tools: [toolRow("a", "echo"), toolRow("b", "add"), toolRow("b", "a-echo")],
  }));
  assertEquals(resolveTool(all, "a-echo", anybody).gateway.id, "a");
  assertEquals(resolveTool(all, "add", anybody).key, "b-add");
  assertEquals(failure(() => resolveTool(all, "nothing", anybody)).code, "TOOL_NOT_FOUND");
});

Deno.test("resolveTool() refuses an original name of several tools and names them, as far as the caller sees them", () => {
  const { all } = new Catalog(catalogRows({
    gateways: [...GATEWAYS, gatewayRow("c")],
    tools: [toolRow("b", "echo"), toolRow("a", "echo"), toolRow("c", "echo", HIDDEN)],
  }));
  const error = failure(() => resolveTool(all, "echo", anybody));
  assertEquals([error.code, error.params.candidates], ["NAME_AMBIGUOUS", "a-echo, b-echo"]);
  assertEquals(failure(() => resolveTool(all, "echo", member)).params.candidates, "a-echo, b-echo, c-echo");
});

Deno.test("resolveTool() does not find, by any name, what the caller may not see", () => {
  const { all } = new Catalog(
    catalogRows({ gateways: GATEWAYS, tools: [toolRow("a", "echo", HIDDEN), toolRow("b", "echo")] }),
  );
  assertEquals(failure(() => resolveTool(all, "a-echo", anybody)).code, "TOOL_NOT_FOUND");
  // To this caller the name means one tool.
  assertEquals(resolveTool(all, "echo", anybody).key, "b-echo");
  assertEquals(resolveTool(all, "a-echo", member).key, "a-echo");
});

Deno.test("resolvePrompt() resolves like a tool", () => {
  const { all } = new Catalog(
    catalogRows({ gateways: GATEWAYS, prompts: [promptRow("a", "ask"), promptRow("b", "ask")] }),
  );
  assertEquals(resolvePrompt(all, "b-ask", anybody).gateway.id, "b");
  assertEquals(failure(() => resolvePrompt(all, "ask", anybody)).code, "NAME_AMBIGUOUS");
  assertEquals(failure(() => resolvePrompt(all, "x", anybody)).code, "PROMPT_NOT_FOUND");
});

Deno.test("resolveResource() prefers a listed URI to a template, and takes a template by its own text", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [resourceRow("a", "x://{id}"), resourceRow("b", "x://1")],
  }));
  assertEquals(resolveResource(all, "x://1", anybody).gateway.id, "b");
  assertEquals(resolveResource(all, "x://2", anybody).gateway.id, "a");
  assertEquals(resolveResource(all, "x://{id}", anybody).gateway.id, "a");
  assertEquals(failure(() => resolveResource(all, "y://1", anybody)).code, "RESOURCE_NOT_FOUND");
});

Deno.test("resolveResource() reads a shared URI from the first upstream that the caller may see", () => {
  const { all } = new Catalog(catalogRows({
    gateways: GATEWAYS,
    resources: [
      resourceRow("a", "x://1", HIDDEN),
      resourceRow("b", "x://1"),
      resourceRow("a", "t://{id}", HIDDEN),
      resourceRow("b", "t://{id}"),
    ],
  }));
  for (const uri of ["x://1", "t://{id}", "t://5"]) {
    assertEquals(resolveResource(all, uri, anybody).gateway.id, "b", uri);
    assertEquals(resolveResource(all, uri, member).gateway.id, "a", uri);
  }
});
