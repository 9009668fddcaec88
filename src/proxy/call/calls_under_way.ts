// The calls that upstreams are working on. After a change of the catalog, those that it no longer allows end: the operator cut the
// upstream off, so nothing more of it reaches the client.
import { Cancellation } from "../../base/cancellation.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { barrierTo, type Reacher } from "../../catalog/snapshot/reach.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { cutsOff, refusedBy } from "../../upstream/bound/barrier.ts";
import type { Span } from "../../telemetry/traces/span.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { CallContext } from "./call_context.ts";
import type { CalledEntry, CallMeter } from "./call_meter.ts";
import { beginUpstreamSpan } from "./operation_span.ts";

/** A call to one upstream. It is cancelled with the client's request, or by a change of the catalog. */
export class CallUnderWay extends Cancellation implements Reacher, Linked<CallUnderWay> {
  readonly principal: Principal;
  readonly serverId: string | null;
  readonly gateway: GatewayRow;
  /** The span of the request to the upstream; undefined: it is not traced. */
  readonly span: Span | undefined;
  previous: CallUnderWay | undefined = undefined;
  next: CallUnderWay | undefined = undefined;

  constructor({ principal, scope }: CallContext, gateway: GatewayRow, span: Span | undefined) {
    super();
    this.principal = principal;
    this.serverId = scope.server?.id ?? null;
    this.gateway = gateway;
    this.span = span;
  }
}

export class CallsUnderWay {
  readonly #calls = new LinkedList<CallUnderWay>();
  readonly #meter: CallMeter;

  constructor(meter: CallMeter) {
    this.#meter = meter;
  }

  get size(): number {
    return this.#calls.length;
  }

  /** The number of calls by the id of the upstream. */
  byUpstream(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { gateway: { id } } of this.#calls) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }

  /**
   * @throws {SluiceError} UPSTREAM_DISABLED or NOT_FOUND if the catalog changed during the call; what `work` throws
   */
  async run(
    context: CallContext,
    entry: CalledEntry,
    method: string,
    work: (call: CallUnderWay) => Promise<RpcAnswer>,
  ): Promise<RpcAnswer> {
    const { signal, trace, note } = context;
    signal?.throwIfAborted();
    const { gateway, row } = entry;
    const name = method === "tools/call" ? row!.originalName! : note?.tool;
    const startedAt = performance.now();
    const span = trace === undefined ? undefined : beginUpstreamSpan(trace, gateway, method, name, startedAt);
    const call = new CallUnderWay(context, gateway, span);
    const follow = () => call.cancel(signal!.reason);
    signal?.addEventListener("abort", follow);
    this.#calls.push(call);
    try {
      const answer = await work(call);
      const endedAt = performance.now();
      const type = this.#meter.answered(context.scope, entry, method, startedAt, answer, endedAt);
      span?.end(type, endedAt);
      return answer;
    } catch (error) {
      const endedAt = performance.now();
      const failure = { error, isAborted: signal?.aborted === true };
      const type = this.#meter.failed(context.scope, entry, method, startedAt, failure, endedAt);
      span?.end(type, endedAt);
      throw error;
    } finally {
      this.#calls.remove(call);
      signal?.removeEventListener("abort", follow);
    }
  }

  /** Ends the calls that the catalog does not allow. */
  review(catalog: Catalog): void {
    for (const call of this.#calls) {
      const barrier = barrierTo(catalog, call, call.gateway.id);
      if (cutsOff(barrier)) call.cancel(refusedBy(barrier, call.gateway.name));
    }
  }
}
