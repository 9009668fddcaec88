// initialize, server/discover and ping: the gateway's description of itself.
import type { Principal } from "../../auth/principal.ts";
import { canSee } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { isObject, memberText, type RequestMessage } from "../../mcp/json_rpc.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import { forClient } from "../../catalog/snapshot/capabilities.ts";
import { negotiated } from "../../catalog/snapshot/endpoint_revisions.ts";
import { unsupportedRevision } from "../call/unsupported_revision.ts";
import type { Scope } from "../../catalog/snapshot/scope.ts";
import type { CallContext } from "../call/call_context.ts";

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
}

/** Limit for `capabilities` and `clientInfo` together. The gateway keeps both for the whole session. */
const MAX_CLIENT_DESCRIPTION_CHARS = 16 * 1024;

/** What an `initialize` says of the client. */
export interface ClientDescription {
  readonly protocolVersion: string;
  readonly clientInfo: unknown;
  /** JSON text. */
  readonly capabilities: string;
}

/** @throws {SluiceError} INVALID_PARAMS */
export function clientDescription({ params, text }: RequestMessage): ClientDescription {
  if (!isObject(params) || typeof params.protocolVersion !== "string") {
    throw new SluiceError("INVALID_PARAMS", { reason: '"protocolVersion" must be a string' });
  }
  // Upstreams receive the same capabilities, and some refuse invalid ones in every call.
  if (params.capabilities !== undefined && !isObject(params.capabilities)) {
    throw new SluiceError("INVALID_PARAMS", { reason: '"capabilities" must be an object' });
  }
  const paramsText = memberText(text, "params")!;
  const capabilities = memberText(paramsText, "capabilities") ?? "{}";
  const chars = capabilities.length + (memberText(paramsText, "clientInfo")?.length ?? 0);
  if (chars > MAX_CLIENT_DESCRIPTION_CHARS) {
    throw new SluiceError("INVALID_PARAMS", {
      reason: `"capabilities" and "clientInfo" have ${chars} characters together, and may have ` +
        `${MAX_CLIENT_DESCRIPTION_CHARS}`,
    });
  }
  const { protocolVersion, clientInfo } = params;
  return { protocolVersion, clientInfo, capabilities };
}

export class LifecycleMethods {
  readonly #identity: ServerIdentity;
  readonly #serverInfoTexts = new WeakMap<Scope, string>();

  constructor(identity: ServerIdentity) {
    this.#identity = identity;
  }

  /** @throws {SluiceError} INVALID_PARAMS, UNSUPPORTED_PROTOCOL_VERSION */
  initialize({ scope, principal }: CallContext, message: RequestMessage): RpcAnswer {
    const { protocolVersion: requested } = clientDescription(message);
    const protocolVersion = negotiated(scope.revisions, requested);
    if (protocolVersion === null) throw unsupportedRevision(requested, [STATELESS_REVISION]);
    const result = {
      protocolVersion,
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
