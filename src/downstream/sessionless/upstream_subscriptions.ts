// Subscriptions of a 2026-07-28 client to resources and tasks: found in its scope, and subscribed to at their upstreams.
import { tokenOf } from "../../auth/token_reach.ts";
import { METHOD_PERMISSIONS } from "../../auth/method_permissions.ts";
import { requirePermission } from "../../auth/rbac.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { barrierTo } from "../../catalog/snapshot/reach.ts";
import { findResource } from "../../catalog/snapshot/resolver.ts";
import { isObject, memberValue } from "../../mcp/json_rpc.ts";
import { spokenRevisions } from "../../mcp/spoken_revisions.ts";
import { TASK_NOTIFICATIONS } from "../../mcp/tasks.ts";
import type { CallContext } from "../../proxy/call/call_context.ts";
import type { ResourceLinks } from "../../proxy/resources/resource_links.ts";
import { upstreamNaming } from "../../proxy/resources/unlisted.ts";
import { type TaskIds, taskOwnerOf } from "../../proxy/tasks/task_ids.ts";
import { renameInMessage } from "../../proxy/tasks/task_text.ts";
import { findTask } from "../../proxy/methods/task_methods.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";

/** A subscription, in the upstream's own names. */
export interface Watched {
  readonly gatewayId: string;
  readonly kind: "resource" | "task";
  /** The URI of the resource, or the upstream's id of the task. */
  readonly id: string;
}

export interface WatchOptions {
  readonly call: CallContext;
  /** Aborted when the listener has ended. */
  readonly signal: AbortSignal;
  readonly catalog: Catalog;
}

/** The subscriptions of one listener. */
export interface Watching {
  /** Applies a new catalog: ends subscriptions that the caller may not have any more, and subscribes at changed upstreams. */
  review(catalog: Catalog): void;
}

export class UpstreamSubscriptions {
  readonly #upstreams: Pick<Upstreams, "get">;
  readonly #taskIds: TaskIds;
  readonly #links: ResourceLinks;

  constructor(upstreams: Pick<Upstreams, "get">, taskIds: TaskIds, links: ResourceLinks) {
    this.#upstreams = upstreams;
    this.#taskIds = taskIds;
    this.#links = links;
  }

  /** Reads which upstreams have given the caller links, as other workers have noted it. */
  async recallLinks(call: CallContext): Promise<void> {
    await this.#links.recall(call);
  }

  /**
   * @returns null if the upstream does not offer resource subscriptions
   * @throws {SluiceError} FORBIDDEN; INVALID_PARAMS for an unknown resource, as the revision requires
   */
  findResource(call: CallContext, uri: string): Watched | null {
    const { principal, scope } = call;
    requirePermission(principal, METHOD_PERMISSIONS["resources/subscribe"], scope.server?.id);
    try {
      const gateway = findResource(scope, uri, principal)?.gateway ??
        upstreamNaming(call, uri, this.#links.known(call, uri));
      if (gateway === undefined || gateway === null) throw new SluiceError("RESOURCE_NOT_FOUND", { uri });
      const { resources } = gateway.capabilities;
      if (!isObject(resources) || resources.subscribe !== true) return null;
      return { gatewayId: gateway.id, kind: "resource", id: uri };
    } catch (error) {
      if (!isError(error, "RESOURCE_NOT_FOUND")) throw error;
      throw new SluiceError("INVALID_PARAMS", { reason: error.message });
    }
  }

  /** @returns null for an unknown task, and for another caller's. @throws {SluiceError} FORBIDDEN */
  findTask(call: CallContext, id: string): Watched | null {
    requirePermission(call.principal, METHOD_PERMISSIONS["tasks/get"], call.scope.server?.id);
    const task = findTask(this.#taskIds, call, id);
    // An upstream that returned to a revision with sessions does not report tasks of this one.
    if (task === null || !spokenRevisions(task.gateway).stateless) return null;
    return { gatewayId: task.gateway.id, kind: "task", id: task.taskId };
  }

  /** Subscribes until the signal is aborted. `onUpdate` takes notifications as JSON text. */
  watch(
    watched: readonly Watched[],
    onUpdate: (text: string) => void,
    { call, signal, catalog }: WatchOptions,
  ): Watching {
    const reacher = { principal: call.principal, serverId: call.scope.server?.id ?? null };
    const subscriptions = [...Map.groupBy(watched, ({ gatewayId }) => gatewayId)].map(([gatewayId, own]) => ({
      gatewayId,
      subscribe: this.#subscriberTo(gatewayId, own, onUpdate, call, signal),
      subscribed: null as unknown,
      stop: new AbortController(),
    }));
    const review = (catalog: Catalog) => {
      for (const subscription of subscriptions) {
        const { gatewayId, subscribe } = subscription;
        const upstream = barrierTo(catalog, reacher, gatewayId) === null ? this.#find(gatewayId) : null;
        const subscribed = upstream?.subscribed ?? null;
        if (subscribed === subscription.subscribed) continue;
        subscription.stop.abort(new SluiceError("REQUEST_CANCELLED"));
        subscription.subscribed = subscribed;
        subscription.stop = new AbortController();
        if (upstream !== null) subscribe(upstream, subscription.stop.signal);
      }
    };
    review(catalog);
    return { review };
  }

  #subscriberTo(
    gatewayId: string,
    watched: readonly Watched[],
    onUpdate: (text: string) => void,
    call: CallContext,
    ended: AbortSignal,
  ): (upstream: Upstream, stop: AbortSignal) => void {
    const [uris, tasks] = (["resource", "task"] as const).map((wanted) =>
      watched.flatMap(({ kind, id }) => kind === wanted ? [id] : [])
    );
    const filter = {
      ...(uris!.length > 0 ? { resourceSubscriptions: uris! } : {}),
      ...(tasks!.length > 0 ? { taskIds: tasks! } : {}),
    };
    const owner = taskOwnerOf(call);
    const { principal, received, clientCapabilities } = call;
    const caller = { token: tokenOf(principal), received, clientCapabilities };
    const hear = (text: string) => {
      if (!isOf(filter, text)) return;
      onUpdate(renameInMessage(text, (taskId) => this.#taskIds.seal(owner, { gatewayId, taskId })));
    };
    return (upstream, stop) => {
      const { opened } = upstream.subscribe(filter, hear, AbortSignal.any([stop, ended]), caller);
      // An upstream that refuses is asked again once it has changed.
      opened.catch(() => {});
    };
  }

  #find(gatewayId: string): Upstream | null {
    try {
      return this.#upstreams.get(gatewayId);
    } catch {
      // The upstream's credentials cannot be read.
      return null;
    }
  }
}

/** Does the notification belong to the subscription? Its session receives everything that the upstream sends, log messages included. */
function isOf(
  { resourceSubscriptions, taskIds }: { resourceSubscriptions?: unknown; taskIds?: unknown },
  text: string,
): boolean {
  const method = memberValue(text, "method");
  return (resourceSubscriptions !== undefined && method === "notifications/resources/updated") ||
    (taskIds !== undefined && TASK_NOTIFICATIONS.has(String(method)));
}
