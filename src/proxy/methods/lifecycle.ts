// initialize, server/discover and ping: the gateway's description of itself.
import type { Principal } from "../../auth/principal.ts";
import { canSee } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import { negotiateRevision, STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import { forClient } from "../../catalog/snapshot/capabilities.ts";
import type { Scope } from "../../catalog/snapshot/scope.ts";
import type { CallContext } from "../call/call_context.ts";

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
}

export class LifecycleMethods {
  readonly #identity: ServerIdentity;
  readonly #serverInfoTexts = new WeakMap<Scope, string>();

  constructor(identity: ServerIdentity) {
    this.#identity = identity;
  }

  /** @throws {SluiceError} INVALID_PARAMS */
  initialize({ scope, principal }: CallContext, { params }: RequestMessage): RpcAnswer {
    if (!isObject(params) || typeof params.protocolVersion !== "string") {
      throw new SluiceError("INVALID_PARAMS", { reason: '"protocolVersion" must be a string' });
    }
    // Upstreams receive the same capabilities, and some refuse invalid ones in every call.
    if (params.capabilities !== undefined && !isObject(params.capabilities)) {
      throw new SluiceError("INVALID_PARAMS", { reason: '"capabilities" must be an object' });
    }
    const result = {
      protocolVersion: negotiateRevision(params.protocolVersion),
      ...this.#description(scope, principal, false),
      serverInfo: this.#serverInfo(scope),
    };
    return { text: JSON.stringify(result), failed: false };
  }

  /** The counterpart of `initialize` for clients without sessions (2026-07-28, "Discovery"). */
  discover({ scope, principal }: CallContext): RpcAnswer {
    const result = { supportedVersions: [STATELESS_REVISION], ...this.#description(scope, principal, true) };
    return { text: JSON.stringify(result), failed: false };
  }

  ping(): RpcAnswer {
    return { text: "{}", failed: false };
  }

  /** The server identity in every 2026-07-28 result, as JSON text; built once per catalog. */
  serverInfoText({ scope }: CallContext): string {
    let text = this.#serverInfoTexts.get(scope);
    if (text === undefined) this.#serverInfoTexts.set(scope, text = JSON.stringify(this.#serverInfo(scope)));
    return text;
  }

  #description(scope: Scope, principal: Principal, isSessionless: boolean) {
    const { server } = scope;
    const instructions = server?.instructions ?? server?.description;
    return {
      capabilities: forClient(scope.capabilities((row) => canSee(principal, row)), isSessionless),
      ...(instructions ? { instructions } : {}),
    };
  }

  #serverInfo({ server }: Scope) {
    return { ...this.#identity, ...(server === null ? {} : { title: server.name, ...server.serverInfo }) };
  }
}
