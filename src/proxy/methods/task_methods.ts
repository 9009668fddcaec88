// tasks/get, tasks/result, tasks/cancel and tasks/update: sent to the upstream that runs the task; the result carries our id.
import { SluiceError } from "../../base/errors.ts";
import { visibleGateway } from "../../catalog/snapshot/resolver.ts";
import { isObject, memberText, replaceSoleMember, type RequestMessage } from "../../mcp/json_rpc.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import { declaresTasksExtension, TASKS_EXTENSION } from "../../mcp/tasks.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext, MethodHandler } from "../call/call_context.ts";
import { type TaskIds, taskOwnerOf } from "../tasks/task_ids.ts";
import { mayNameTask, type Rename, renameInCreated, renameInMeta, renameInTask } from "../tasks/task_text.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

/** The place of the task id in the result, by method. */
const RESULTS: Readonly<Record<string, (result: string, rename: Rename) => string>> = {
  "tasks/get": renameInTask,
  "tasks/cancel": renameInTask,
  "tasks/update": renameInTask,
  // The result is the tool's; only its `_meta` names the task.
  "tasks/result": renameInMeta,
};

/**
 * The handlers throw INVALID_PARAMS for an id that this caller was not given, MISSING_CLIENT_CAPABILITY,
 * UPSTREAM_*.
 */
export function taskHandlers<Method extends string>(
  caller: UpstreamCaller,
  methods: readonly Method[],
): [method: Method, handler: MethodHandler][] {
  return methods.map((method) => [method, (call, message) => askAboutTask(caller, call, message)]);
}

/** Replaces the task id in the answer of a tools/call that may have created a task. */
export function taskMade(
  caller: UpstreamCaller,
  call: CallContext,
  gatewayId: string,
  answer: RpcAnswer,
): RpcAnswer {
  const { text, failed } = answer;
  if (failed || !mayNameTask(text)) return answer;
  const rename = sealFor(caller, call, gatewayId);
  const isTask = memberText(text, "resultType") === '"task"';
  return { text: isTask ? renameInTask(text, rename) : renameInCreated(text, rename), failed };
}

/** Replaces an upstream's task ids with ours for this caller. */
export function sealFor({ taskIds }: UpstreamCaller, call: CallContext, gatewayId: string): Rename {
  const owner = taskOwnerOf(call);
  return (taskId) => taskIds.seal(owner, { gatewayId, taskId });
}

/** Finds the task at its upstream; null: the caller has no such task at this endpoint. */
export function findTask(
  taskIds: TaskIds,
  call: CallContext,
  id: string,
): { readonly gateway: GatewayRow; readonly taskId: string } | null {
  const task = taskIds.open(taskOwnerOf(call), id);
  if (task === null) return null;
  // A caller who no longer sees an upstream has no access to its tasks.
  const gateway = visibleGateway(call.scope.tools, task.gatewayId, call.principal);
  return gateway === undefined ? null : { gateway, taskId: task.taskId };
}

async function askAboutTask(
  caller: UpstreamCaller,
  call: CallContext,
  { method, params, text }: RequestMessage,
): Promise<RpcAnswer> {
  if (call.revision === STATELESS_REVISION) requireTasksExtension(call.clientCapabilities);
  const given = isObject(params) ? params.taskId : undefined;
  if (typeof given !== "string") {
    throw new SluiceError("INVALID_PARAMS", { reason: '"taskId" must be a string' });
  }
  const task = findTask(caller.taskIds, call, given);
  if (task === null) {
    throw new SluiceError("INVALID_PARAMS", { reason: '"taskId" names no task of this caller here' });
  }
  const { gateway } = task;
  const sent = replaceSoleMember(memberText(text, "params")!, "taskId", JSON.stringify(task.taskId));
  // tasks/result waits for the tool, so the tool's deadline applies.
  const limits = method === "tasks/result" ? caller.toolDeadline : undefined;
  const answer = await caller.request({ gateway }, call, method, sent, limits);
  if (answer.failed) return answer;
  return { text: RESULTS[method]!(answer.text, sealFor(caller, call, gateway.id)), failed: false };
}

/**
 * Requires the tasks extension from clients that use its methods (tasks extension, "Protocol Errors", which also defines
 * `data`).
 * @param capabilities the client's, as JSON text
 * @throws {SluiceError} MISSING_CLIENT_CAPABILITY
 */
export function requireTasksExtension(capabilities: string | undefined): void {
  if (declaresTasksExtension(capabilities)) return;
  const requiredCapabilities = { extensions: { [TASKS_EXTENSION]: {} } };
  throw new SluiceError("MISSING_CLIENT_CAPABILITY", { capability: `extensions["${TASKS_EXTENSION}"]` }, {
    data: { requiredCapabilities },
  });
}
