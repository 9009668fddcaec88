// initialize and ping: what the gateway says of itself.
import { SluiceError } from "../base/errors.ts";
import { isObject, type RequestMessage } from "../mcp/json_rpc.ts";
import { META, MODERN_REVISION, negotiateRevision } from "../mcp/revisions.ts";
import type { RpcAnswer } from "../upstream/client_peer.ts";
import type { Scope } from "../catalog/catalog.ts";
import type { CallContext } from "./call_context.ts";
import { complete } from "./modern_answer.ts";

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
    const result = {
      protocolVersion: negotiateRevision(params.protocolVersion),
      capabilities: capabilitiesOf(scope),
      serverInfo: this.#serverInfo(scope),
      ...(server?.description ? { instructions: server.description } : {}),
    };
    return { text: JSON.stringify(result), failed: false };
  }

  /** What `initialize` says, for clients without sessions (2026-07-28, "Discovery"). */
  discover({ scope }: CallContext): RpcAnswer {
    const { server } = scope;
    const result = {
      supportedVersions: [MODERN_REVISION],
      capabilities: capabilitiesOf(scope),
      ...(server?.description ? { instructions: server.description } : {}),
      _meta: { [META.serverInfo]: this.#serverInfo(scope) },
    };
    return complete("server/discover", { text: JSON.stringify(result), failed: false }, this.#identity);
  }

  #serverInfo({ server }: Scope) {
    return { ...this.#identity, ...(server === null ? {} : { title: server.name }) };
  }

  ping(): RpcAnswer {
    return { text: "{}", failed: false };
  }
}

function capabilitiesOf({ prompts, templates }: Scope) {
  const lists = { listChanged: true };
  const completes = prompts.entries.some(canComplete) || templates.entries.some(canComplete);
  return {
    tools: lists,
    resources: lists,
    prompts: lists,
    ...(completes ? { completions: {} } : {}),
  };
}

function canComplete({ gateway }: { gateway: { capabilities: Readonly<Record<string, unknown>> } }): boolean {
  return "completions" in gateway.capabilities;
}
