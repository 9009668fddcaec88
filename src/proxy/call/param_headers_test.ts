import { assertEquals, assertThrows } from "@std/assert";
import { catalogRows, gatewayRow, toolRow } from "../../../tests/support/catalog_rows.ts";
import { SluiceError } from "../../base/errors.ts";
import { Catalog } from "../../catalog/snapshot/catalog.ts";
import { checkParamHeaders, paramHeadersFor } from "./param_headers.ts";

const SCHEMA = {
  type: "object",
  properties: {
    region: { type: "string", "x-mcp-header": "Region" },
    count: { type: "integer", "x-mcp-header": "Count" },
    deep: { type: "object", properties: { flag: { type: "boolean", "x-mcp-header": "Flag" } } },
  },
};

function toolWith(inputSchema: unknown) {
  const definition = JSON.stringify({ name: "t", inputSchema });
  const rows = catalogRows({ gateways: [gatewayRow("a")], tools: [toolRow("a", "t", { definition })] });
  return new Catalog(rows).all.tools.entries[0];
}

const TOOL = toolWith(SCHEMA);
const ARGS = { region: "\u00e9t\u00e9", count: 7, deep: { flag: true } };

function fault(headers: Record<string, string>, args: unknown = ARGS): string {
  const error = assertThrows(() => checkParamHeaders(TOOL, args, new Headers(headers)), SluiceError);
  assertEquals(error.code, "HEADER_MISMATCH");
  return `${error.params.header} ${error.params.reason}`;
}

Deno.test("paramHeadersFor() repeats annotated arguments, at any depth of objects", () => {
  assertEquals(paramHeadersFor(TOOL, ARGS), [
    ["mcp-param-region", "=?base64?w6l0w6k=?="],
    ["mcp-param-count", "7"],
    ["mcp-param-flag", "true"],
  ]);
  assertEquals(paramHeadersFor(TOOL, { region: null, deep: [] }), []);
  assertEquals(paramHeadersFor(toolWith({ type: "object" }), ARGS), undefined);
});

Deno.test("paramHeadersFor() finds an annotation however its upstream has written it", () => {
  const definition = JSON.stringify({ name: "t", inputSchema: SCHEMA }).replaceAll("x-mcp", "x\\u002dmcp");
  const rows = catalogRows({ gateways: [gatewayRow("a")], tools: [toolRow("a", "t", { definition })] });
  const tool = new Catalog(rows).all.tools.entries[0]!;
  assertEquals(paramHeadersFor(tool, { count: 7 }), [["mcp-param-count", "7"]]);
});

Deno.test("checkParamHeaders() takes headers that say what the arguments say", () => {
  const headers = { "Mcp-Param-Region": "=?base64?w6l0w6k=?=", "Mcp-Param-Flag": "true" };
  checkParamHeaders(TOOL, ARGS, new Headers({ ...headers, "Mcp-Param-Count": "7.0" }));
  checkParamHeaders(TOOL, {}, new Headers({ "Mcp-Param-Unknown": "left alone" }));
});

Deno.test("checkParamHeaders() asks for no headers where a tool of an older upstream is annotated by mistake", () => {
  const tool = toolWith({
    type: "object",
    properties: { a: { type: "string", "x-mcp-header": "two words" } },
  });
  checkParamHeaders(tool, { a: "1" }, new Headers());
  assertEquals(paramHeadersFor(tool, { a: "1" }), []);
});

Deno.test("checkParamHeaders() refuses a header that is missing, broken, too much or different", () => {
  const [region, flag] = ["=?base64?w6l0w6k=?=", "true"];
  const full = { "mcp-param-region": region, "mcp-param-flag": flag, "mcp-param-count": "7" };
  assertEquals(fault({ "mcp-param-region": region, "mcp-param-count": "7" }), "mcp-param-flag is missing");
  assertEquals(fault({ ...full, "mcp-param-count": "8" }), "mcp-param-count differs from the argument");
  assertEquals(fault({ ...full, "mcp-param-flag": "True" }), "mcp-param-flag differs from the argument");
  assertEquals(
    fault({ ...full, "mcp-param-region": "=?base64?/w==?=" }),
    "mcp-param-region is not encoded correctly",
  );
  assertEquals(fault(full, { count: 7, deep: { flag: true } }), "mcp-param-region differs from the argument");
});
