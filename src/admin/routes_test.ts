import { assertEquals } from "@std/assert";
import { OPERATIONS } from "./openapi/operations.ts";
import { ROUTES } from "./routes.ts";

Deno.test("each route has an operation of its own, and each operation a route", () => {
  assertEquals(ROUTES.map(({ operation }) => operation).sort(), Object.keys(OPERATIONS).sort());
});

Deno.test("each parameter of a path is described, and no other", () => {
  for (const { path, operation } of ROUTES) {
    const { path: described = {} }: { path?: Record<string, string> } = OPERATIONS[operation];
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    assertEquals([operation, Object.keys(described)], [operation, named]);
  }
});
