import { assertEquals } from "@std/assert";
import { annotationFault, paramAnnotations } from "./param_annotations.ts";

const schema = (properties: Record<string, unknown>) => ({ type: "object", properties });
const string = (header: unknown) => ({ type: "string", "x-mcp-header": header });

Deno.test("paramAnnotations() finds members of objects at any depth, none in arrays", () => {
  const deep = schema({ flag: { type: "boolean", "x-mcp-header": "Flag" } });
  const list = { type: "array", items: schema({ x: string("X") }) };
  assertEquals(paramAnnotations(schema({ region: string("Region"), deep, list, plain: {} })), [
    { header: "mcp-param-region", path: ["region"] },
    { header: "mcp-param-flag", path: ["deep", "flag"] },
  ]);
  assertEquals(paramAnnotations(undefined), []);
});

Deno.test("annotationFault() names what a client must not take", () => {
  assertEquals(annotationFault(schema({ a: string("A"), b: string("B"), c: {} })), null);
  const faulty = [
    { a: string("") },
    { a: string(7) },
    { a: string("two words") },
    { a: string("a:b") },
    { a: string("\u00e9") },
    { a: string("a\tb") },
    { a: { type: "object", "x-mcp-header": "A" } },
    { a: { type: "array", "x-mcp-header": "A" } },
    { a: { type: "null", "x-mcp-header": "A" } },
    { a: { type: "number", "x-mcp-header": "A" } },
    { a: string("A"), b: string("A") },
    { a: string("A"), deep: schema({ b: string("a") }) },
  ];
  for (const properties of faulty) {
    assertEquals(typeof annotationFault(schema(properties)), "string", JSON.stringify(properties));
  }
});
