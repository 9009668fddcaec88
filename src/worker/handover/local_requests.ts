// Requests for what this worker has, wherever they came in: at itself, at another worker, at another replica.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Clock } from "../../base/clock.ts";
import type { LegacySse } from "../../downstream/duplex/legacy_sse.ts";
import type { McpReply, McpRequest, Serve } from "../../downstream/exchange/mcp_exchange.ts";
import { mayBeSessionless } from "../../downstream/sessionless/request_claims.ts";
import type { SessionlessHttp } from "../../downstream/http/sessionless_http.ts";
import { ownStateIn, type ParkedCalls } from "../../downstream/sessionless/pending_calls.ts";
import type { SessionClaims, SessionIds } from "../../downstream/session/session_id.ts";
import type { StreamableHttp } from "../../downstream/http/session_http.ts";
import type { Replicas } from "../../cluster/replicas.ts";
import type { Succession } from "./succession.ts";

export interface OwnRequestsDeps {
  readonly ids: SessionIds;
  readonly clock: Clock;
  readonly parked: ParkedCalls;
  readonly succession: Succession;
  readonly streamableHttp: StreamableHttp;
  readonly sessionlessHttp: SessionlessHttp;
  /** Made later: they serve what is handed to them by this. */
  readonly legacySse: () => LegacySse;
  readonly replicas: () => Replicas;
}

export class OwnRequests {
  readonly #deps: OwnRequestsDeps;

  constructor(deps: OwnRequestsDeps) {
    this.#deps = deps;
  }

  /** Serve what another worker or replica hands over. */
  readonly serve: Serve = async (request, signal) => {
    const { ids, clock, succession, streamableHttp, legacySse, replicas } = this.#deps;
    await replicas().admit(request);
    if (request.isForSse) return await legacySse().receive(request);
    const reply = mayBeSessionless(request) ? await this.serveSessionless(request, signal) : null;
    if (reply !== null) return reply;
    await succession.owning;
    // It was sent before its sender heard of the successor.
    const successor = succession.successor();
    if (successor !== null) return await successor(request, signal);
    const claims = request.sessionId === null ? null : ids.open(request.sessionId, clock.now());
    return await streamableHttp.serve(request, claims, signal);
  };

  /** @returns null where the request turns out to be of an older revision */
  async serveSessionless(request: McpRequest, signal: CancelSignal): Promise<McpReply | null> {
    const { parked, sessionlessHttp } = this.#deps;
    const claims = parked.claimsOf(ownStateIn(request.body));
    const before = claims === null ? null : this.parkedBefore(claims);
    return await (before === null ? sessionlessHttp.serve(request, signal) : before(request, signal));
  }

  /** The way to a call under our number that this worker has not got: to its predecessor, if there is one. */
  parkedBefore(claims: SessionClaims): Serve | null {
    const { parked, succession } = this.#deps;
    return parked.has(claims) ? null : succession.predecessor();
  }
}
