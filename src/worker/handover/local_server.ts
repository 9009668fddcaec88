// Room `handover`: how a request reaches the worker of this process that owns what the request names, and how a worker leaves its
// sessions to its successor.
//
// This file serves what this worker owns. A request may have come in here, at another worker, or at another replica.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import type { ReplicaRegistration } from "../../cluster/registration.ts";
import { UsedNonces } from "../../cluster/request_signature.ts";
import type { McpReply, McpRequest, Owned, Serve } from "../../downstream/exchange/mcp_exchange.ts";
import type { Tracer } from "../../telemetry/traces/tracer.ts";
import { mayBeSessionless } from "../../downstream/sessionless/request_claims.ts";

/** Serves requests for what it owns; null for a request that turns out to be for another owner. */
export type Owner = (request: McpRequest, signal: CancelSignal) => Promise<McpReply | null>;

export interface LocalServerDeps {
  readonly clock: Clock;
  /** null: the process is alone, and nothing of it can become another's. */
  readonly registration: Pick<ReplicaRegistration, "confirm"> | null;
  /** null: OTEL_ENABLE_OBSERVABILITY=false. */
  readonly tracer: Tracer | null;
}

export class LocalServer {
  readonly #registration: LocalServerDeps["registration"];
  readonly #tracer: Tracer | null;
  readonly #nonces: UsedNonces;
  readonly #owners = new Map<Owned, Owner>();

  constructor({ clock, registration, tracer }: LocalServerDeps) {
    this.#registration = registration;
    this.#tracer = tracer;
    this.#nonces = new UsedNonces(clock);
  }

  /** Adds the owner of one kind of thing. Every kind has its owner before the first request comes. */
  register(owned: Owned, owner: Owner): void {
    this.#owners.set(owned, owner);
  }

  /**
   * Serves a request that another worker or replica has forwarded.
   * @throws {SluiceError} UNAUTHENTICATED for a second copy of one request between replicas; what the owner throws
   */
  readonly serve: Serve = async (forwarded, signal) => {
    await this.#admit(forwarded);
    const request = this.#tracer === null ? forwarded : traced(forwarded, this.#tracer);
    if (request.upstreamCall !== undefined || request.upstreamAnswer !== undefined) {
      return (await this.#ask("upstream_call", request, signal))!;
    }
    if (request.isForReleased) return (await this.#ask("released_session", request, signal))!;
    if (request.isForSse) return (await this.#ask("sse_stream", request, signal))!;
    const reply = mayBeSessionless(request) ? await this.#ask("pending_call", request, signal) : null;
    return reply ?? (await this.#ask("session", request, signal))!;
  };

  async #admit({ forwardedAs }: McpRequest): Promise<void> {
    // After a pause, what this worker had may belong to another replica.
    await this.#registration?.confirm();
    if (forwardedAs !== undefined && !this.#nonces.take(forwardedAs)) {
      throw new SluiceError("UNAUTHENTICATED", { reason: "the request was served before" });
    }
  }

  #ask(owned: Owned, request: McpRequest, signal: CancelSignal): Promise<McpReply | null> {
    const owner = this.#owners.get(owned);
    if (owner === undefined) throw new Error(`no owner of ${owned} is registered`);
    return owner(request, signal);
  }
}

/** A request of another worker goes on with the trace there. */
function traced(request: McpRequest, tracer: Tracer): McpRequest {
  const { tracedAs, trace } = request;
  return tracedAs === undefined || trace !== undefined
    ? request
    : { ...request, trace: tracer.begin(tracedAs) };
}
