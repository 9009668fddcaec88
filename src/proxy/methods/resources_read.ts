// resources/read: asks the upstream that lists the URI or has a matching template, else one that may know it all the same.
import { SluiceError } from "../../base/errors.ts";
import { findResource } from "../../catalog/snapshot/resolver.ts";
import {
  isObject,
  memberText,
  replaceMember,
  type RequestMessage,
  requireSoleMember,
} from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { askForUnlisted } from "../resources/unlisted_resources.ts";
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
  const { uri } = params;
  const resource = findResource(call.scope, uri, call.principal);
  const text = memberText(message.text, "params")!;
  requireSoleMember(text, "uri");
  if (resource === null) {
    const ask = (gateway: GatewayRow) => caller.request({ gateway }, call, "resources/read", text);
    return askForUnlisted(caller.links, call, uri, ask).then(({ answer }) => forCallerAlone(answer));
  }
  const answer = caller.request(resource, call, "resources/read", text);
  return resource.row.visibility === "public" ? answer : answer.then(forCallerAlone);
}

/** Marks a publicly cacheable result as private, because not all callers may see the resource (2026-07-28, caching). */
function forCallerAlone({ text, failed }: RpcAnswer): RpcAnswer {
  if (failed || memberText(text, "cacheScope") === undefined) return { text, failed };
  return { text: replaceMember(text, "cacheScope", '"private"'), failed };
}
