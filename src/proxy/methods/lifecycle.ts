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
import type { EntityRow, GatewayRow } from "../../store/registry/rows.ts";
import type { CallContext } from "../call/call_context.ts";

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
}

/** Limit for `capabilities` and `clientInfo` together. The gateway keeps both for the whole session. */
const MAX_CLIENT_DESCRIPTION_CHARS = 16 * 1024;

const IDENTITY: ReadonlySet<string> = new Set(["name", "version", "websiteUrl"]);
const MAX_IDENTITY_CHARS = 2_048;

/** Limit for the instructions of an endpoint's upstreams together. */
const MAX_UPSTREAM_INSTRUCTIONS_CHARS = 64 * 1024;

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
    const sees = (row: EntityRow) => canSee(principal, row);
    const instructions = instructionsOf(scope, scope.upstreams(sees));
    return {
      capabilities: forClient(scope.capabilities(sees), isSessionless),
      ...(instructions === "" ? {} : { instructions }),
    };
  }

  /** A virtual server in front of one upstream has that one's identity, except for what the operator says. */
  #serverInfo({ server, onlyUpstream }: Scope) {
    if (server === null) return this.#identity;
    return {
      ...this.#identity,
      ...identityOf(onlyUpstream?.serverInfo ?? null),
      title: server.name,
      ...server.serverInfo,
    };
  }
}

/** The members of an upstream's `serverInfo` that are passed on. Every result of 2026-07-28 carries them, so they must be short. */
function identityOf(serverInfo: GatewayRow["serverInfo"]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(serverInfo ?? {}).filter(([key, value]) =>
      IDENTITY.has(key) && typeof value === "string" && value.length <= MAX_IDENTITY_CHARS
    ),
  );
}

/**
 * The operator's instructions. Without any: the virtual server's description, then the upstreams' instructions. Several
 * upstreams have a heading each. Those that would exceed the limit are left out.
 */
function instructionsOf({ server }: Scope, upstreams: readonly GatewayRow[]): string {
  if (server?.instructions) return server.instructions;
  const parts = server?.description ? [server.description] : [];
  let chars = 0;
  for (const { name, instructions } of upstreams) {
    const length = instructions?.length ?? 0;
    if (length === 0 || chars + length > MAX_UPSTREAM_INSTRUCTIONS_CHARS) continue;
    chars += length;
    parts.push(upstreams.length === 1 ? instructions! : `# ${name}\n\n${instructions}`);
  }
  return parts.join("\n\n");
}
