import { assertEquals } from "@std/assert";
import { annotationFault, paramAnnotations } from "./param_annotations.ts";

const schema = (properties: Record<string, unknown>) => ({ type: "object", properties });
const string = (header: unknown) => ({ type: "string", "x-mcp-header": header });

Deno.test("paramAnnotations() finds members of objects at any depth, and takes all or none", () => {
  const deep = schema({ flag: { type: "boolean", "x-mcp-header": "Flag" } });
  // A member's name, and values, are no annotations.
  const plain = { type: "object", properties: { "x-mcp-header": { type: "string" } }, default: string("D") };
  assertEquals(paramAnnotations(schema({ region: string("Region"), deep, plain })), [
    { header: "mcp-param-region", path: ["region"] },
    { header: "mcp-param-flag", path: ["deep", "flag"] },
  ]);
  assertEquals(paramAnnotations(undefined), []);
  assertEquals(paramAnnotations(schema({ region: string("Region"), other: string("two words") })), []);
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

Deno.test("annotationFault() finds annotations that no chain of properties leads to", () => {
  assertEquals(typeof annotationFault({ ...schema({}), "x-mcp-header": "Root" }), "string");
  const annotated = schema({ x: string("X") });
  for (const key of ["items", "contains", "additionalProperties", "not", "if", "then", "else"]) {
    assertEquals(typeof annotationFault(schema({ a: { [key]: annotated } })), "string", key);
  }
  for (const key of ["oneOf", "anyOf", "allOf", "prefixItems"]) {
    assertEquals(typeof annotationFault({ ...schema({}), [key]: [{}, annotated] }), "string", key);
  }
  for (const key of ["$defs", "definitions", "patternProperties", "dependentSchemas"]) {
    assertEquals(typeof annotationFault({ ...schema({}), [key]: { some: annotated } }), "string", key);
  }
});

Deno.test("annotationFault() refuses more annotations than a request has headers", () => {
  const many = (count: number) =>
    schema(Object.fromEntries(Array.from({ length: count }, (_, i) => [i, string(`h${i}`)])));
  assertEquals(annotationFault(many(64)), null);
  assertEquals(annotationFault(many(65)), "there are more than 64 x-mcp-header annotations");
});
