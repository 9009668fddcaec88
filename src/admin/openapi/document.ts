// Makes the OpenAPI document from the routes and their operations.
import { type ErrorCode, ERRORS } from "../../base/errors.ts";
import type { Permission } from "../../auth/permission_table.ts";
import { VERSION } from "../../version.ts";
import type { z } from "zod";
import { error, rpcError } from "./answers.ts";
import { type JsonSchema, jsonSchemas, type Schemas } from "./components.ts";
import { ENDPOINT_OPERATIONS } from "./endpoint_operations.ts";
import { errorCodesOf } from "./error_codes.ts";
import { type Operation, type Tag, TAGS } from "./operation.ts";
import { type OperationName, OPERATIONS } from "./operations.ts";

export interface OpenApi {
  readonly openapi: string;
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly summary: string;
    readonly description: string;
    readonly license: { readonly name: string; readonly identifier: string };
  };
  readonly servers: readonly { readonly url: string; readonly description: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly paths: Readonly<Record<string, PathItem>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, ResponseObject>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

export type Method = "get" | "post" | "put" | "patch" | "delete";

export type PathItem = Readonly<Partial<Record<Method, OperationObject>>>;

export interface OperationObject {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  /** Absent: a token. Empty: no token. */
  readonly security?: readonly [];
  /** The permission that the caller needs; absent for open operations, those of the caller itself, and MCP endpoints. */
  readonly "x-permission"?: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, MediaType>>;
  };
  readonly responses: Readonly<Record<string, ResponseObject | { readonly $ref: string }>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
}

export interface MediaType {
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

export interface ResponseObject {
  readonly description: string;
  readonly content?: Readonly<Record<string, MediaType>>;
}

/** A route, as far as the document shows it. */
export interface DescribedRoute {
  readonly method: string;
  readonly path: string;
  readonly permission: Permission | "token" | null;
  readonly operation: OperationName;
}

/** An operation in its place. `permission: null`: open; "token": for every caller with a token. */
interface Placed {
  readonly operationId: string;
  readonly method: string;
  readonly at: string;
  readonly permission: Permission | "token" | null | undefined;
  readonly operation: Operation;
  /** The answer has an entity tag. */
  readonly hasTag: boolean;
}

const DESCRIPTION =
  `The REST API of an MCP gateway. Names of fields are those of ContextForge, whose clients work here.

Send a token: \`Authorization: Bearer TOKEN\`. \`sluice token\` makes one, and so does a login. Each operation names the permission that the caller needs. \
A caller sees public entities, those of its teams, and its own. Administrators see more.

Requests and answers are JSON. Field names in camelCase are accepted in requests too. The paths of gateways, tools, resources, \
prompts, servers, tags and tokens are there below \`/v1\` as well.

Their reads have an entity tag: send \`If-None-Match\`, and an unchanged answer is 304 without a body. HEAD works too.

Lists take \`limit\` and \`cursor\`: with \`include_pagination=true\`, the answer has \`nextCursor\` for the next part. \
The lists below \`/admin\` have numbered pages.

An error has the body \`{"detail", "code", "correlationId"}\`. Programs compare \`code\`. \
\`Retry-After\` says when to try again. Clients must ignore fields that they do not know.`;

/** @param routes the route table. The address of the server is the document's own place; `withServer()` sets another. */
export function openApiDocument(routes: readonly DescribedRoute[]): OpenApi {
  const placed: Placed[] = [
    ...routes.map(({ method, path, permission, operation }) => ({
      operationId: operation,
      ...{ method, at: path, permission, operation: OPERATIONS[operation] },
      hasTag: method === "GET" && permission !== null,
    })),
    ...ENDPOINT_OPERATIONS.map((operation) => ({
      ...operation,
      operation,
      hasTag: operation.tag === "Documents",
    })),
  ];
  const operations = placed.map(({ operation }) => operation);
  const schemas = jsonSchemas(
    [
      ...[error, rpcError],
      ...operations.flatMap(({ answers }) => Object.values(answers).filter((schema) => schema !== null)),
    ],
    operations.flatMap(({ body, query, headers }) =>
      [body?.schema, query, headers].filter((schema) => schema !== undefined)
    ),
  );
  const responses: Record<string, ResponseObject> = {};
  const paths: Record<string, Record<string, OperationObject>> = {};
  const tags = Object.keys(TAGS);
  const inOrder = placed.toSorted((a, b) => tags.indexOf(a.operation.tag) - tags.indexOf(b.operation.tag));
  for (const each of inOrder) {
    (paths[each.at] ??= {})[each.method.toLowerCase()] = operationObject(each, schemas, responses);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Sluice",
      version: VERSION,
      summary: "An MCP gateway",
      description: DESCRIPTION,
      license: { name: "Apache License 2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "This gateway" }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ token: [] }],
    paths,
    components: {
      schemas: schemas.components,
      responses,
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "A token of this gateway: `sluice token` makes one.",
        },
      },
    },
  };
}

/** The document of a gateway whose addresses begin with `url`. */
export function withServer(document: OpenApi, url: string): OpenApi {
  return { ...document, servers: [{ url, description: "This gateway" }] };
}

function operationObject(
  { operationId, permission, operation, hasTag }: Placed,
  schemas: Schemas,
  shared: Record<string, ResponseObject>,
): OperationObject {
  const { tag, summary, description, path = {}, query, headers, body } = operation;
  const parameters: Parameter[] = [
    ...Object.entries(path).map(([name, text]): Parameter => ({
      ...{ name, in: "path", required: true, description: text, schema: { type: "string" } },
    })),
    ...parametersOf("query", query, schemas),
    ...parametersOf("header", headers, schemas),
  ];
  return {
    operationId,
    tags: [tag satisfies Tag],
    summary,
    ...(description === undefined ? {} : { description }),
    ...(permission === null ? { security: [] } : {}),
    ...(permission && permission !== "token" ? { "x-permission": permission } : {}),
    parameters,
    ...(body === undefined ? {} : {
      requestBody: {
        required: body.isOptional !== true,
        content: { "application/json": { schema: schemas.of(body.schema), example: body.example } },
      },
    }),
    responses: {
      ...answersOf(operation, schemas),
      ...(hasTag ? { 304: { description: "The client has this answer already." } } : {}),
      ...(operation.isJsonRpc
        ? {
          default: {
            description: "An error.",
            content: { "application/json": { schema: schemas.of(rpcError) } },
          },
        }
        : errorsOf(operation, permission === null, schemas, shared)),
    },
  };
}

function parametersOf(
  place: "query" | "header",
  schema: z.ZodObject | undefined,
  schemas: Schemas,
): Parameter[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemas.of(schema) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description = "", ...each }]) => ({
    ...{ name, in: place, required: required.includes(name), description, schema: each },
  }));
}

function answersOf(
  { answers, mediaTypes = {} }: Operation,
  schemas: Schemas,
): Record<string, ResponseObject> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, schema]) => {
      if (schema === null) return [status, { description: EMPTY[status] ?? "Done. The answer has no body." }];
      const json = schemas.of(schema);
      const types = mediaTypes[Number(status)] ?? ["application/json"];
      const content = Object.fromEntries(
        types.map((
          type,
        ) => [type, { schema: type === "application/json" || types.length === 1 ? json : TEXT }]),
      );
      return [status, { description: schema.description ?? "Done.", content }];
    }),
  );
}

const TEXT: JsonSchema = { type: "string" };

const EMPTY: Readonly<Record<string, string>> = {
  101: "The connection is a WebSocket now.",
  202: "Accepted. The answer has no body.",
};

/** The error responses by status. Operations with the same codes share a response. */
function errorsOf(
  operation: Operation,
  isOpen: boolean,
  schemas: Schemas,
  shared: Record<string, ResponseObject>,
): Record<string, { readonly $ref: string }> {
  const codes = errorCodesOf(operation, isOpen);
  const byStatus = Map.groupBy(codes, (code) => ERRORS[code].http);
  const free = [...byStatus].filter(([status]) => !(status in operation.answers));
  return Object.fromEntries(
    free.toSorted(([a], [b]) => a - b).map(([status, same]) => {
      const name = same.join(".");
      shared[name] ??= {
        description: same.map(wordsOf).join("\n\n"),
        content: { "application/json": { schema: schemas.of(error) } },
      };
      return [String(status), { $ref: `#/components/responses/${name}` }];
    }),
  );
}

function wordsOf(code: ErrorCode): string {
  return `\`${code}\`: ${ERRORS[code].text}`;
}
