// The requests of a user as MCP has them on the wire, and the check of their answers.
import { headerText } from "../../mcp/header_text.ts";
import { isObject, notificationText, requestText } from "../../mcp/json_rpc.ts";
import { META, STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { Headers } from "../../upstream/http1/request_head.ts";
import { printable } from "../../upstream/transport/printable.ts";
import { VERSION } from "../../version.ts";
import { PAYLOAD_MARK, type Plan, type Protocol, type Range } from "./load_plan.ts";

/** A request before its id and its payload are known. */
export interface RequestForm {
  readonly method: string;
  /** Besides those of the user and its session. */
  readonly headers: Headers;
  /** The text of the body. Ids are whole numbers. */
  body(id: number): string;
}

/** The tool that is called, with its arguments as JSON text. */
export interface ToolCall {
  readonly name: string;
  readonly args: string;
}

const CLIENT = { name: "sluice-bench", version: VERSION };

/** Limit of what is quoted of a wrong answer, characters. */
const MAX_QUOTED = 120;

export function isStateless(protocol: Protocol): boolean {
  return protocol === STATELESS_REVISION;
}

/** @param params JSON text of an object */
export function requestForm(protocol: Protocol, method: string, params: string | undefined): RequestForm {
  if (!isStateless(protocol)) return { method, headers: [], body: (id) => requestText(id, method, params) };
  const meta = JSON.stringify({
    [META.protocolVersion]: protocol,
    [META.clientInfo]: CLIENT,
    [META.clientCapabilities]: {},
  });
  const claimed = params === undefined || params === "{}"
    ? `{"_meta":${meta}}`
    : `${params.slice(0, -1)},"_meta":${meta}}`;
  return { method, headers: [["mcp-method", method]], body: (id) => requestText(id, method, claimed) };
}

/** @param random a number from 0 to below 1 */
export function callForm(
  protocol: Protocol,
  { name, args }: ToolCall,
  payload: Range | null,
  random = Math.random,
): RequestForm {
  const params = `{"name":${JSON.stringify(name)},"arguments":${args}}`;
  const form = requestForm(protocol, "tools/call", params);
  const headers: Headers = isStateless(protocol)
    ? [...form.headers, ["mcp-name", headerText(name)]]
    : form.headers;
  if (payload === null) return { ...form, headers };
  const filler = "x".repeat(payload.max);
  const text = () => filler.slice(0, payload.min + Math.floor(random() * (payload.max - payload.min + 1)));
  return { ...form, headers, body: (id) => form.body(id).replaceAll(PAYLOAD_MARK, text) };
}

export function initializeForm(protocol: Protocol): RequestForm {
  const params = { protocolVersion: protocol, capabilities: {}, clientInfo: CLIENT };
  return requestForm(protocol, "initialize", JSON.stringify(params));
}

/** The notification that completes a session. */
export const INITIALIZED = notificationText("notifications/initialized");

/** The request of an event stream of the stateless revision. */
export function listenForm(protocol: Protocol): RequestForm {
  return requestForm(protocol, "subscriptions/listen", '{"notifications":{"toolsListChanged":true}}');
}

/** Headers of every request of a user. Those of `--header` replace others of their name. */
export function userHeaders(
  { protocol, headers }: Pick<Plan, "protocol" | "headers">,
  token: string | null,
): [string, string][] {
  const own = new Map([
    ["content-type", "application/json"],
    ["accept", protocol === "rpc" ? "application/json" : "application/json, text/event-stream"],
    ...(token === null ? [] : [["authorization", `Bearer ${token}`] as const]),
    ...(isStateless(protocol) ? [["mcp-protocol-version", protocol] as const] : []),
  ]);
  for (const [name] of headers) own.delete(name);
  return [...own, ...headers.map(([name, value]): [string, string] => [name, value])];
}

/** A checked answer. */
export interface Answer {
  /** null: the answer is right. */
  readonly fault: string | null;
  /** The result; undefined if the answer has none. */
  readonly result?: unknown;
}

/**
 * Checks one answer.
 * @param expect text that the result of a tool must contain; null: any
 */
export function checkAnswer(
  text: string,
  status: number,
  id: number,
  method: string,
  expect: string | null,
): Answer {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return { fault: `HTTP ${status}: ${text === "" ? "no body" : `no JSON: ${quoted(text)}`}` };
  }
  if (!isObject(answer)) return { fault: `HTTP ${status}: no JSON-RPC: ${quoted(text)}` };
  const { error, result } = answer;
  if (isObject(error)) {
    const code = typeof error.code === "number" ? `JSON-RPC error ${error.code}` : "JSON-RPC error";
    return { fault: `${status === 200 ? "" : `HTTP ${status}, `}${code}: ${quoted(String(error.message))}` };
  }
  if (status !== 200) return { fault: `HTTP ${status}: ${quoted(text)}` };
  if (answer.jsonrpc !== "2.0" || result === undefined) {
    return { fault: `no JSON-RPC answer: ${quoted(text)}` };
  }
  if (answer.id !== id) return { fault: "the id of another request" };
  return { fault: method === "tools/call" ? callFault(result, expect) : null, result };
}

function callFault(result: unknown, expect: string | null): string | null {
  if (!isObject(result)) return "the result is no object";
  if (result.resultType === "input_required") return "the tool asks for input";
  const content = Array.isArray(result.content) ? result.content : [];
  const texts = content.flatMap((each) => isObject(each) && typeof each.text === "string" ? [each.text] : []);
  if (result.isError === true) return `the tool failed: ${quoted(texts.join(" "))}`;
  if (expect !== null && !texts.some((each) => each.includes(expect))) return "not the expected text";
  return null;
}

/** Numbers differ from failure to failure. They are left out, so that equal failures have equal words. */
function quoted(text: string): string {
  const words = printable(text).replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|\d{4,}/gi, "…");
  return words.length > MAX_QUOTED ? `${words.slice(0, MAX_QUOTED)}…` : words;
}
