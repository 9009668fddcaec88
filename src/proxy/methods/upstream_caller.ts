// Room `methods`: the handlers of MCP methods. `Dispatcher` calls them; they reach upstreams through `UpstreamCaller`.
// This file sends one call to the upstream of an entry, with its deadline.
import type { Callers } from "../../auth/callers.ts";
import type { Quotas } from "../../auth/quotas/quotas.ts";
import { tokenOf } from "../../auth/token_reach.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { ClientPeer, RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { HeaderList } from "../../upstream/transport/transport.ts";
import type { BoundSessions } from "../../upstream/bound/bound_sessions.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";
import type { CallContext } from "../call/call_context.ts";
import type { CalledEntry, CallMeter } from "../call/call_meter.ts";
import { CallsUnderWay } from "../call/calls_under_way.ts";
import type { LoginQuestions } from "../call/login_question.ts";
import { withTraceContext } from "../call/operation_span.ts";
import type { ResourceLinks } from "../resources/resource_links.ts";
import { type TaskIds, taskOwnerOf } from "../tasks/task_ids.ts";
import { TaskRelay } from "../tasks/task_relay.ts";

/** The time limit of an upstream, and its setting for error texts. */
export interface CallDeadline {
  readonly timeoutMs: number;
  readonly timeoutSetting: string;
}

interface CallLimits extends CallDeadline {
  /** See call/param_headers.ts. */
  readonly paramHeaders?: HeaderList;
  /** See SessionCall. */
  readonly wrapsResults?: boolean;
}

export class UpstreamCaller {
  /** For a tool without `timeout_ms`. */
  readonly toolDeadline: CallDeadline;
  readonly #requestDeadline: CallDeadline;
  /** Converts between upstreams' task ids and those for clients. */
  readonly taskIds: TaskIds;
  /** Knows whose the links are that tools have returned. */
  readonly links: ResourceLinks;
  readonly #upstreams: Upstreams;
  readonly #callers: Pick<Callers, "of">;
  readonly #quotas: Pick<Quotas, "isActive" | "run"> | null;
  readonly #underWay: CallsUnderWay;
  readonly #loginQuestions: LoginQuestions;

  /** @param requestTimeoutMs for all requests except tool calls */
  constructor(
    upstreams: Upstreams,
    { toolTimeoutMs, requestTimeoutMs, taskIds, links, callers, quotas, meter, loginQuestions }: {
      readonly toolTimeoutMs: number;
      readonly requestTimeoutMs: number;
      readonly taskIds: TaskIds;
      readonly links: ResourceLinks;
      readonly callers: Pick<Callers, "of">;
      /** null: the process serves one user. */
      readonly quotas: Pick<Quotas, "isActive" | "run"> | null;
      readonly meter: CallMeter;
      readonly loginQuestions: LoginQuestions;
    },
  ) {
    this.taskIds = taskIds;
    this.links = links;
    this.#upstreams = upstreams;
    this.#callers = callers;
    this.#quotas = quotas;
    this.#loginQuestions = loginQuestions;
    this.#underWay = new CallsUnderWay(meter);
    this.toolDeadline = { timeoutMs: toolTimeoutMs, timeoutSetting: "TOOL_TIMEOUT" };
    this.#requestDeadline = {
      timeoutMs: requestTimeoutMs,
      timeoutSetting: "MCP_SESSION_POOL_TRANSPORT_TIMEOUT",
    };
  }

  /** The distinct names of upstreams that the health checks or this worker's calls cannot reach now. */
  missing(gateways: readonly GatewayRow[]): string[] {
    const cannot = ({ id, reachable }: GatewayRow) => !reachable || this.#upstreams.isDown(id);
    return [...new Set(gateways)].filter(cannot).map(({ name }) => name);
  }

  /** Sends a session's log level to its upstreams. */
  async setLogLevel(bound: BoundSessions): Promise<void> {
    await this.#upstreams.setLogLevel(bound);
  }

  /** Makes a session receive what this upstream sends outside calls. */
  async listen(bound: BoundSessions, gatewayId: string): Promise<void> {
    await this.#upstreams.get(gatewayId).listen(bound);
  }

  /**
   * @param entry of the upstream to call
   * @param params JSON text, sent unchanged; a call of a sampled trace is named in its `_meta`
   * @throws {SluiceError} QUOTA_EXCEEDED, UPSTREAM_*; NOT_FOUND if the endpoint was deleted during the call
   */
  request(
    entry: CalledEntry,
    call: CallContext,
    method: string,
    params: string,
    limits: CallLimits = this.#requestDeadline,
  ): Promise<RpcAnswer> {
    if (this.#quotas === null || !this.#quotas.isActive) {
      return this.#send(entry, call, method, params, limits);
    }
    const toolId = method === "tools/call" ? entry.row!.id : null;
    return this.#quotas.run(
      call.principal,
      toolId,
      params,
      () => this.#send(entry, call, method, params, limits),
    );
  }

  /** The number of calls under way by the id of the upstream. */
  callsByUpstream(): ReadonlyMap<string, number> {
    return this.#underWay.byUpstream();
  }

  /** Ends the calls under way that a new catalog does not allow. */
  review(catalog: Catalog): void {
    this.#underWay.review(catalog);
  }

  #send(
    entry: CalledEntry,
    call: CallContext,
    method: string,
    params: string,
    limits: CallLimits,
  ): Promise<RpcAnswer> {
    const answer = this.#sendOnce(entry, call, method, params, limits);
    const { id, authType } = entry.gateway;
    if (authType !== "oauth") return answer;
    const again = () => this.#sendOnce(entry, call, method, params, limits);
    return this.#loginQuestions.orAsk(id, call, answer, again);
  }

  #sendOnce(
    entry: CalledEntry,
    call: CallContext,
    method: string,
    params: string,
    { timeoutMs, timeoutSetting, paramHeaders, wrapsResults }: CallLimits,
  ): Promise<RpcAnswer> {
    const { gateway } = entry;
    if (call.note !== undefined) call.note.upstream = gateway.name;
    const upstream = this.#upstreams.get(gateway.id);
    return this.#underWay.run(call, entry, method, (underWay) => {
      const { span } = underWay;
      return upstream.request(method, span === undefined ? params : withTraceContext(params, span), {
        bound: call.bound,
        revision: call.revision,
        clientCapabilities: call.clientCapabilities,
        token: tokenOf(call.principal),
        caller: this.#callers.of(call.principal),
        received: call.received,
        timeoutMs,
        timeoutSetting,
        startedAt: Date.now(),
        signal: underWay,
        client: this.#clientFor(gateway, call),
        paramHeaders,
        wrapsResults,
        trace: span,
      });
    });
  }

  /** The client as the upstream may see it. Without tasks on either side no boundary is needed. */
  #clientFor({ id, capabilities }: GatewayRow, call: CallContext): ClientPeer | undefined {
    const { bound } = call;
    if (call.client === undefined) return undefined;
    const client = call.client.from?.(id) ?? call.client;
    if (!("tasks" in capabilities) && bound?.client.mayRunTasks !== true) return client;
    const tasks = bound?.client.tasks ?? new TaskRelay(this.taskIds, taskOwnerOf(call));
    return tasks.peerFor(id, client);
  }
}
