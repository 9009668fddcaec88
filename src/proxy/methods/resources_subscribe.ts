// resources/subscribe and resources/unsubscribe: sent over the session's own upstream session, which receives the updates.
import { SluiceError } from "../../base/errors.ts";
import { findResource } from "../../catalog/snapshot/resolver.ts";
import { isObject, memberText, type RequestMessage, requireSoleMember } from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { askForUnlisted, type UnlistedAnswer } from "../resources/unlisted_resources.ts";
import type { CallContext } from "../call/call_context.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** @throws {SluiceError} INVALID_PARAMS, INVALID_REQUEST outside a session, RESOURCE_NOT_FOUND, UPSTREAM_* */
export async function subscribeResource(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { uri, text, client } = subscription(call, message);
  const ask = (gateway: GatewayRow) => {
    client.requireRoom(gateway.id, uri);
    return caller.request({ gateway }, call, "resources/subscribe", text);
  };
  const { gateway, answer } = await asked(caller, call, uri, ask);
  if (!answer.failed) {
    await client.subscribe(gateway.id, uri);
    try {
      await caller.listen(call.bound!, gateway.id);
    } catch (error) {
      await client.unsubscribe(gateway.id, uri);
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
  const { uri, text, client } = subscription(call, message);
  const ask = (gateway: GatewayRow) => caller.request({ gateway }, call, "resources/unsubscribe", text);
  const { gateway, answer } = await asked(caller, call, uri, ask);
  if (!answer.failed) {
    await client.unsubscribe(gateway.id, uri);
    await caller.listen(call.bound!, gateway.id);
  }
  return answer;
}

/** Asks the upstream that lists the URI, else those that may know it. */
async function asked(
  caller: UpstreamCaller,
  call: CallContext,
  uri: string,
  ask: (gateway: GatewayRow) => Promise<RpcAnswer>,
): Promise<UnlistedAnswer> {
  const listed = findResource(call.scope, uri, call.principal);
  if (listed === null) return await askForUnlisted(caller.links, call, uri, ask);
  return { gateway: listed.gateway, answer: await ask(listed.gateway) };
}

function subscription(call: CallContext, { params, text }: RequestMessage) {
  if (!isObject(params) || typeof params.uri !== "string") {
    throw new SluiceError("INVALID_PARAMS", { reason: '"uri" must be a string' });
  }
  if (call.bound === null) {
    throw new SluiceError("INVALID_REQUEST", { reason: "a subscription needs a session" });
  }
  const { uri } = params;
  const paramsText = memberText(text, "params")!;
  requireSoleMember(paramsText, "uri");
  return { uri, text: paramsText, client: call.bound.client };
}
