// Notes which upstream has given a caller the links of a result. Answers with links are rare, so that their upstream is looked up once more.
import { resolvePrompt, resolveTool } from "../../catalog/snapshot/resolver.ts";
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "../call/call_context.ts";
import { linksIn } from "../resources/resource_links.ts";
import { findTask } from "./task_methods.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** @param answer of a request for which `mayHoldLinks()` is true */
export async function noteLinks(
  { links, taskIds }: UpstreamCaller,
  call: CallContext,
  { method, params }: RequestMessage,
  { text }: RpcAnswer,
): Promise<void> {
  const uris = linksIn(text);
  if (uris.length === 0) return;
  const { scope, principal } = call;
  const { name, taskId } = isObject(params) ? params : {};
  const upstreamOf: Readonly<Record<string, () => GatewayRow | undefined>> = {
    "tools/call": () => resolveTool(scope, String(name), principal).gateway,
    "prompts/get": () => resolvePrompt(scope, String(name), principal).gateway,
    "tasks/result": () => findTask(taskIds, call, String(taskId))?.gateway,
  };
  const toolAsMethod = () => resolveTool(scope, method, principal).gateway;
  const gateway = (upstreamOf[method] ?? toolAsMethod)();
  if (gateway !== undefined) await links.note(call, gateway.id, uris);
}
