// Records MCP calls in the audit trail: calls of tools as AUDIT_TOOL_CALLS says, and every call that its caller has no permission for.
import { actorOf } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import { resolveTool } from "../../catalog/snapshot/resolver.ts";
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import {
  type AuditEntity,
  type AuditOutcome,
  boundedNames,
  boundedText,
} from "../../store/audit/audit_record.ts";
import type { AuditTrail } from "../../store/audit/audit_trail.ts";
import { errorCodeOf } from "./outcome.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "./call_context.ts";

/** AUDIT_TOOL_CALLS */
export type AuditedCalls = "off" | "failures" | "all";

/** The code of a call whose tool has answered that it failed. */
const TOOL_FAILED = "isError";

export interface EndedCall {
  /** Also of a tool that is called as a method. */
  readonly isToolCall: boolean;
  readonly answer: RpcAnswer;
  /** The result of the tool says isError. */
  readonly toolFailed: boolean;
}

export class CallAudit {
  readonly #trail: Pick<AuditTrail, "add" | "note" | "refuses">;
  readonly #calls: AuditedCalls;

  constructor(trail: Pick<AuditTrail, "add" | "note" | "refuses">, calls: AuditedCalls) {
    this.#trail = trail;
    this.#calls = calls;
  }

  /** @throws {SluiceError} AUDIT_UNAVAILABLE for a call of a tool that could not be recorded */
  admit(isToolCall: boolean): void {
    if (isToolCall && this.#calls !== "off" && this.#trail.refuses) {
      throw new SluiceError("AUDIT_UNAVAILABLE");
    }
  }

  /** Records a call that has ended, if it is one to be recorded. */
  ended(call: CallContext, message: RequestMessage, { isToolCall, answer, toolFailed }: EndedCall): void {
    // The error code of the gateway, or the number that an upstream gave its error.
    const code = toolFailed
      ? TOOL_FAILED
      : answer.failed
      ? boundedText(String(errorCodeOf(answer.text)))
      : null;
    // The trail that has not admitted the call has no room for its record.
    if (code === "AUDIT_UNAVAILABLE") return;
    const outcome: AuditOutcome = code === null ? "done" : code === "FORBIDDEN" ? "refused" : "failed";
    const isWanted = isToolCall && (this.#calls === "all" || this.#calls === "failures" && code !== null);
    if (!isWanted && outcome !== "refused") return;
    const { note, principal } = call;
    const { params, method } = message;
    const args = isToolCall ? argumentsOf(message) : undefined;
    const record = {
      at: new Date().toISOString(),
      outcome,
      status: 200,
      code,
      operation: isToolCall ? "tools/call" : boundedText(method),
      method: "",
      endpoint: note?.endpoint ?? "none",
      permission: isToolCall ? "tools.execute" : null,
      entity: isToolCall
        ? toolOf(call, isObject(params) && method === "tools/call" ? params.name : method)
        : null,
      actor: actorOf(principal),
      address: note?.origin ?? note?.client ?? "",
      correlationId: note?.correlationId ?? "",
      count: 1,
      fields: isObject(args) ? boundedNames(Object.keys(args)) : [],
      changes: {},
    };
    // Each call that is asked for has a record of its own; refusals that nobody asked for are summed up.
    if (isWanted) this.#trail.add(record);
    else this.#trail.note(record);
  }
}

function argumentsOf({ method, params }: RequestMessage): unknown {
  return method === "tools/call" && isObject(params) ? params.arguments : params;
}

/** A tool that the caller does not see is known by the name alone. */
function toolOf({ scope, principal }: CallContext, name: unknown): AuditEntity | null {
  if (typeof name !== "string") return null;
  const called = boundedText(name);
  try {
    return { kind: "tool", id: resolveTool(scope, name, principal).row.id, name: called };
  } catch {
    return { kind: "tool", id: called, name: called };
  }
}
