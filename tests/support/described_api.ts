// Asks a gateway what its OpenAPI document describes, and holds the answers to the document.
import { assert, assertEquals } from "@std/assert";
import { Ajv2020 } from "ajv/2020";
import type { OpenApi, OperationObject } from "../../src/admin/openapi/document.ts";
import type { Gateway } from "./gateway.ts";
import type { Answer } from "./gateway_api.ts";

export interface Question {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: string;
  /** Absent: the document's example. */
  readonly body?: unknown;
  /** Absent: the first status that the document describes. */
  readonly status?: number;
}

interface Place {
  readonly method: string;
  readonly path: string;
  readonly operation: OperationObject;
}

export class DescribedApi {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #gateway: Gateway;
  readonly operations = new Map<string, Place>();
  readonly asked = new Set<string>();

  private constructor(gateway: Gateway, document: OpenApi) {
    this.#gateway = gateway;
    this.#ajv.addSchema(closed(document) as object, "document");
    for (const [path, item] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        this.operations.set(operation.operationId, { method, path, operation });
      }
    }
  }

  static async of(gateway: Gateway): Promise<DescribedApi> {
    const { body } = await gateway.api("GET", "/openapi.json");
    return new DescribedApi(gateway, body);
  }

  /** @returns the body of the answer */
  async ask(
    operationId: string,
    { path = {}, query = "", body, status }: Question = {},
  ): Promise<Answer["body"]> {
    const { method, path: template, operation } = this.operations.get(operationId)!;
    const target = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name]!)) +
      query;
    const example = operation.requestBody?.content["application/json"].example;
    const answer = await this.#gateway.api(method.toUpperCase(), target, body ?? example);
    const wanted = status ?? Number(Object.keys(operation.responses)[0]);
    assertEquals([operationId, answer.status], [operationId, wanted], JSON.stringify(answer.body));
    this.#check(operationId, answer);
    this.asked.add(operationId);
    return answer.body;
  }

  /** Asks for an event stream, and leaves it after its head. */
  async askStream(operationId: string): Promise<void> {
    const { method, path, operation } = this.operations.get(operationId)!;
    const headers = { authorization: `Bearer ${await this.#gateway.token()}` };
    const response = await fetch(this.#gateway.url + path, { method: method.toUpperCase(), headers });
    await response.body?.cancel();
    const described = operation.responses[response.status];
    assert(described !== undefined, `${operationId} does not describe ${response.status}`);
    const types = "$ref" in described ? [] : Object.keys(described.content ?? {});
    assertEquals(types, [response.headers.get("content-type")]);
    this.asked.add(operationId);
  }

  #check(operationId: string, { status, body, headers }: Answer): void {
    const { method, path, operation } = this.operations.get(operationId)!;
    const response = operation.responses[status];
    assert(response !== undefined, `${operationId} does not describe ${status}`);
    if (method === "get" && status === 200) {
      assertEquals([operationId, headers.has("etag")], [operationId, "304" in operation.responses]);
    }
    const type = headers.get("content-type")?.split(";")[0] ?? null;
    if ("$ref" in response) {
      const codes = response.$ref.slice(response.$ref.lastIndexOf("/") + 1).split(".");
      assert(codes.includes(body.code), `${operationId} does not describe ${body.code}`);
      this.#validate(`${response.$ref}/content/application~1json/schema`, body, operationId);
    } else if (response.content === undefined) assertEquals([operationId, body], [operationId, null]);
    else {
      assert(Object.hasOwn(response.content, type!), `${operationId} does not describe ${type}`);
      const place = ["paths", path, method, "responses", String(status), "content", type!, "schema"];
      this.#validate(`#/${place.map(pointer).join("/")}`, body, operationId);
    }
  }

  #validate(ref: string, body: unknown, operationId: string): void {
    const validate = this.#ajv.compile({ $ref: `document${ref}` });
    const isValid = validate(body);
    assert(
      isValid,
      `${operationId} answers otherwise than described: ${this.#ajv.errorsText(validate.errors)}`,
    );
  }

  /** The faults of the document's examples, one sentence each. */
  exampleFaults(document: OpenApi): string[] {
    const faults: string[] = [];
    const visit = (value: unknown, place: readonly string[]) => {
      if (typeof value !== "object" || value === null) return;
      const { example, examples, schema } = value as Record<string, unknown>;
      const here = `#/${place.map(pointer).join("/")}`;
      const check = (ref: string, each: unknown) => {
        const validate = this.#ajv.compile({ $ref: `document${ref}` });
        if (!validate(each)) {
          faults.push(`${here}: ${JSON.stringify(each)} ${this.#ajv.errorsText(validate.errors)}`);
        }
      };
      if (schema !== undefined && example !== undefined) check(`${here}/schema`, example);
      if (Array.isArray(examples)) { for (const each of examples) check(here, each); }
      for (const [name, member] of Object.entries(value)) {
        if (name !== "example" && name !== "examples") visit(member, [...place, name]);
      }
    };
    visit(document, []);
    return faults;
  }
}

function pointer(name: string): string {
  return encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"));
}

/** The document with objects that have no further fields, where it does not say that they may. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, closed(each)]));
  const isOpen = members.type !== "object" || typeof members.properties !== "object" ||
    members.additionalProperties !== undefined;
  return isOpen ? members : { ...members, additionalProperties: false };
}
