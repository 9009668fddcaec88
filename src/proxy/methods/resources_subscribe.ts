// resources/subscribe and resources/unsubscribe: sent over the session's own upstream session, which receives the updates.
import { requirePermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { resolveResource } from "../../catalog/snapshot/resolver.ts";
import { isObject, memberText, type RequestMessage, requireSoleMember } from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** @throws {SluiceError} INVALID_PARAMS, INVALID_REQUEST outside a session, RESOURCE_NOT_FOUND, UPSTREAM_* */
export async function subscribeResource(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { uri, resource, text, client } = subscription(call, message);
  client.requireRoom(resource.gateway.id, uri);
  const answer = await caller.request(resource, call, "resources/subscribe", text);
  if (!answer.failed) {
    await client.subscribe(resource.gateway.id, uri);
    try {
      await caller.listen(call.bound!, resource.gateway.id);
    } catch (error) {
      await client.unsubscribe(resource.gateway.id, uri);
      throw error;
    }
  }
  return answer;
}

/** @throws {SluiceError} like `subscribeResource` */
export async function unsubscribeResource(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { uri, resource, text, client } = subscription(call, message);
  const answer = await caller.request(resource, call, "resources/unsubscribe", text);
  if (!answer.failed) {
    await client.unsubscribe(resource.gateway.id, uri);
    await caller.listen(call.bound!, resource.gateway.id);
  }
  return answer;
}

function subscription(call: CallContext, { params, text }: RequestMessage) {
  if (!isObject(params) || typeof params.uri !== "string") {
    throw new SluiceError("INVALID_PARAMS", { reason: '"uri" must be a string' });
  }
  if (call.bound === null) {
    throw new SluiceError("INVALID_REQUEST", { reason: "a subscription needs a session" });
  }
  requirePermission(call.principal, "resources.read");
  const { uri } = params;
  const resource = resolveResource(call.scope, uri, call.principal);
  const paramsText = memberText(text, "params")!;
  requireSoleMember(paramsText, "uri");
  return { uri, resource, text: paramsText, client: call.bound.client };
}
