// prompts/get and completion/complete: both name a prompt or a template and go to its upstream.
import { COMPLETION_PERMISSIONS } from "../../auth/method_permissions.ts";
import { requirePermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { resolvePrompt, resolveResource } from "../../catalog/snapshot/resolver.ts";
import {
  isObject,
  memberText,
  removeMember,
  replaceSoleMember,
  type RequestMessage,
  requireSoleMember,
} from "../../mcp/json_rpc.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** @throws {SluiceError} INVALID_PARAMS, PROMPT_NOT_FOUND, NAME_AMBIGUOUS, UPSTREAM_* */
export function getPrompt(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { params } = message;
  if (!isObject(params) || typeof params.name !== "string") {
    throw new SluiceError("INVALID_PARAMS", { reason: '"name" must be a string' });
  }
  const prompt = resolvePrompt(call.scope, params.name, call.principal);
  const text = renamed(memberText(message.text, "params")!, prompt.originalKeyText);
  const asked = params.arguments === null ? removeMember(text, "arguments") : text;
  return caller.request(prompt, call, "prompts/get", asked);
}

/** @throws {SluiceError} INVALID_PARAMS, FORBIDDEN, PROMPT_NOT_FOUND, RESOURCE_NOT_FOUND, UPSTREAM_* */
export function complete(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { params } = message;
  const ref = isObject(params) ? params.ref : undefined;
  if (!isObject(ref)) throw new SluiceError("INVALID_PARAMS", { reason: '"ref" must be an object' });
  const text = memberText(message.text, "params")!;
  if (ref.type === "ref/prompt" && typeof ref.name === "string") {
    requirePermission(call.principal, COMPLETION_PERMISSIONS["ref/prompt"], call.scope.server?.id);
    const prompt = resolvePrompt(call.scope, ref.name, call.principal);
    const refText = renamed(memberText(text, "ref")!, prompt.originalKeyText);
    return caller.request(prompt, call, "completion/complete", replaceSoleMember(text, "ref", refText));
  }
  if (ref.type === "ref/resource" && typeof ref.uri === "string") {
    requirePermission(call.principal, COMPLETION_PERMISSIONS["ref/resource"], call.scope.server?.id);
    const resource = resolveResource(call.scope, ref.uri, call.principal);
    requireSoleMember(text, "ref");
    requireSoleMember(memberText(text, "ref")!, "uri");
    return caller.request(resource, call, "completion/complete", text);
  }
  throw new SluiceError("INVALID_PARAMS", {
    reason: '"ref" must be a ref/prompt with a name or a ref/resource with a uri',
  });
}

function renamed(text: string, originalNameText: string): string {
  return replaceSoleMember(text, "name", originalNameText);
}
