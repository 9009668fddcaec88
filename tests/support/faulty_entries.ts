// Entries of lists as a faulty upstream may write them: mostly sound, with anything anywhere.
import fc from "fast-check";
import type { ListKind } from "../../src/mcp/list_entries.ts";

/** Values that a faulty upstream may put anywhere. */
const anything = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, 1, 1.5, -1, 1e30, "", "x", [], {}, [null], ["a"], [{}], [1]),
  fc.constantFrom(
    "2026-01-01T00:00:00Z",
    "2026-02-29T00:00Z",
    "2024-02-29T10:00+02:00",
    "2026-01-01T00:00:00",
  ),
  fc.constantFrom("object", ["object", "null"], "array", "user", ["user"], "light", "optional", "^(a"),
);
const maybe = <T>(usual: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: anything });
const some = (members: Record<string, fc.Arbitrary<unknown>>) =>
  maybe(fc.record(members, { requiredKeys: [] }));

/** A schema whose inner schemas are of the given kind. */
const schemaOf = (inner: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  some({
    $schema: maybe(fc.constantFrom("https://json-schema.org/draft/2020-12/schema", "http://x/draft-04#")),
    type: maybe(fc.constantFrom("object", "array", "string", ["string", "null"])),
    properties: maybe(fc.dictionary(fc.constantFrom("a", "b", "$ref", "__proto__"), inner, { maxKeys: 2 })),
    required: maybe(fc.array(fc.constantFrom("a", "b"), { maxLength: 2 })),
    items: inner,
    prefixItems: fc.array(inner, { maxLength: 2 }),
    additionalProperties: inner,
    anyOf: maybe(fc.array(inner, { maxLength: 2 })),
    not: inner,
    enum: maybe(fc.array(anything, { maxLength: 2 })),
    const: anything,
    pattern: maybe(fc.constantFrom("^a", "\\-", "(?<n>a)", "[", "\\p{L}")),
    patternProperties: fc.dictionary(fc.constantFrom("^a", "\\-", "["), inner, { maxKeys: 1 }),
    format: maybe(fc.constantFrom("date-time", "uri", "unheard-of")),
    minimum: maybe(fc.integer()),
    exclusiveMinimum: maybe(fc.integer()),
    nullable: maybe(fc.boolean()),
    $defs: fc.dictionary(fc.constantFrom("a", "b/c"), inner, { maxKeys: 2 }),
    dependencies: maybe(fc.dictionary(fc.constantFrom("a"), inner, { maxKeys: 1 })),
    $ref: fc.constantFrom(
      "#",
      "#/$defs/a",
      "#/$defs/b~1c",
      "#/properties/a",
      "#/x",
      "x.json",
      "#a",
      "#/anyOf/0",
    ),
    $id: fc.constantFrom("https://a/b", "#a", 5),
    id: fc.constantFrom("https://a/b", 5),
    $anchor: fc.constantFrom("a", 5),
    formatMinimum: anything,
    $async: fc.boolean(),
    discriminator: anything,
    if: inner,
    $dynamicRef: fc.constantFrom("#a", "#"),
    default: anything,
    description: anything,
  });

/** Few members at a time, or nothing would ever be sound. */
const few = (schema: fc.Arbitrary<unknown>) =>
  fc.tuple(schema, fc.infiniteStream(fc.nat(5))).map(([value, dice]) =>
    typeof value !== "object" || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).filter(() => dice.next().value === 0))
  );

const typed = fc.oneof(fc.constant({}), fc.constant({ type: "object" }), fc.constant({ type: "array" }));
const withType = (schema: fc.Arbitrary<unknown>) =>
  fc.tuple(typed, schema).map(([type, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value) ? { ...type, ...value } : value
  );
const schema = withType(few(schemaOf(few(schemaOf(anything)))));

const hints = {
  title: maybe(fc.string()),
  description: maybe(fc.string({ unit: "binary" })),
  icons: maybe(fc.array(some({
    src: maybe(fc.string()),
    mimeType: maybe(fc.string()),
    sizes: maybe(fc.array(maybe(fc.string()))),
    theme: maybe(fc.constantFrom("light", "dark")),
  }))),
  _meta: maybe(fc.dictionary(fc.string(), anything)),
  annotations: some({
    title: anything,
    readOnlyHint: maybe(fc.boolean()),
    destructiveHint: anything,
    audience: maybe(fc.array(maybe(fc.constantFrom("user", "assistant")))),
    priority: maybe(fc.double({ min: -1, max: 2, noNaN: true })),
    lastModified: anything,
  }),
  execution: some({ taskSupport: maybe(fc.constantFrom("optional", "required", "forbidden")) }),
};
const name = maybe(fc.constantFrom("a", "b"));
export const ENTRIES: Readonly<Record<ListKind, fc.Arbitrary<unknown>>> = {
  tool: fc.oneof(
    some({ ...hints, name, inputSchema: schema, outputSchema: schema }),
    fc.record({ name: fc.constant("a"), inputSchema: fc.constant({ type: "object" }), outputSchema: schema }),
  ),
  resource: some({ ...hints, uri: name, name, mimeType: anything, size: maybe(fc.nat()) }),
  template: some({ ...hints, uriTemplate: name, name, mimeType: anything }),
  prompt: some({
    ...hints,
    name,
    arguments: maybe(fc.array(some({ name, title: anything, description: anything, required: anything }))),
  }),
};
