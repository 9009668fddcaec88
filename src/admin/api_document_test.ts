import { assert, assertEquals } from "@std/assert";
import { apiDocument } from "./api_document.ts";
import type { Operation } from "./openapi/operation.ts";
import { OPERATIONS } from "./openapi/operations.ts";
import { docsPage } from "./pages/docs_page.ts";

Deno.test("every field, parameter, operation and schema of the document has a description", () => {
  const faults: string[] = [];
  const visit = (value: unknown, place: string) => {
    if (typeof value !== "object" || value === null) return;
    const { properties, parameters } = value as Record<
      string,
      Record<string, { description?: string; $ref?: string }>
    >;
    for (const [name, field] of [...Object.entries(properties ?? {}), ...Object.entries(parameters ?? {})]) {
      const text = field.description ?? "";
      if (field.$ref === undefined && !/^[A-Z\`].*[.:)]$/s.test(text)) {
        faults.push(`${place}/${name}: ${text}`);
      }
    }
    for (const [name, member] of Object.entries(value)) {
      if (name !== "example" && name !== "examples") visit(member, `${place}/${name}`);
    }
  };
  const document = apiDocument();
  visit(document, "");
  for (const [name, { description }] of Object.entries(document.components.schemas)) {
    if (description === undefined) faults.push(`components.schemas.${name}`);
  }
  assertEquals(faults, []);
});

Deno.test("operation ids are unique, and a summary is one line without a full stop", () => {
  const all = Object.values(apiDocument().paths).flatMap((item) => Object.values(item));
  const ids = all.map(({ operationId }) => operationId);
  assertEquals(ids.length, new Set(ids).size);
  for (const { operationId, summary } of all) {
    assert(/^[A-Z][^\n]*[^.]$/.test(summary), `${operationId}: ${summary}`);
  }
});

Deno.test("the example of each body is one that the gateway takes", () => {
  for (const [name, { body }] of Object.entries<Operation>(OPERATIONS)) {
    const fault = body?.schema.safeParse(body.example).error?.message;
    assertEquals([name, fault], [name, undefined]);
  }
});

Deno.test("docsPage() escapes every text of the document", async () => {
  const MARKUP = `<img src=x onerror="alert(1)">'&`;
  const hostile = (value: unknown, key = ""): unknown => {
    if (typeof value === "string") return key === "$ref" || key === "in" ? value : value + MARKUP;
    if (key === "tags") return value; // They are the groups.
    if (Array.isArray(value)) return value.map((each) => hostile(each));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [
        key === "properties" || key === "responses" ? name + MARKUP : name,
        hostile(each, name),
      ]),
    );
  };
  const document = apiDocument();
  const { text } = await docsPage(hostile(document) as typeof document, "");
  assert(!text.includes("<img"), text.slice(text.indexOf("<img") - 200, text.indexOf("<img") + 20));
  assert(text.includes("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;"));
});
