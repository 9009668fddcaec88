// Finds the tool to call, and makes arguments for it.
import { SluiceError } from "../../base/errors.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import type { Outcome } from "./measurement.ts";
import { PAYLOAD_MARK, type Plan } from "./load_plan.ts";
import type { User } from "./load_user.ts";
import { requestForm, type ToolCall } from "./wire.ts";

const MAX_PAGES = 100;
const MAX_NAMED = 10;

/** @throws {SluiceError} GATEWAY_UNREACHABLE: the list fails, or no tool is fit */
export async function chooseTool(user: User, plan: Plan): Promise<ToolCall> {
  const fail = (reason: string) =>
    new SluiceError("GATEWAY_UNREACHABLE", { url: shownUrl(plan.url), reason });
  if (plan.tool !== null && plan.args !== null) return { name: plan.tool, args: plan.args };
  const tools = await listTools(user, plan, fail);
  const [tool, ...others] = plan.tool === null
    ? tools.filter(isReading)
    : tools.filter(({ name }) => name === plan.tool);
  if (tool === undefined) throw fail(noTool(plan.tool, tools));
  // Without --tool, a tool that needs no arguments is preferred: they would be guesses.
  const chosen = plan.tool === null ? [tool, ...others].find((each) => !needsArguments(each)) ?? tool : tool;
  const args = plan.args ?? JSON.stringify(argumentsFor(chosen, plan.payload !== null));
  if (plan.payload !== null && !args.includes(PAYLOAD_MARK)) {
    throw fail(`the tool "${chosen.name}" takes no text that --payload could fill. Name another by --tool`);
  }
  return { name: String(chosen.name), args };
}

/** Without query and fragment, which may hold secrets. */
export function shownUrl(url: URL): string {
  return url.origin + url.pathname;
}

export function isReading({ annotations }: JsonObject): boolean {
  return isObject(annotations) && annotations.readOnlyHint === true;
}

/** Arguments that the schema of a tool allows: its required ones, and the first text for a payload. */
export function argumentsFor({ inputSchema }: JsonObject, hasPayload: boolean): JsonObject {
  const schema = isObject(inputSchema) ? inputSchema : {};
  const made = valueFor(schema) as Record<string, unknown>;
  if (!hasPayload || !isObject(schema.properties)) return made;
  const isText = (name: string, of: unknown) =>
    isObject(of) && of.type === "string" && of.enum === undefined && of.format === undefined &&
    !(name in made);
  const required = Object.keys(made).find((name) => made[name] === SAMPLE);
  const text = required ?? Object.entries(schema.properties).find(([name, of]) => isText(name, of))?.[0];
  return text === undefined ? made : { ...made, [text]: PAYLOAD_MARK };
}

const SAMPLE = "text";
const MAX_DEPTH = 8;

/** A value of a JSON schema: what it names (const, default, example, enum), else the simplest of its type. */
function valueFor(schema: JsonObject, depth = 0): unknown {
  if ("const" in schema) return schema.const;
  if ("default" in schema) return schema.default;
  for (const list of [schema.examples, schema.enum]) {
    if (Array.isArray(list) && list.length > 0) return list[0];
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "string":
      return schema.format === "date-time"
        ? "2026-01-15T09:00:00Z"
        : schema.format === "uri"
        ? "https://example.com/"
        : SAMPLE;
    case "integer":
    case "number":
      return typeof schema.minimum === "number" ? schema.minimum : 1;
    case "boolean":
      return false;
    case "array":
      return [];
    case "null":
      return null;
  }
  const required = Array.isArray(schema.required) ? schema.required : [];
  const properties = isObject(schema.properties) ? schema.properties : {};
  return Object.fromEntries(required.map((name) => {
    const of = properties[name];
    return [name, depth < MAX_DEPTH && isObject(of) ? valueFor(of, depth + 1) : SAMPLE];
  }));
}

function needsArguments({ inputSchema }: JsonObject): boolean {
  return isObject(inputSchema) && Array.isArray(inputSchema.required) && inputSchema.required.length > 0;
}

async function listTools(
  user: User,
  plan: Plan,
  fail: (reason: string) => SluiceError,
): Promise<JsonObject[]> {
  const tools: JsonObject[] = [];
  let cursor: unknown;
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = cursor === undefined ? undefined : JSON.stringify({ cursor });
    const { outcome, answer } = await user.request(requestForm(plan.protocol, "tools/list", params));
    if (outcome.kind !== "right") throw fail(`tools/list: ${refusal(outcome, plan)}`);
    const result = isObject(answer?.result) ? answer.result : {};
    if (Array.isArray(result.tools)) tools.push(...result.tools.filter(isObject));
    cursor = result.nextCursor;
    if (cursor == null || tools.some(({ name }) => name === plan.tool)) break;
  }
  return tools;
}

/** What a first request tells, with the remedy for the usual faults. */
export function refusal(outcome: Exclude<Outcome, { kind: "right" }>, { protocol, url }: Plan): string {
  if (outcome.what.startsWith("HTTP 401")) return `${outcome.what}. Give a token by --token-file`;
  if (/^HTTP 40[045]/.test(outcome.what)) {
    const others = protocol === "rpc" ? "2025-11-25" : "2026-07-28 or rpc";
    return `${outcome.what}. Check the path (${url.pathname}), or name the --protocol: ${others}`;
  }
  return outcome.what;
}

function noTool(wanted: string | null, tools: readonly JsonObject[]): string {
  const names = tools.slice(0, MAX_NAMED).map(({ name }) => name).join(", ") +
    (tools.length > MAX_NAMED ? ", …" : "");
  if (tools.length === 0) return "it has no tools. A load without calls: --mix tools/list";
  if (wanted !== null) return `it has no tool "${wanted}", but ${names}`;
  return `no tool says that it only reads (readOnlyHint). Name the tool to call by --tool: ${names}`;
}
