// One call to the upstream that an entry comes from, with its deadline.
import { tokenOf } from "../../auth/principal.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { ClientPeer, RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { HeaderList } from "../../upstream/transport/transport.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import type { CallContext } from "../call/call_context.ts";
import { type TaskIds, taskOwnerOf } from "../tasks/task_ids.ts";
import { TaskRelay } from "../tasks/task_relay.ts";

/** How long an upstream may take; the names are those of the settings, for the error text. */
export interface CallDeadline {
  readonly timeoutMs: number;
  readonly timeoutSetting: string;
}

interface CallLimits extends CallDeadline {
  /** See proxy/param_headers.ts. */
  readonly paramHeaders?: HeaderList;
}

export class UpstreamCaller {
  /** For a tool without a `timeout_ms` of its own. */
  readonly toolDeadline: CallDeadline;
  readonly #requestDeadline: CallDeadline;
  /** Under which clients know the tasks of upstreams. */
  readonly taskIds: TaskIds;
  readonly #upstreams: Upstreams;

  /** @param requestTimeoutMs for everything that is not a tool call */
  constructor(
    upstreams: Upstreams,
    { toolTimeoutMs, toolTimeoutSetting, requestTimeoutMs, taskIds }: {
      readonly toolTimeoutMs: number;
      readonly toolTimeoutSetting: string;
      readonly requestTimeoutMs: number;
      readonly taskIds: TaskIds;
    },
  ) {
    this.taskIds = taskIds;
    this.#upstreams = upstreams;
    this.toolDeadline = { timeoutMs: toolTimeoutMs, timeoutSetting: toolTimeoutSetting };
    this.#requestDeadline = {
      timeoutMs: requestTimeoutMs,
      timeoutSetting: "MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
    };
  }

  /** The names of those that the health checks or this worker's own calls do not reach now, each once. */
  missing(gateways: readonly GatewayRow[]): string[] {
    const cannot = ({ id, reachable }: GatewayRow) => !reachable || this.#upstreams.isDown(id);
    return [...new Set(gateways)].filter(cannot).map(({ name }) => name);
  }

  /** Tell a session's upstreams which log level it wants. */
  async setLogLevel(bound: BoundSessions): Promise<void> {
    await this.#upstreams.setLogLevel(bound);
  }

  /** From now on a session takes what this upstream sends outside any call. */
  async listen(bound: BoundSessions, gatewayId: string): Promise<void> {
    await this.#upstreams.get(gatewayId).listen(bound);
  }

  /**
   * @param entry of the upstream that is called
   * @param params JSON text, sent as it is
   * @throws {SluiceError} UPSTREAM_*
   */
  request(
    { gateway }: { readonly gateway: GatewayRow },
    call: CallContext,
    method: string,
    params: string,
    { timeoutMs, timeoutSetting, paramHeaders }: CallLimits = this.#requestDeadline,
  ): Promise<RpcAnswer> {
    if (call.note !== undefined) call.note.upstream = gateway.name;
    return this.#upstreams.get(gateway.id).request(method, params, {
      bound: call.bound,
      revision: call.revision,
      clientCapabilities: call.clientCapabilities,
      token: tokenOf(call.principal),
      received: call.received,
      timeoutMs,
      timeoutSetting,
      startedAt: Date.now(),
      signal: call.signal,
      client: this.#clientFor(gateway, call),
      paramHeaders,
    });
  }

  /** The call's client as the upstream may know it; where neither runs tasks there is nothing to keep from others. */
  #clientFor({ id, capabilities }: GatewayRow, call: CallContext): ClientPeer | undefined {
    const { client, bound } = call;
    if (client === undefined) return undefined;
    if (!("tasks" in capabilities) && bound?.client.mayRunTasks !== true) return client;
    const tasks = bound?.client.tasks ?? new TaskRelay(this.taskIds, taskOwnerOf(call));
    return tasks.peerFor(id, client);
  }
}
