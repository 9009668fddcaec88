// tools/call: finds the tool, replaces its name with the upstream's, and passes the rest through.
import { isError, SluiceError } from "../../base/errors.ts";
import { METHOD_PERMISSIONS } from "../../auth/method_permissions.ts";
import { requirePermission } from "../../auth/rbac.ts";
import type { Entry } from "../../catalog/snapshot/catalog.ts";
import { resolveTool } from "../../catalog/snapshot/resolver.ts";
import {
  isObject,
  memberText,
  removeMember,
  replaceSoleMember,
  type RequestMessage,
} from "../../mcp/json_rpc.ts";
import type { ToolRow } from "../../store/registry/rows.ts";
import { noteTool } from "../../telemetry/call_note.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import { declaresTasksExtension } from "../../mcp/tasks.ts";
import { checkParamHeaders, paramHeadersFor } from "../call/param_headers.ts";
import type { CallContext } from "../call/call_context.ts";
import { taskMade } from "./task_methods.ts";
import type { CallDeadline, UpstreamCaller } from "./upstream_caller.ts";

/** @throws {SluiceError} INVALID_PARAMS, TOOL_NOT_FOUND, NAME_AMBIGUOUS, UPSTREAM_* */
export function callTool(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { params } = message;
  if (!isObject(params) || typeof params.name !== "string") {
    throw new SluiceError("INVALID_PARAMS", { reason: '"name" must be a string' });
  }
  const args = params.arguments ?? undefined;
  if (args !== undefined && !isObject(args)) {
    throw new SluiceError("INVALID_PARAMS", { reason: '"arguments" must be an object' });
  }
  const tool = resolveTool(call.scope, params.name, call.principal);
  const text = memberText(message.text, "params")!;
  const named = replaceSoleMember(text, "name", tool.originalKeyText);
  const renamed = params.arguments === null ? removeMember(named, "arguments") : named;
  if (call.claimHeaders !== undefined) checkParamHeaders(tool, args, call.claimHeaders);
  const answer = send(caller, call, tool, { text: renamed, args });
  // The answers of other calls are not searched for tasks.
  const mayMakeTask = params.task !== undefined || declaresTasksExtension(call.clientCapabilities);
  return mayMakeTask ? answer.then((answer) => taskMade(caller, call, tool.gateway.id, answer)) : answer;
}

/**
 * Calls a tool whose name is the method and whose arguments are `params`, as on ContextForge's `/rpc`. @throws like callTool,
 * METHOD_NOT_FOUND, FORBIDDEN
 */
export function callToolAsMethod(
  caller: UpstreamCaller,
  call: CallContext,
  message: RequestMessage,
): Promise<RpcAnswer> {
  const { method, params } = message;
  const tool = toolNamed(call, method);
  requirePermission(call.principal, METHOD_PERMISSIONS["tools/call"], call.scope.server?.id);
  if (call.note !== undefined) noteTool(call.note, method);
  if (params !== undefined && !isObject(params)) {
    throw new SluiceError("INVALID_PARAMS", { reason: '"arguments" must be an object' });
  }
  const text = params === undefined ? "{}" : memberText(message.text, "params")!;
  const called = `{"name":${tool.originalKeyText},"arguments":${text}}`;
  return send(caller, call, tool, { text: called, args: params });
}

function toolNamed(call: CallContext, method: string): Entry<ToolRow> {
  try {
    return resolveTool(call.scope, method, call.principal);
  } catch (error) {
    throw isError(error, "TOOL_NOT_FOUND") ? new SluiceError("METHOD_NOT_FOUND", { method }) : error;
  }
}

function send(
  caller: UpstreamCaller,
  call: CallContext,
  tool: Entry<ToolRow>,
  { text, args }: { readonly text: string; readonly args: unknown },
): Promise<RpcAnswer> {
  const deadline = deadlineOf(tool.row, caller.toolDeadline);
  const paramHeaders = paramHeadersFor(tool, args);
  const { wrapsResults } = tool;
  const limits = paramHeaders === undefined && !wrapsResults
    ? deadline
    : { ...deadline, paramHeaders, wrapsResults };
  return caller.request(tool, call, "tools/call", text, limits);
}

/** The tool's own limit takes precedence over the gateway's. */
function deadlineOf({ timeoutMs }: ToolRow, otherwise: CallDeadline): CallDeadline {
  return timeoutMs === null ? otherwise : { timeoutMs, timeoutSetting: "the tool's timeout_ms" };
}
