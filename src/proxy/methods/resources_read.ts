// resources/read: asks the upstream that lists the URI or has a matching template.
import { requirePermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { resolveResource } from "../../catalog/snapshot/resolver.ts";
import {
  isObject,
  memberText,
  replaceMember,
  type RequestMessage,
  requireSoleMember,
} from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** @throws {SluiceError} INVALID_PARAMS, RESOURCE_NOT_FOUND, UPSTREAM_* */
export function readResource(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { params } = message;
  if (!isObject(params) || typeof params.uri !== "string") {
    throw new SluiceError("INVALID_PARAMS", { reason: '"uri" must be a string' });
  }
  requirePermission(call.principal, "resources.read");
  const resource = resolveResource(call.scope, params.uri, call.principal);
  const text = memberText(message.text, "params")!;
  requireSoleMember(text, "uri");
  const answer = caller.request(resource, call, "resources/read", text);
  return resource.row.visibility === "public" ? answer : answer.then(forCallerAlone);
}

/** Marks a publicly cacheable result as private, because not all callers may see the resource (2026-07-28, caching). */
function forCallerAlone({ text, failed }: RpcAnswer): RpcAnswer {
  if (failed || memberText(text, "cacheScope") === undefined) return { text, failed };
  return { text: replaceMember(text, "cacheScope", '"private"'), failed };
}
