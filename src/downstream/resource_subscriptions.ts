// Resources that a 2026-07-28 client listens to: found in what its endpoint shows, watched at the upstream they come from.
import { requirePermission } from "../auth/rbac.ts";
import { resolveResource } from "../catalog/resolver.ts";
import type { CallContext } from "../proxy/call_context.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Upstreams } from "../upstream/upstreams.ts";

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

/** Between two subscriptions at an upstream that has just been changed, ms. */
const PAUSE_MS = 1_000;

export class ResourceSubscriptions {
  readonly #upstreams: Pick<Upstreams, "get">;

  constructor(upstreams: Pick<Upstreams, "get">) {
    this.#upstreams = upstreams;
  }

  /** @throws {SluiceError} FORBIDDEN, RESOURCE_NOT_FOUND */
  find({ principal, scope }: CallContext, uri: string): WatchedResource {
    requirePermission(principal, "resources.read");
    return { gatewayId: resolveResource(scope, uri, principal).gateway.id, uri };
  }

  /** Watch until the signal is aborted. `onUpdate` takes the upstreams' notifications as JSON text. Never rejects. */
  async watch(
    resources: readonly WatchedResource[],
    onUpdate: (text: string) => void,
    options: WatchOptions,
  ): Promise<void> {
    const byUpstream = Map.groupBy(resources, ({ gatewayId }) => gatewayId);
    await Promise.all(
      [...byUpstream].map(([gatewayId, own]) =>
        this.#watchOne(gatewayId, own.map(({ uri }) => uri), onUpdate, options)
      ),
    );
  }

  /** An upstream that was changed is another: its successor is subscribed to. One that refuses is left alone. */
  async #watchOne(
    gatewayId: string,
    uris: readonly string[],
    onUpdate: (text: string) => void,
    { call, signal }: WatchOptions,
  ): Promise<void> {
    let last: Upstream | null = null;
    while (!signal.aborted) {
      const upstream = this.#find(gatewayId);
      if (upstream === null || upstream === last) return;
      last = upstream;
      const subscription = upstream.subscribe(uris, onUpdate, signal, call);
      subscription.opened.catch(() => {});
      await subscription.ended;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #find(gatewayId: string): Upstream | null {
    try {
      return this.#upstreams.get(gatewayId);
    } catch {
      // Deleted, or its credentials cannot be read: there is nothing to hear from it.
      return null;
    }
  }
}
