import { assertEquals } from "@std/assert";
import { argumentsFor } from "./tool_choice.ts";

const tool = (properties: unknown, required: string[]) => ({
  inputSchema: { type: "object", properties, required },
});

Deno.test("argumentsFor() fills what a schema requires: what it names, else the simplest of the type", () => {
  const properties = {
    zone: { type: "string", default: "UTC" },
    unit: { enum: ["c", "f"] },
    count: { type: "integer", minimum: 3 },
    isExact: { type: "boolean" },
    tags: { type: "array" },
    at: { type: "string", format: "date-time" },
    place: { type: "object", properties: { name: { type: ["string", "null"] } }, required: ["name"] },
    optional: { type: "string" },
  };
  assertEquals(
    argumentsFor(tool(properties, ["zone", "unit", "count", "isExact", "tags", "at", "place", "odd"]), false),
    {
      zone: "UTC",
      unit: "c",
      count: 3,
      isExact: false,
      tags: [],
      at: "2026-01-15T09:00:00Z",
      place: { name: "text" },
      odd: "text",
    },
  );
  assertEquals(argumentsFor({}, false), {});
});

Deno.test("argumentsFor() gives a payload the first free text", () => {
  const message = { message: { type: "string" }, unit: { type: "string", enum: ["c"] } };
  assertEquals(argumentsFor(tool(message, ["message"]), true), { message: "{payload}" });
  assertEquals(argumentsFor(tool(message, []), true), { message: "{payload}" });
  assertEquals(argumentsFor(tool({ n: { type: "number" } }, ["n"]), true), { n: 1 });
});
