// From a method's name to its handler, and from the handler's answer or failure to the response.
import { SluiceError } from "../base/errors.ts";
import { errorText, idText, type RequestMessage, resultText } from "../mcp/json_rpc.ts";
import type { CallContext, Handler } from "./call_context.ts";
import { LifecycleMethods, type ServerIdentity } from "./lifecycle.ts";
import { listHandlers } from "./lists.ts";
import { setLogLevel } from "./logging.ts";
import { complete, getPrompt } from "./prompts.ts";
import { readResource } from "./resources.ts";
import { subscribe, unsubscribe } from "./subscriptions.ts";
import { callTool, callToolAsMethod } from "./tools_call.ts";
import type { UpstreamCaller } from "./upstream_caller.ts";

export class Dispatcher {
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #toolAsMethod: Handler;
  readonly #toErrorObject: (error: unknown, call: CallContext) => string;

  /** @param toErrorObject makes the JSON-RPC error object of a failure, as JSON text, and logs what is worth it */
  constructor(
    caller: UpstreamCaller,
    identity: ServerIdentity,
    toErrorObject: (error: unknown, call: CallContext) => string,
  ) {
    const lifecycle = new LifecycleMethods(identity);
    this.#handlers = new Map<string, Handler>([
      ["initialize", (call, message) => lifecycle.initialize(call, message)],
      ["ping", () => lifecycle.ping()],
      ...listHandlers(caller),
      ["tools/call", (call, message) => callTool(caller, call, message)],
      ["resources/read", (call, message) => readResource(caller, call, message)],
      ["prompts/get", (call, message) => getPrompt(caller, call, message)],
      ["completion/complete", (call, message) => complete(caller, call, message)],
      ["logging/setLevel", (call, message) => setLogLevel(caller, call, message)],
      ["resources/subscribe", (call, message) => subscribe(caller, call, message)],
      ["resources/unsubscribe", (call, message) => unsubscribe(caller, call, message)],
    ]);
    this.#toolAsMethod = (call, message) => callToolAsMethod(caller, call, message);
    this.#toErrorObject = toErrorObject;
  }

  /** Does the method exist, tools called as methods left aside? */
  knows(method: string): boolean {
    return this.#handlers.has(method);
  }

  /** Serve a request: the whole response, as JSON text. Where the endpoint says so, a method that is none is a tool's name. */
  async respond(call: CallContext, message: RequestMessage): Promise<string> {
    const handler = this.#handlers.get(message.method) ??
      (call.toolsAsMethods ? this.#toolAsMethod : unknownMethod);
    try {
      const answer = await handler(call, message);
      return answer.failed
        ? errorText(idText(message), answer.text)
        : resultText(idText(message), answer.text);
    } catch (error) {
      const reason = call.signal?.aborted ? cancelled(error) : error;
      return errorText(idText(message), this.#toErrorObject(reason, call));
    }
  }
}

/** A client that hangs up is no fault of ours, whatever words its signal ends a call with. */
function cancelled(error: unknown): unknown {
  return error instanceof SluiceError ? error : new SluiceError("REQUEST_CANCELLED", {}, { cause: error });
}

const unknownMethod: Handler = (_call, { method }) => {
  throw new SluiceError("METHOD_NOT_FOUND", { method });
};
