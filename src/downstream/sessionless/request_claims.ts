// The claims of a 2026-07-28 request in `_meta`. Over HTTP its headers repeat them. The reader of the body must compare the two.
import { SluiceError } from "../../base/errors.ts";
import { isObject, memberText, memberTexts, type RequestMessage } from "../../mcp/json_rpc.ts";
import { mayClaim } from "../../mcp/claims.ts";
import { textOfHeader } from "../../mcp/header_text.ts";
import { metaOf, metaText, NAMED_BY } from "../../mcp/request_meta.ts";
import { META, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { rankOf } from "../../mcp/log_levels.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";
import type { McpRequest } from "../exchange/mcp_exchange.ts";
import { unsupportedRevision } from "../../proxy/call/unsupported_revision.ts";

/** What a request claims about its client. */
export interface RequestClaims {
  /** The client's original JSON text. */
  readonly capabilities: string;
  readonly capabilityNames: ReadonlySet<string>;
  /** Lowest severity of log messages for the client; null: none. */
  readonly logLevel: string | null;
}

/** May an HTTP request belong to the stateless revision? A cheap test for every request; the parser corrects a wrong yes. */
export function mayBeSessionless(
  { protocolVersion, body }: Pick<McpRequest, "protocolVersion" | "body">,
): boolean {
  return protocolVersion === STATELESS_REVISION || mayClaim(body, META.protocolVersion);
}

/**
 * @param headers that must repeat the claims; undefined: the transport has none
 * @throws {SluiceError} INVALID_PARAMS for missing or malformed claims; UNSUPPORTED_PROTOCOL_VERSION; HEADER_MISMATCH
 *  (2026-07-28, basic, "Request Metadata"; transports, "Standard Headers")
 */
export function readClaims(message: RequestMessage, headers: ReceivedHeaders | undefined): RequestClaims {
  checkRevision(message, headers);
  const meta = metaOf(message.params)!;
  const capabilities = meta[META.clientCapabilities];
  if (!isObject(capabilities)) throw malformed(META.clientCapabilities, "an object");
  checkHeader(headers, "mcp-method", message.method);
  const namedBy = NAMED_BY[message.method];
  const name = namedBy !== undefined && isObject(message.params) ? message.params[namedBy] : undefined;
  if (typeof name === "string") checkHeader(headers, "mcp-name", name, textOfHeader);
  const logLevel = meta[META.logLevel];
  if (logLevel !== undefined && rankOf(logLevel) < 0) throw malformed(META.logLevel, "a log level");
  const names = Object.keys(capabilities);
  return {
    capabilities: names.length === 0 ? "{}" : metaText(message, META.clientCapabilities)!,
    capabilityNames: new Set(names),
    logLevel: typeof logLevel === "string" ? logLevel : null,
  };
}

/**
 * Checks the revision, before the rest of `readClaims()`: the revision decides what the other claims and the method mean.
 * @throws {SluiceError} as `readClaims()`
 */
export function checkRevision({ params }: RequestMessage, headers: ReceivedHeaders | undefined): void {
  const version = metaOf(params)?.[META.protocolVersion];
  if (typeof version !== "string") throw malformed(META.protocolVersion, "a string");
  checkHeader(headers, "mcp-protocol-version", version);
  if (version !== STATELESS_REVISION) throw unsupportedRevision(version, [STATELESS_REVISION]);
}

/** @param read decodes a header value; most headers have no encoding ("Server Validation") */
function checkHeader(
  headers: ReceivedHeaders | undefined,
  name: string,
  expected: string,
  read = (value: string): string | null => value,
): void {
  if (headers === undefined) return;
  const value = headers.get(name);
  if (value === null) throw new SluiceError("HEADER_MISMATCH", { header: name, reason: "is missing" });
  if (read(value) !== expected) {
    throw new SluiceError("HEADER_MISMATCH", { header: name, reason: "differs from the body" });
  }
}

function malformed(key: string, shape: string): SluiceError {
  return new SluiceError("INVALID_PARAMS", { reason: `_meta["${key}"] must be ${shape}` });
}

/** The client's answers to the questions of an earlier response: by key, as JSON text. @throws {SluiceError} INVALID_PARAMS */
export function inputResponses(message: RequestMessage): ReadonlyMap<string, string> {
  const responses = isObject(message.params) ? message.params.inputResponses : undefined;
  if (responses === undefined) return new Map();
  if (!isObject(responses) || !Object.values(responses).every(isObject)) {
    throw new SluiceError("INVALID_PARAMS", { reason: '"inputResponses" must be an object of objects' });
  }
  return memberTexts(memberText(memberText(message.text, "params")!, "inputResponses")!);
}
