// Room `proxy`: MCP methods, independent of HTTP and sessions. Endpoints call `Dispatcher`.
// This file maps a method to its handler, and the handler's answer or failure to the response.
import { type Method, METHOD_PERMISSIONS } from "../auth/method_permissions.ts";
import { requirePermission } from "../auth/rbac.ts";
import { type ErrorCode, isError, SluiceError } from "../base/errors.ts";
import type { Scope } from "../catalog/snapshot/catalog.ts";
import { errorText, idText, memberText, type RequestMessage, resultText } from "../mcp/json_rpc.ts";
import { type AnyRevision, STATELESS_REVISION } from "../mcp/revisions.ts";
import type { Span, Traced } from "../telemetry/traces/span.ts";
import type { RpcAnswer } from "../upstream/client/client_peer.ts";
import type { ListName } from "../upstream/session/list_filter.ts";
import { asUpstreamError } from "./call/upstream_error.ts";
import type { CallMeter } from "./call/call_meter.ts";
import type { CallAudit } from "./call/call_audit.ts";
import { TOOL_ERROR } from "./call/outcome.ts";
import type { CallContext, MethodHandler } from "./call/call_context.ts";
import { beginOperation, endOperation } from "./call/operation_span.ts";
import { LifecycleMethods, type ServerIdentity } from "./methods/lifecycle.ts";
import { listHandlers, type ListPaging } from "./methods/lists.ts";
import { completed } from "./call/sessionless_result.ts";
import { setLogLevel } from "./methods/logging.ts";
import { complete, getPrompt } from "./methods/prompts_get.ts";
import { readResource } from "./methods/resources_read.ts";
import { subscribeResource, unsubscribeResource } from "./methods/resources_subscribe.ts";
import { listTasks, type TaskListCursors } from "./methods/tasks_list.ts";
import { taskHandlers } from "./methods/task_methods.ts";
import { callTool, callToolAsMethod } from "./methods/tools_call.ts";
import { noteLinks } from "./methods/noted_links.ts";
import { mayHoldLinks } from "./resources/resource_links.ts";
import type { UpstreamCaller } from "./methods/upstream_caller.ts";

/** The part of a call that a failure report needs. */
type FailedCall = Pick<CallContext, "note" | "received" | "quotaRefusal">;

export interface DispatcherOptions {
  readonly identity: ServerIdentity;
  readonly paging: ListPaging;
  readonly taskCursors: TaskListCursors;
  /** Builds the JSON-RPC error object of a failure, as JSON text, and logs the failure if necessary. */
  readonly toErrorObject: (error: unknown, call: FailedCall) => string;
  /** null: nothing is recorded. */
  readonly audit: CallAudit | null;
  readonly meter: CallMeter;
}

export class Dispatcher {
  readonly #caller: UpstreamCaller;
  readonly #sessionMethods: ReadonlyMap<string, MethodHandler>;
  readonly #statelessMethods: ReadonlyMap<string, MethodHandler>;
  readonly #toolAsMethod: MethodHandler;
  readonly #serverInfo: (call: CallContext) => string;
  readonly #audit: CallAudit | null;
  readonly #meter: CallMeter;
  readonly #toErrorObject: (error: unknown, call: FailedCall) => string;

  constructor(
    caller: UpstreamCaller,
    { identity, paging, taskCursors, toErrorObject, audit, meter }: DispatcherOptions,
  ) {
    this.#caller = caller;
    const lifecycle = new LifecycleMethods(identity);
    const shared: readonly Served[] = [
      ...listHandlers(caller, paging),
      ["tools/call", (call, message) => callTool(caller, call, message)],
      ["resources/read", (call, message) => readResource(caller, call, message)],
      ["prompts/get", (call, message) => getPrompt(caller, call, message)],
      ["completion/complete", (call, message) => complete(caller, call, message)],
    ];
    this.#sessionMethods = guarded([
      ["initialize", (call, message) => lifecycle.initialize(call, message)],
      ["ping", () => lifecycle.ping()],
      ...shared,
      ["logging/setLevel", (call, message) => setLogLevel(caller, call, message)],
      ["resources/subscribe", (call, message) => subscribeResource(caller, call, message)],
      ["resources/unsubscribe", (call, message) => unsubscribeResource(caller, call, message)],
      ...taskHandlers(caller, ["tasks/get", "tasks/result", "tasks/cancel"]),
      ["tasks/list", (call, message) => listTasks(caller, taskCursors, call, message)],
    ]);
    this.#statelessMethods = guarded([
      ["server/discover", (call) => lifecycle.discover(call)],
      ...shared,
      ...taskHandlers(caller, ["tasks/get", "tasks/update", "tasks/cancel"]),
    ]);
    this.#serverInfo = (call) => lifecycle.serverInfoText(call);
    this.#toolAsMethod = (call, message) => callToolAsMethod(caller, call, message);
    this.#toErrorObject = toErrorObject;
    this.#audit = audit;
    this.#meter = meter;
  }

  /** Whether the method exists, apart from tools called as methods. */
  knows(method: string, revision: AnyRevision): boolean {
    return this.#methods(revision).has(method);
  }

  /** Serves a request and returns the whole response as JSON text. */
  async respond(call: CallContext, message: RequestMessage): Promise<string> {
    const startedAt = performance.now();
    const span = call.trace === undefined ? undefined : begun(call.trace, call, message, startedAt);
    const served = await this.#serve(call, message);
    this.#ended(call, message, startedAt, served, span);
    const answer = call.revision === STATELESS_REVISION ? this.completed(call, message, served) : served;
    const id = idText(message);
    return answer.failed ? errorText(id, answer.text) : resultText(id, answer.text);
  }

  /**
   * Returns the result or the error object. Never throws. An unknown method may be a tool's name, if the endpoint allows it.
   */
  async answer(call: CallContext, message: RequestMessage): Promise<RpcAnswer> {
    const startedAt = performance.now();
    const span = call.trace === undefined ? undefined : begun(call.trace, call, message, startedAt);
    const served = await this.#serve(call, message);
    this.#ended(call, message, startedAt, served, span);
    return call.revision === STATELESS_REVISION ? this.completed(call, message, served) : served;
  }

  /** Completes an answer for a 2026-07-28 client. Never throws. */
  completed(call: CallContext, { method }: RequestMessage, answer: RpcAnswer): RpcAnswer {
    try {
      return completed(method, answer, this.#serverInfo(call), call.clientCapabilities);
    } catch (error) {
      return this.failure(error, call);
    }
  }

  #serve(call: CallContext, message: RequestMessage): Promise<RpcAnswer> {
    const handler = this.#methods(call.revision).get(message.method) ??
      (call.toolsAsMethods ? this.#toolAsMethod : unknownMethod);
    return this.#run(handler, call, message);
  }

  /** Measures a request that is answered, and records it. */
  #ended(
    call: CallContext,
    message: RequestMessage,
    startedAt: number,
    answer: RpcAnswer,
    span: Span | undefined,
  ): void {
    const isKnown = this.#methods(call.revision).has(message.method);
    const isToolAsMethod = !isKnown && call.toolsAsMethods === true;
    const method = isKnown ? message.method : isToolAsMethod && !answer.failed ? "tools/call" : null;
    const endedAt = performance.now();
    const type = this.#meter.served(method, startedAt, answer, endedAt);
    if (span !== undefined) endOperation(span, call, method, message.id, type, endedAt);
    if (this.#audit === null) return;
    const isToolCall = isToolAsMethod || message.method === "tools/call";
    this.#audit.ended(call, message, { isToolCall, answer, toolFailed: type === TOOL_ERROR });
  }

  async #run(handler: MethodHandler, call: CallContext, message: RequestMessage): Promise<RpcAnswer> {
    try {
      this.#audit?.admit(handler === this.#toolAsMethod || message.method === "tools/call");
      const answer = await handler(call, message);
      if (!answer.failed) {
        const method = handler === this.#toolAsMethod ? "tools/call" : message.method;
        if (mayHoldLinks(method, answer.text)) await noteLinks(this.#caller, call, message, answer);
        return answer;
      }
      // Handlers throw the gateway's own errors, so this one is the upstream's.
      if (call.note !== undefined) call.note.code = codeOf(answer);
      return { text: asUpstreamError(answer.text), failed: true };
    } catch (error) {
      const scope = call.signal?.aborted ? null : await foundLater(error, call);
      if (scope !== null) return await this.#run(handler, { ...call, scope, lists: null }, message);
      return this.failure(call.signal?.aborted ? cancelled(error) : error, call);
    }
  }

  /** Converts a failure to an answer for the client. */
  failure(error: unknown, call: FailedCall): RpcAnswer {
    if (call.quotaRefusal !== undefined && isError(error, "QUOTA_EXCEEDED")) {
      call.quotaRefusal.overQuota = error;
    }
    return { text: this.#toErrorObject(error, call), failed: true };
  }

  #methods(revision: AnyRevision): ReadonlyMap<string, MethodHandler> {
    return revision === STATELESS_REVISION ? this.#statelessMethods : this.#sessionMethods;
  }
}

/** Begins the span of the operation, to which the further spans of the call belong. */
function begun(trace: Traced, call: CallContext, message: RequestMessage, startedAt: number): Span {
  return call.trace = beginOperation(trace, message, startedAt);
}

/** A method and its handler. */
type Served = readonly [method: Method, handler: MethodHandler];

/** The handlers by method, each behind the check of its permission. They throw FORBIDDEN. */
function guarded(methods: readonly Served[]): ReadonlyMap<string, MethodHandler> {
  return new Map(methods.map(([method, handler]): [string, MethodHandler] => {
    const permission = METHOD_PERMISSIONS[method];
    if (permission === null) return [method, handler];
    return [method, (call, message) => {
      requirePermission(call.principal, permission, call.scope.server?.id);
      return handler(call, message);
    }];
  }));
}

/** The error code for the access log. An error object from an upstream carries its own. */
function codeOf({ text }: RpcAnswer): number {
  return Number(memberText(text, "code") ?? -32603);
}

/** A cancelled call is reported as such, whatever error its signal caused. */
function cancelled(error: unknown): unknown {
  return error instanceof SluiceError ? error : new SluiceError("REQUEST_CANCELLED", {}, { cause: error });
}

/** Errors of names that the scope does not have, and the lists where they may be. */
const MISSED: Partial<Record<ErrorCode, ListName>> = {
  TOOL_NOT_FOUND: "tools",
  PROMPT_NOT_FOUND: "prompts",
  RESOURCE_NOT_FOUND: "resources",
};

/** The scope in which a name may be found that was not: the client's own sessions may list it by now. Null: there is none. */
async function foundLater(error: unknown, call: CallContext): Promise<Scope | null> {
  const list = error instanceof SluiceError ? MISSED[error.code] : undefined;
  if (list === undefined) return null;
  const { name, uri } = (error as SluiceError).params;
  return await (call.lists?.ask(call, list, String(name ?? uri)) ?? null);
}

const unknownMethod: MethodHandler = (_call, { method }) => {
  throw new SluiceError("METHOD_NOT_FOUND", { method });
};
