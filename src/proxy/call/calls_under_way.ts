// The calls that upstreams are working on. After a change of the catalog, those that it no longer allows end: the operator cut the
// upstream off, so nothing more of it reaches the client.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { barrierTo, type Reacher } from "../../catalog/snapshot/reach.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { CallContext } from "./call_context.ts";

/** A call to one upstream. It is cancelled with the client's request, or by a change of the catalog. */
class CallUnderWay extends Cancellation implements Reacher, Linked<CallUnderWay> {
  readonly principal: Principal;
  readonly serverId: string | null;
  readonly gateway: GatewayRow;
  previous: CallUnderWay | undefined = undefined;
  next: CallUnderWay | undefined = undefined;

  constructor({ principal, scope }: CallContext, gateway: GatewayRow) {
    super();
    this.principal = principal;
    this.serverId = scope.server?.id ?? null;
    this.gateway = gateway;
  }
}

export class CallsUnderWay {
  readonly #calls = new LinkedList<CallUnderWay>();

  get size(): number {
    return this.#calls.length;
  }

  /** @throws {SluiceError} UPSTREAM_DISABLED or NOT_FOUND if the catalog changed during the call; what `work` throws */
  async run<T>(
    context: CallContext,
    gateway: GatewayRow,
    work: (signal: CancelSignal) => Promise<T>,
  ): Promise<T> {
    const { signal } = context;
    signal?.throwIfAborted();
    const call = new CallUnderWay(context, gateway);
    const follow = () => call.cancel(signal!.reason);
    signal?.addEventListener("abort", follow);
    this.#calls.push(call);
    try {
      return await work(call);
    } finally {
      this.#calls.remove(call);
      signal?.removeEventListener("abort", follow);
    }
  }

  /** Ends the calls that the catalog does not allow. */
  review(catalog: Catalog): void {
    for (const call of this.#calls) {
      const barrier = barrierTo(catalog, call, call.gateway.id);
      if (barrier === null) continue;
      call.cancel(
        barrier === "no endpoint"
          ? new SluiceError("NOT_FOUND", { what: "Server" })
          : new SluiceError("UPSTREAM_DISABLED", { upstream: call.gateway.name, reason: barrier }),
      );
    }
  }
}
