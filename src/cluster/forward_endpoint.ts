// The answering side of HTTP between replicas, POST /internal/forward: takes another replica's request to the worker that owns what the
// request names.
import type { CancelSignal } from "../base/cancellation.ts";
import type { Clock } from "../base/clock.ts";
import type { McpReply, McpRequest } from "../downstream/exchange/mcp_exchange.ts";
import { type Admission, REFUSED } from "../http/limits/admission.ts";
import type { ReadBody } from "../http/body.ts";
import type { ClientWatch } from "../http/client_watch.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { discardBody, refusalResponse } from "../http/refusal.ts";
import { type CallNote, noteCaller } from "../telemetry/call_note.ts";
import { serveEncoded } from "./envelope.ts";
import { NOT_HERE } from "./forward_client.ts";
import type { ReplicaRegistration } from "./registration.ts";
import type { ReplicaNumber } from "./replica_number.ts";
import {
  checkBody,
  FORMAT_HEADER,
  FORWARD_FORMAT,
  type ReplicaSignatures,
  type Voucher,
} from "./request_signature.ts";

export interface ForwardEndpointDeps {
  readonly signatures: ReplicaSignatures;
  readonly clock: Clock;
  readonly replica: Pick<ReplicaNumber, "now">;
  readonly registration: Pick<ReplicaRegistration, "confirm" | "renew">;
  /** Counts requests of replicas alone, so that the load of clients and that of replicas do not displace each other. */
  readonly admission: Admission;
  readonly readBody: ReadBody;
  readonly clients: Pick<ClientWatch, "enter" | "leave">;
  /** Serves a request by the worker that the session's id names. */
  readonly serve: (worker: number, request: McpRequest, signal: CancelSignal) => Promise<McpReply>;
}

export class ForwardEndpoint implements Endpoint {
  readonly name = "replica";
  readonly speaks = "json-rpc";
  readonly open = true;
  readonly isInternal = true;
  /** A replica of another version learns from them why it is refused. Strangers get the same. */
  readonly failureHeaders = { [FORMAT_HEADER]: FORWARD_FORMAT };
  readonly #deps: ForwardEndpointDeps;

  constructor(deps: ForwardEndpointDeps) {
    this.#deps = deps;
  }

  /**
   * A failure of the request itself is in the reply.
   * @throws {SluiceError} UNAUTHENTICATED for a request that no replica of this format has signed now
   */
  async serve(exchange: Exchange): Promise<Response> {
    const { signatures, clock, admission } = this.#deps;
    const { request, info } = exchange;
    const voucher = this.#voucherIn(request, signatures, clock.now());
    const ticket = admission.enter();
    if (ticket === REFUSED) {
      discardBody(request);
      return refusalResponse("OVERLOADED", this.speaks);
    }
    try {
      return await this.#serve(voucher, exchange);
    } finally {
      if (exchange.isStream) admission.leaveAsStream(info.completed);
      else admission.leave(ticket);
    }
  }

  /** Strangers are refused here, all alike: they cost no place and no memory for their body. */
  #voucherIn(request: Request, signatures: ReplicaSignatures, now: number): Voucher {
    try {
      return signatures.voucherIn(request.headers, now);
    } catch (refusal) {
      discardBody(request);
      throw refusal;
    }
  }

  async #serve(voucher: Voucher, exchange: Exchange): Promise<Response> {
    const { replica, registration, clients, readBody, serve } = this.#deps;
    const { request } = exchange;
    const text = await readBody(request);
    checkBody(voucher, text);
    await registration.confirm();
    // Another worker of this process may have learned of a new number already.
    if (voucher.replica !== replica.now) await registration.renew();
    if (voucher.replica !== replica.now) return this.#respond(voucher, NOT_HERE, null);
    const clientGone = clients.enter(request);
    try {
      const { head, body } = await serveEncoded(text, async (forwarded, signal) => {
        const note = noteFor(exchange, forwarded);
        try {
          return await serve(voucher.worker, { ...forwarded, forwardedAs: voucher.nonce, note }, signal);
        } finally {
          // The requests of a batch are logged here alone: a header has no room for a hundred of them.
          if (forwarded.note !== undefined) Object.assign(forwarded.note, note, { calls: undefined });
        }
      }, clientGone);
      exchange.isStream = body instanceof ReadableStream;
      return this.#respond(voucher, head, body);
    } finally {
      clients.leave(clientGone);
    }
  }

  /** The HTTP status is 200 whatever the reply's own is: the reply has crossed. */
  #respond({ nonce }: Voucher, head: string, body: McpReply["body"]): Response {
    return new Response(body, {
      headers: [
        ["content-type", "application/octet-stream"],
        ...this.#deps.signatures.replyHeaders(nonce, head),
      ],
    });
  }
}

/** This replica's access log has a line of the request too, with the client's address, caller and correlation id. */
function noteFor(
  exchange: Exchange,
  { note, principal }: Pick<McpRequest, "note" | "principal">,
): CallNote | undefined {
  if (exchange.note === undefined) return note;
  noteCaller(exchange.note, principal);
  return Object.assign(exchange.note, note);
}
