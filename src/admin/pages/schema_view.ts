// Shows a JSON Schema to people: its type in words, its fields, an example.
import type { JsonSchema } from "../openapi/components.ts";
import { type Html, html, inline, type Part } from "./html.ts";

type Named = Readonly<Record<string, JsonSchema>>;

const REF = "#/components/schemas/";

export function nameOf({ $ref }: JsonSchema): string | null {
  return $ref?.startsWith(REF) ? $ref.slice(REF.length) : null;
}

/** The type in words; a named schema is a link. */
export function typeOf(schema: JsonSchema): Html {
  const name = nameOf(schema);
  if (name !== null) return html`<a href="#schema-${name}">${name}</a>`;
  const { anyOf, const: only, enum: values, type, format } = schema;
  if (only !== undefined) return html`<code>${JSON.stringify(only)}</code>`;
  if (values !== undefined) {
    return joined(values.map((value) => html`<code>${JSON.stringify(value)}</code>`), " or ");
  }
  if (anyOf !== undefined) return joined(anyOf.map((each) => typeOf(each as JsonSchema)), " or ");
  if (Array.isArray(type)) return html`${type.join(" or ")}`;
  if (type === "array") {
    return html`list of ${schema.items === undefined ? "values" : typeOf(schema.items as JsonSchema)}`;
  }
  if (type === "object") {
    const { additionalProperties: each } = schema;
    const isMap = schema.properties === undefined && typeof each === "object" && Object.keys(each).length > 0;
    return isMap ? html`object of ${typeOf(each as JsonSchema)} by name` : html`object`;
  }
  if (type === undefined) return html`any value`;
  const bounds = boundsOf(schema);
  return html`${type}${format === undefined ? "" : ` (${format})`}${bounds === "" ? "" : `, ${bounds}`}`;
}

function joined(parts: readonly Html[], between: string): Html {
  return html`${parts.map((part, i): Part => i === 0 ? part : [between, part])}`;
}

function boundsOf({ minimum, maximum, minLength, maxLength }: JsonSchema): string {
  const range = (from: number | undefined, to: number | undefined, unit: string) =>
    from !== undefined && to !== undefined
      ? `${from} to ${to}${unit}`
      : to !== undefined
      ? `at most ${to}${unit}`
      : from !== undefined && from !== 0
      ? `at least ${from}${unit}`
      : "";
  return range(minimum, maximum, "") || range(minLength, maxLength, " characters");
}

/** Marks the rarer kind: of mostly optional fields the required ones, and the other way round. */
type Mark = "required" | "optional" | null;

/** The fields of an object, with those of nested objects; null if the schema is no object with fields. */
export function fieldsOf(schema: JsonSchema): Html | null {
  const { properties, required = [] } = objectIn(schema) ?? {};
  const fields = Object.entries(properties ?? {});
  if (fields.length === 0) return null;
  const isMostlyRequired = required.length > fields.length / 2;
  const markOf = (name: string): Mark =>
    required.includes(name) === isMostlyRequired ? null : isMostlyRequired ? "optional" : "required";
  return html`<dl class="fields">${
    fields.map(([name, each]) => fieldView(name, each as JsonSchema, markOf(name)))
  }</dl>`;
}

export function fieldView(name: string, schema: JsonSchema, mark: Mark): Html {
  const { description = "", default: preset } = schema;
  const nested = nameOf(schema) === null ? fieldsOf(schema) : null;
  return html`
    <div>
      <dt><code>${name}</code>${mark === null ? null : html`
        <small class="${mark}">${mark}</small>
      `}<small>${typeOf(schema)}${preset === undefined
        ? null
        : html`, default <code>${JSON.stringify(preset)}</code>`}</small></dt>
      <dd>${inline(description)}${nested}</dd>
    </div>
  `;
}

/** The object that a schema is, or a list of it, or null besides it. Named schemas have fields of their own elsewhere. */
function objectIn(schema: JsonSchema): JsonSchema | null {
  if (schema.properties !== undefined) return schema;
  const { items, anyOf, additionalProperties } = schema;
  if (items !== undefined && !Array.isArray(items)) return objectIn(items as JsonSchema);
  if (typeof additionalProperties === "object") return objectIn(additionalProperties as JsonSchema);
  for (const each of anyOf ?? []) {
    const found = objectIn(each as JsonSchema);
    if (found !== null) return found;
  }
  return null;
}

/** An example value: the examples of the fields, or the first allowed value. */
export function sampleOf(schema: JsonSchema, named: Named): unknown {
  const name = nameOf(schema);
  if (name !== null) return sampleOf(named[name]!, named);
  const { examples, default: preset, const: only, enum: values, anyOf, items, properties, type } = schema;
  if (Array.isArray(examples)) return examples[0];
  if (only !== undefined) return only;
  if (preset !== undefined) return preset;
  if (values !== undefined) return values[0];
  if (properties !== undefined) {
    const required = new Set(schema.required);
    return Object.fromEntries(
      Object.entries(properties).filter(([key]) => required.has(key))
        .map(([key, each]) => [key, sampleOf(each as JsonSchema, named)]),
    );
  }
  if (anyOf !== undefined) {
    const kinds = anyOf as JsonSchema[];
    return kinds.some((each) => each.type === "null") ? null : sampleOf(kinds[0], named);
  }
  if (type === "array") return [sampleOf(items as JsonSchema, named)];
  return type === "object"
    ? {}
    : type === "integer" || type === "number"
    ? 1
    : type === "boolean"
    ? true
    : "text";
}
