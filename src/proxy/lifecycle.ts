// initialize and ping: what the gateway says of itself.
import { SluiceError } from "../base/errors.ts";
import { isObject, type RequestMessage } from "../mcp/json_rpc.ts";
import { negotiateRevision } from "../mcp/revisions.ts";
import type { RpcAnswer } from "../upstream/client_peer.ts";
import type { CallContext } from "./call_context.ts";

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
}

export class LifecycleMethods {
  readonly #identity: ServerIdentity;

  constructor(identity: ServerIdentity) {
    this.#identity = identity;
  }

  /** @throws {SluiceError} INVALID_PARAMS */
  initialize({ scope }: CallContext, { params }: RequestMessage): RpcAnswer {
    if (!isObject(params) || typeof params.protocolVersion !== "string") {
      throw new SluiceError("INVALID_PARAMS", { reason: '"protocolVersion" must be a string' });
    }
    const { server } = scope;
    const lists = { listChanged: true };
    const completes = scope.prompts.entries.some(canComplete) || scope.templates.entries.some(canComplete);
    const result = {
      protocolVersion: negotiateRevision(params.protocolVersion),
      capabilities: {
        tools: lists,
        resources: lists,
        prompts: lists,
        ...(completes ? { completions: {} } : {}),
      },
      serverInfo: { ...this.#identity, ...(server === null ? {} : { title: server.name }) },
      ...(server?.description ? { instructions: server.description } : {}),
    };
    return { text: JSON.stringify(result), failed: false };
  }

  ping(): RpcAnswer {
    return { text: "{}", failed: false };
  }
}

function canComplete({ gateway }: { gateway: { capabilities: Readonly<Record<string, unknown>> } }): boolean {
  return "completions" in gateway.capabilities;
}
