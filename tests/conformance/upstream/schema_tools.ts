// Tools that exist for their input schemas, which have to reach the client as they are.
import { fromJsonSchema, type McpServer } from "@modelcontextprotocol/server";

/** Keywords of JSON Schema 2020-12 that a server or a gateway may be tempted to drop (SEP-1613, SEP-2106). */
const SCHEMA_2020_12 = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
} as const;

/** An argument that clients of 2026-07-28 have to mirror into the header Mcp-Param-Region (SEP-2243). */
const SCHEMA_WITH_HEADER = {
  type: "object",
  properties: {
    region: { type: "string", description: "Where it runs", "x-mcp-header": "Region" },
    note: { type: "string", description: "Is in no header" },
  },
  required: ["region"],
} as const;

export function registerSchemaTools(server: McpServer): void {
  const echo = (given: unknown) => ({ content: [{ type: "text" as const, text: JSON.stringify(given) }] });

  server.registerTool("json_schema_2020_12_tool", {
    description: "Tool with JSON Schema 2020-12 features",
    inputSchema: fromJsonSchema(SCHEMA_2020_12),
  }, echo);

  server.registerTool("test_custom_header", {
    description: "Has an argument that is mirrored into a header",
    inputSchema: fromJsonSchema(SCHEMA_WITH_HEADER),
  }, echo);
}
