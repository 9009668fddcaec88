// Converts HTTP answers that are no MCP messages to errors. Everybody reads the kind of the answer, and the upstream's own words if they
// are a JSON-RPC error; operators also read what was seen.
import { SluiceError } from "../../base/errors.ts";
import { isObject, type JsonObject } from "../../mcp/json_rpc.ts";
import { withoutSecretsOf } from "../transport/without_secrets.ts";
import { type Asked, isHtml, kindOf, seenAnswer } from "./answer_words.ts";
import type { AnswerHead } from "./http_client.ts";

/** Limit of a failed response's body. */
export const FAILURE_TEXT_BYTES = 65_536;

const MAX_REASON = 200;

export interface FailedRequest extends Asked {
  /** The upstream's name. */
  readonly upstream: string;
}

/** @returns the JSON-RPC error response in a body; null if the body is something else */
export function errorResponseIn(text: string): JsonObject | null {
  try {
    const value = JSON.parse(text);
    return isObject(value) && isObject(value.error) ? value : null;
  } catch {
    return null;
  }
}

/** The error for a status other than 2xx. @param text the body */
export function failedAnswer(response: AnswerHead, text: string, request: FailedRequest): SluiceError {
  const { status } = response;
  const { upstream, url, headers } = request;
  const options = { cause: seenAnswer(response, text, request) };
  if (refusesCredentials(response)) {
    return new SluiceError(
      "UPSTREAM_AUTH_FAILED",
      { upstream, status, hint: hintOf(response, request) },
      options,
    );
  }
  const { message, code }: JsonObject = errorObjectIn(text);
  const reason = typeof message === "string"
    ? withoutSecretsOf(url, headers, message).replace(/\s+/g, " ").trim().slice(0, MAX_REASON)
    : status >= 300 && status <= 399
    ? "a redirect that the gateway does not follow"
    : kindOf(response, text);
  const params = { upstream, status, reason: reason === "" ? "no explanation" : reason };
  return new SluiceError(
    "UPSTREAM_HTTP_ERROR",
    typeof code === "number" ? { ...params, code } : params,
    options,
  );
}

/** What to do about an upstream that names an authorization server (RFC 9728, section 5.1), and was asked without any token. */
function hintOf(response: AnswerHead, { headers }: FailedRequest): string {
  const wantsOAuth = /\bresource_metadata\s*=/i.test(response.header("www-authenticate") ?? "");
  if (!wantsOAuth || headers.some(([name]) => name === "authorization")) return "";
  return '. It wants OAuth: register it with auth_type "oauth" and oauth_config';
}

/** The error for a body that should have been JSON. */
export function notJson(response: AnswerHead, text: string, request: FailedRequest): SluiceError {
  const kind = isHtml(response) || text.trim() === "" ? `, but ${kindOf(response, text)}` : "";
  const params = { upstream: request.upstream, reason: `the body is not JSON${kind}` };
  return new SluiceError("UPSTREAM_PROTOCOL_ERROR", params, { cause: seenAnswer(response, text, request) });
}

/** A page comes from a firewall or a login in front of the server, which has not seen the credentials. */
function refusesCredentials(response: AnswerHead): boolean {
  if (response.status !== 401 && response.status !== 403) return false;
  return !isHtml(response) || response.header("www-authenticate") !== null;
}

function errorObjectIn(text: string): JsonObject {
  const error = errorResponseIn(text)?.error;
  return isObject(error) ? error : {};
}
