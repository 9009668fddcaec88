// Renders the reference of the REST API from the OpenAPI document: every route, and the fields of every body.

import {
  type Method,
  type OpenApi,
  openApiDocument,
  type OperationObject,
  type Parameter,
} from "../../src/admin/openapi/document.ts";
import { ROUTES } from "../../src/admin/routes.ts";

/** A JSON Schema, as far as the page shows it. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
}

interface Route {
  readonly title: string;
  readonly operation: OperationObject;
}

export function apiPart(): string {
  const document = openApiDocument(ROUTES);
  const shapes = Object.entries(document.components.schemas as Readonly<Record<string, Schema>>)
    .filter(([, { properties }]) => properties !== undefined);
  return [
    ...document.tags.flatMap(({ name, description }) => [
      `## ${name}`,
      text(description),
      ...group(routesOf(document, name)),
    ]),
    "## Bodies",
    "Fields of requests and answers. A field with a `*` is required, or always there.",
    ...shapes.flatMap(([name, schema]) => [
      `### ${name}`,
      ...(schema.description === undefined ? [] : [text(schema.description)]),
      fieldTable(schema),
    ]),
  ].join("\n\n");
}

function routesOf({ paths }: OpenApi, tag: string): Route[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    (Object.entries(item) as [Method, OperationObject][])
      .filter(([, { tags }]) => tags.includes(tag))
      .map(([method, operation]) => ({ title: `${method.toUpperCase()} ${path}`, operation }))
  );
}

/** The routes of a group, and a section for each that has more to it. */
function group(routes: readonly Route[]): string[] {
  const rows = routes.map((
    { title, operation },
  ) => [`\`${title}\``, permission(operation), text(operation.summary)]);
  const sections = routes.filter(({ operation }) =>
    operation.description !== undefined || operation.parameters.length > 0 ||
    operation.requestBody !== undefined
  );
  return [table(["route", "permission", "effect"], rows), ...sections.flatMap(section)];
}

function permission({ security, "x-permission": needed }: OperationObject): string {
  if (needed !== undefined) return `\`${needed}\``;
  return security === undefined ? "a token" : "none";
}

function section({ title, operation }: Route): string[] {
  const { description, parameters, requestBody, responses } = operation;
  const body = requestBody?.content["application/json"]?.schema as Schema | undefined;
  const answers = Object.entries(responses).filter(([status]) => /^2/.test(status)).map(
    ([status, answer]) => {
      const schema = "content" in answer
        ? answer.content?.["application/json"]?.schema as Schema | undefined
        : undefined;
      return `${status}${schema === undefined ? "" : `: ${typeOf(schema)}`}`;
    },
  );
  return [
    `### ${title}`,
    ...(description === undefined ? [] : [text(description)]),
    ...(parameters.length === 0
      ? []
      : [table(["parameter", "type", "meaning"], parameters.map(parameterRow))]),
    ...(body === undefined ? [] : [`Body: ${typeOf(body)}.`]),
    ...(body?.properties === undefined ? [] : [fieldTable(body)]),
    ...(answers.length === 0 ? [] : [`Answer: ${answers.join("; ")}.`]),
  ];
}

function parameterRow({ name, in: place, required, description, schema }: Parameter): string[] {
  const mark = place === "path" ? `{${name}}` : name;
  return [
    `\`${mark}\`${required && place !== "path" ? " *" : ""}`,
    typeOf(schema as Schema),
    meaning(description, schema as Schema),
  ];
}

function fieldTable({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, schema]) => [
    `\`${name}\`${required.includes(name) ? " *" : ""}`,
    typeOf(schema),
    meaning(schema.description ?? "", schema),
  ]);
  return table(["field", "type", "meaning"], rows);
}

function meaning(description: string, schema: Schema): string {
  const preset = schema.default === undefined ? "" : ` Default: \`${JSON.stringify(schema.default)}\`.`;
  return `${text(description)}${preset}`;
}

/** The type of a value in words. A schema with a name is a link. */
function typeOf(schema: Schema): string {
  const { $ref, anyOf, oneOf, allOf, enum: values, items, additionalProperties } = schema;
  if ($ref !== undefined) {
    const name = $ref.split("/").at(-1)!;
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (values !== undefined) return values.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  const choices = anyOf ?? oneOf ?? allOf;
  if (choices !== undefined) return [...new Set(choices.map(typeOf))].join(" or ");
  const types = [schema.type ?? "any"].flat();
  return types.map((type) => {
    if (type === "array") return `list of ${items === undefined ? "any" : typeOf(items)}`;
    if (
      type === "object" && typeof additionalProperties === "object" &&
      Object.keys(additionalProperties).length > 0
    ) {
      return `object of ${typeOf(additionalProperties)}`;
    }
    return type;
  }).join(" or ");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Text of the document is Markdown with code in backticks; what looks like HTML is meant literally. */
function text(markdown: string): string {
  return markdown.replaceAll(/`[^`]*`|</g, (part) => part === "<" ? "\\<" : part);
}
