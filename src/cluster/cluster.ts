// Room `cluster`: replicas of the gateway behind one load balancer. What belongs here knows that there are other processes: their
// registration, the way of a request to the replica that owns what it names, and the work that one worker does for all of them.
//
// This file decides which replica serves a request.
import { readAuthorities } from "../base/authorities.ts";
import type { CancelSignal } from "../base/cancellation.ts";
import type { Clock } from "../base/clock.ts";
import { isError, SluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import type { Config } from "../config/schema.ts";
import type { McpReply, McpRequest, Owned, Serve } from "../downstream/exchange/mcp_exchange.ts";
import { stateRefused } from "../downstream/sessionless/retried_request.ts";
import { isBoundTo, ownerOf, type SessionClaims } from "../downstream/session/session_id.ts";
import { Admission } from "../http/limits/admission.ts";
import { bodyReader } from "../http/body.ts";
import type { ClientWatch } from "../http/client_watch.ts";
import type { Endpoint } from "../http/handler.ts";
import type { Log } from "../telemetry/log.ts";
import type { Count, Metrics } from "../telemetry/metrics.ts";
import { FORWARD_PATH, ForwardClient, NotDelivered, ReplicaGone } from "./forward_client.ts";
import { createHttp1Client } from "../upstream/http_client/configured_client.ts";
import { CallerHomes } from "./caller_homes.ts";
import { ReplicaDirectory } from "./replica_directory.ts";
import { ForwardEndpoint } from "./forward_endpoint.ts";
import type { ReplicaRegistration } from "./registration.ts";
import type { ReplicaNumber } from "./replica_number.ts";
import type { ReplicaSignatures } from "./request_signature.ts";
import { type SessionHome, SessionOwners } from "./session_owners.ts";

export interface ClusterDeps {
  readonly config: Config;
  readonly signatures: ReplicaSignatures;
  readonly replica: ReplicaNumber;
  readonly registration: ReplicaRegistration;
  readonly records: Cache;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clients: Pick<ClientWatch, "enter" | "leave">;
  /** This worker, which serves what it owns. */
  readonly local: { readonly serve: Serve };
  /** The workers of this process, by the number in a session's id; null: this worker. */
  readonly workers: { wayTo(worker: number): Serve | null };
  /** Another replica's record as the other workers of this process know it: see `recordOf`. */
  readonly readElsewhere: (replica: number) => Promise<string | null>;
}

/** The size of a forwarded request beyond the client's body: its headers and its principal. */
const MAX_EXTRA_BYTES = 256 * 1024;

/** The size of a reply's status line and headers, an error's details among them. */
const MAX_HEAD_BYTES = 256 * 1024;

const MAX_ATTEMPTS = 5;

export class Cluster {
  readonly #deps: ClusterDeps;
  readonly #directory: ReplicaDirectory;
  readonly #sessions: SessionOwners;
  readonly #callers: CallerHomes;
  readonly #client: ForwardClient;
  readonly #endpoint: Endpoint;
  readonly #count: Count;

  /** @throws {SluiceError} SETTINGS_INVALID */
  static async open(deps: ClusterDeps): Promise<Cluster> {
    const { replicaSslCaCerts } = deps.config;
    return new Cluster(
      deps,
      replicaSslCaCerts === null ? undefined : readAuthorities("REPLICA_SSL_CA_CERTS", replicaSslCaCerts),
    );
  }

  private constructor(deps: ClusterDeps, caCertificate: string | undefined) {
    const { config, signatures, replica, registration, records, clock, log, metrics, clients } = deps;
    this.#deps = deps;
    const directory = this.#directory = new ReplicaDirectory({
      ...{ records, signatures, clock, log, readElsewhere: deps.readElsewhere },
      // A replica that waited for a silent Redis tries again when its last attempt has timed out.
      settleMs: config.replicaTtlMs + config.redisSocketTimeoutMs + config.redisSocketConnectTimeoutMs,
    });
    const countTakenOver = metrics.counter("sluice_sessions_taken_over_total");
    this.#sessions = new SessionOwners({
      ...{ records, directory, clock, self: replica },
      onTakenOver: () => countTakenOver(),
    });
    const idleMs = config.sessionTtlMs;
    this.#callers = new CallerHomes({ records, directory, clock, self: replica, idleMs });
    const http = createHttp1Client(config, {
      maxHeadBytes: MAX_HEAD_BYTES,
      // No egress check: that is for addresses that users register, and these come from the replicas' own records.
      checkAddress: () => {},
      // No ALPN: a replica with HTTP_VERSION=2 refuses clients that offer HTTP/1.1, and accepts those that offer nothing.
      alpnProtocols: [],
    });
    this.#client = new ForwardClient({ http, signatures, directory, clock, caCertificate });
    this.#count = metrics.counter("sluice_replica_forwards_total");
    const admission = new Admission({ requests: config.backpressure, streams: config.maxStreams });
    metrics.gauge("sluice_replica_requests_in_flight", () => admission.requestsInFlight);
    metrics.gauge("sluice_replica_streams_open", () => admission.streamCount);
    this.#endpoint = new ForwardEndpoint({
      ...{ signatures, clock, replica, registration, admission, clients },
      serve: (worker, request, signal) => this.#serveHere(worker, request, signal),
      readBody: bodyReader({
        maxBytes: config.maxBodyBytes + MAX_EXTRA_BYTES,
        timeoutMs: config.httpBodyTimeoutMs,
      }, clock),
    });
  }

  /** The way to the worker, of this replica or another, that owns what the claims name; null: this worker. On the hot path. */
  readonly wayTo = (claims: SessionClaims, owned: Owned): Serve | null => {
    const { replica, registration, workers } = this.#deps;
    const isHere = claims.replica === replica.now && registration.isSure;
    return isHere
      ? workers.wayTo(claims.worker)
      : (request, signal) => this.#serve(claims, owned, request, signal);
  };

  /**
   * The way to the worker, of this replica or another, that keeps the upstream sessions of this part of all callers; null: this
   * worker. On the hot path.
   */
  readonly wayToCallers = (part: number): Serve | null => {
    const { replica, registration, workers } = this.#deps;
    const isHere = this.#callers.known(part) === replica.now && registration.isSure;
    return isHere
      ? workers.wayTo(part)
      : (request, signal) => this.#deliver(part, () => this.#homeOf(part), request, signal);
  };

  /** The endpoint for requests of other replicas; null where `path` is another. */
  route(path: string): Endpoint | null {
    return path === FORWARD_PATH ? this.#endpoint : null;
  }

  /** The store of the records is back, perhaps empty. */
  recordsAreBack(): void {
    this.#directory.recordsWereAway();
    void this.#deps.registration.renew();
    void this.#callers.restore();
  }

  /** A replica's record as this worker last read it, for the other workers of the process. */
  recordOf(replica: number): string | null {
    return this.#directory.recordOf(replica);
  }

  close(): void {
    this.#client.close();
  }

  async #serve(
    claims: SessionClaims,
    owned: Owned,
    request: McpRequest,
    signal: CancelSignal,
  ): Promise<McpReply> {
    // Checked before a takeover: a caller must not move a session that belongs to another.
    if (!isBoundTo(claims, ownerOf(request.principal, request.serverId))) throw notFound(owned);
    const onward = this.#passesTokens ? request : withoutToken(request);
    return await this.#deliver(claims.worker, () => this.#find(claims, owned), request, signal, onward);
  }

  /** @param onward the request as another replica gets it */
  async #deliver(
    worker: number,
    find: () => Promise<SessionHome>,
    request: McpRequest,
    signal: CancelSignal,
    onward = request,
  ): Promise<McpReply> {
    const { registration } = this.#deps;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await registration.confirm();
      if (registration.isInTrouble) this.#directory.recordsWereAway();
      const { replica, address } = await find();
      if (address === null) return await this.#serveHere(worker, request, signal);
      try {
        const reply = await this.#client.forward({ replica, address, worker }, onward, signal);
        this.#count("answered");
        return reply;
      } catch (error) {
        if (error instanceof ReplicaGone) {
          this.#count("gone");
          await this.#directory.declareGone(replica);
        } else if (!(error instanceof NotDelivered)) {
          this.#count(resultOf(error));
          throw error;
        }
      }
    }
    this.#count("failed");
    throw new SluiceError("REPLICA_UNREACHABLE", {}, {
      cause: `no replica accepted it in ${MAX_ATTEMPTS} attempts`,
    });
  }

  /** Can the caller's Authorization be passed upstream? */
  get #passesTokens(): boolean {
    const { enableHeaderPassthrough, enableSensitiveHeaderPassthrough } = this.#deps.config;
    return enableHeaderPassthrough && enableSensitiveHeaderPassthrough;
  }

  #serveHere(worker: number, request: McpRequest, signal: CancelSignal): Promise<McpReply> {
    const { workers, local } = this.#deps;
    return (workers.wayTo(worker) ?? local.serve)(request, signal);
  }

  /** While the store of the records does not answer, a part whose home is not known is served here. */
  async #homeOf(part: number): Promise<SessionHome> {
    const here = { replica: this.#deps.replica.now, address: null };
    if (this.#deps.registration.isInTrouble && this.#callers.known(part) === undefined) return here;
    return await this.#callers.find(part).catch((error) => {
      if (isError(error, "CACHE_UNAVAILABLE") || isError(error, "STORE_UNAVAILABLE")) return here;
      throw error;
    });
  }

  async #find(claims: SessionClaims, owned: Owned): Promise<SessionHome> {
    if (owned === "session") return await this.#sessions.find(claims);
    const { replica } = claims;
    // Pending calls and open streams end with their replica: this worker then answers that it knows none.
    const address = replica === this.#deps.replica.now ? null : await this.#directory.find(replica);
    return { replica, address };
  }
}

/**
 * The request without the token that this replica has verified: the owner needs the principal alone. The Authorization of a caller
 * without a token of ours goes on, since it tells callers apart.
 */
function withoutToken(request: McpRequest): McpRequest {
  if (request.principal.kind !== "user" || request.headers.get("authorization") === null) return request;
  const headers = new Headers();
  request.headers.forEach((value, name) => name !== "authorization" && headers.append(name, value));
  return { ...request, headers };
}

/** The metric's label for a failed forward. A failure of the request itself counts as answered. */
function resultOf(error: unknown): "failed" | "untrusted" | "answered" {
  if (isError(error, "REPLICA_UNREACHABLE")) return "failed";
  return isError(error, "REPLICA_UNTRUSTED") ? "untrusted" : "answered";
}

function notFound(owned: Owned): SluiceError {
  return owned !== "pending_call" ? new SluiceError("SESSION_NOT_FOUND") : stateRefused();
}
