// Resources that a 2026-07-28 client listens to: found in what its endpoint shows, watched at the upstream they come from.
import { requirePermission } from "../auth/rbac.ts";
import { resolveResource } from "../catalog/resolver.ts";
import type { CallContext } from "../proxy/call_context.ts";

/** One URI and the upstream that it comes from. */
export interface WatchedResource {
  readonly gatewayId: string;
  readonly uri: string;
}

export interface WatchOptions {
  readonly call: CallContext;
  /** Aborted when nobody listens any more. */
  readonly signal: AbortSignal;
}

/** Watches resources of one upstream; `onUpdate` takes its notifications as JSON text. */
export type WatchUpstream = (
  gatewayId: string,
  uris: readonly string[],
  onUpdate: (text: string) => void,
  options: WatchOptions,
) => Promise<void>;

export class ResourceSubscriptions {
  readonly #watchUpstream: WatchUpstream;

  constructor(watchUpstream: WatchUpstream) {
    this.#watchUpstream = watchUpstream;
  }

  /** @throws {SluiceError} FORBIDDEN, RESOURCE_NOT_FOUND */
  find({ principal, scope }: CallContext, uri: string): WatchedResource {
    requirePermission(principal, "resources.read");
    return { gatewayId: resolveResource(scope, uri, principal).gateway.id, uri };
  }

  /** Watch until the signal is aborted. */
  async watch(
    resources: readonly WatchedResource[],
    onUpdate: (text: string) => void,
    options: WatchOptions,
  ): Promise<void> {
    const byUpstream = Map.groupBy(resources, ({ gatewayId }) => gatewayId);
    await Promise.all(
      [...byUpstream].map(([gatewayId, own]) =>
        this.#watchUpstream(gatewayId, own.map(({ uri }) => uri), onUpdate, options)
      ),
    );
  }
}
