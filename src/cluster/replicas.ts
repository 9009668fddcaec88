// This process among its replicas: what it has itself, and how requests find what the others have.
import type { CancelSignal } from "../base/cancellation.ts";
import type { Clock } from "../base/clock.ts";
import { isError, SluiceError } from "../base/errors.ts";
import type { Cache } from "../cache/cache.ts";
import type { Config } from "../config/schema.ts";
import type { McpReply, McpRequest, Owned, Serve } from "../downstream/exchange/mcp_exchange.ts";
import { stateRefused } from "../downstream/sessionless/retried_request.ts";
import { isBoundTo, ownerOf, type SessionClaims } from "../downstream/session/session_id.ts";
import { bodyReader } from "../http/body.ts";
import type { ClientWatch } from "../http/client_watch.ts";
import type { Endpoint } from "../http/handler.ts";
import type { Log } from "../telemetry/log.ts";
import type { Count, Metrics } from "../telemetry/metrics.ts";
import { FORWARD_PATH, NotDelivered, ReplicaClient, ReplicaGone } from "./forward_client.ts";
import { replicaAddress } from "./replica_address.ts";
import { createHttp1Client } from "../upstream/http_client/configured_client.ts";
import { readAuthorities } from "./replica_authorities.ts";
import { ReplicaDirectory } from "./replica_directory.ts";
import { ReplicaEndpoint } from "./forward_endpoint.ts";
import { ReplicaRegistration } from "./registration.ts";
import { ReplicaSeal, UsedNonces } from "./request_signature.ts";
import { ReplicaSessions, type SessionHome } from "./session_owners.ts";

export interface ReplicasDeps {
  readonly config: Config;
  /** AUTH_ENCRYPTION_SECRET */
  readonly secret: string;
  readonly seed: string;
  readonly records: Cache;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clients: Pick<ClientWatch, "enter" | "leave">;
  /** Serves what this worker has. */
  readonly serveOwn: Serve;
  /** The way to the worker of this process that has what an id names; null: it is this one. */
  readonly wayToWorker: (worker: number) => Serve | null;
  /** What another worker of this process knows of a replica: see `recordOf`. */
  readonly readElsewhere: (replica: number) => Promise<string | null>;
  /** The sessions of this worker are another replica's now. */
  readonly onLost: () => void;
}

/** What a request between replicas holds beside the client's body: its headers, and who sent it. */
const MAX_EXTRA_BYTES = 256 * 1024;

/** What an answer's status line and headers may hold: an error's details are among them. */
const MAX_HEAD_BYTES = 256 * 1024;

const MAX_TURNS = 5;

export class Replicas {
  readonly endpoint: Endpoint;
  readonly #deps: ReplicasDeps;
  readonly #registration: ReplicaRegistration;
  readonly #directory: ReplicaDirectory;
  readonly #sessions: ReplicaSessions;
  readonly #client: ReplicaClient;
  readonly #nonces: UsedNonces;
  readonly #count: Count;
  readonly #isAlone: boolean;

  /** Registers the process. @throws {SluiceError} SETTINGS_INVALID */
  static async join(deps: ReplicasDeps): Promise<Replicas> {
    const { replicaSslCaCerts } = deps.config;
    const caCertificate = replicaSslCaCerts === null ? undefined : await readAuthorities(replicaSslCaCerts);
    const replicas = new Replicas(deps, caCertificate);
    if (!replicas.#isAlone) await replicas.#registration.start();
    return replicas;
  }

  private constructor(deps: ReplicasDeps, caCertificate: string | undefined) {
    const { config, secret, seed, records, clock, log, metrics, clients } = deps;
    this.#deps = deps;
    this.#isAlone = config.cacheType === "memory" || config.cacheType === "none";
    const ttlMs = config.replicaTtlMs;
    const seal = new ReplicaSeal(secret);
    this.#nonces = new UsedNonces(clock);
    const address = replicaAddress(config);
    const registration = this.#registration = new ReplicaRegistration({
      ...{ records, clock, log, seed, address, ttlMs },
      onLost: deps.onLost,
    });
    const directory = this.#directory = new ReplicaDirectory({
      ...{ records, clock, readElsewhere: deps.readElsewhere },
      // Who stood before a silent Redis tries again only when its last try is over.
      settleMs: ttlMs + config.redisSocketTimeoutMs + config.redisSocketConnectTimeoutMs,
    });
    const countTakenOver = metrics.counter(
      "sluice_sessions_taken_over_total",
      "Sessions taken over from replicas that are gone",
    );
    this.#sessions = new ReplicaSessions({
      ...{ records, directory, clock },
      self: () => registration.number,
      onTakenOver: () => countTakenOver(),
    });
    const http = createHttp1Client(config, {
      maxHeadBytes: MAX_HEAD_BYTES,
      // Past the egress check, which is for addresses that users give: these come from our own records.
      checkAddress: () => {},
      // A replica with HTTP_VERSION=2 breaks off with whoever offers HTTP/1.1, and sees by itself what others speak.
      alpnProtocols: [],
    });
    this.#client = new ReplicaClient({ http, seal, directory, clock, caCertificate });
    this.#count = metrics.counter(
      "sluice_replica_forwards_total",
      "Requests handed to other replicas by result; gone: nobody was there any more, and it was served elsewhere; " +
        "untrusted: refused by its certificate",
      ["result"],
    );
    this.endpoint = new ReplicaEndpoint({
      ...{ seal, clock, registration, clients },
      serve: (worker, request, signal) => this.#serveHere(worker, request, signal),
      readBody: bodyReader({
        maxBytes: config.maxBodyBytes + MAX_EXTRA_BYTES,
        timeoutMs: config.httpBodyTimeoutMs,
      }, clock),
    });
  }

  /** This process's number, for the ids of what it opens. */
  get number(): number {
    return this.#registration.number;
  }

  /** The way to what the claims name, in this process or in another; null: this worker has it. Asked for every request. */
  readonly elsewhere = (claims: SessionClaims, owned: Owned): Serve | null => {
    const isHere = this.#isAlone ||
      claims.replica === this.#registration.number && this.#registration.isSure;
    return isHere
      ? this.#deps.wayToWorker(claims.worker)
      : (request, signal) => this.#serve(claims, owned, request, signal);
  };

  /** The endpoint that an address belongs to; null: none of ours. */
  route(path: string): Endpoint | null {
    return path === FORWARD_PATH && !this.#isAlone ? this.endpoint : null;
  }

  /**
   * Called by the worker that has what a request is for, wherever it came in, before it is served.
   * @throws {SluiceError} UNAUTHENTICATED for a request of another replica's that was served before
   */
  async admit({ forwardedAs }: McpRequest): Promise<void> {
    // What this worker had before a pause may be another's by now.
    if (!this.#isAlone) await this.#registration.confirm();
    if (forwardedAs !== undefined && !this.#nonces.take(forwardedAs)) {
      throw new SluiceError("UNAUTHENTICATED", { reason: "the request was served before" });
    }
  }

  /** The records are there again, perhaps without what was in them. */
  recordsAreBack(): void {
    this.#directory.recordsWereAway();
    if (!this.#isAlone) void this.#registration.renew();
  }

  /** A replica's record as this worker has last read it, for the others of this process. */
  recordOf(replica: number): string | null {
    return this.#directory.recordOf(replica);
  }

  /** @param processEnds with this worker, or soon after it: others may take its sessions at once */
  async close({ processEnds }: { readonly processEnds: boolean }): Promise<void> {
    if (!this.#isAlone) await (processEnds ? this.#registration.leave() : this.#registration.stop());
    this.#client.close();
  }

  async #serve(
    claims: SessionClaims,
    owned: Owned,
    request: McpRequest,
    signal: CancelSignal,
  ): Promise<McpReply> {
    // Before anything is taken over: a stranger must not move what is not its own.
    if (!isBoundTo(claims, ownerOf(request.principal, request.serverId))) {
      throw notFound(owned);
    }
    const { worker } = claims;
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      await this.#registration.confirm();
      if (this.#registration.isInTrouble) this.#directory.recordsWereAway();
      const { replica, address } = await this.#find(claims, owned);
      if (address === null) return await this.#serveHere(worker, request, signal);
      try {
        const reply = await this.#client.forward({ replica, address, worker }, request, signal);
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
    throw new SluiceError("REPLICA_UNREACHABLE", {}, { cause: "nobody took it, time and again" });
  }

  #serveHere(worker: number, request: McpRequest, signal: CancelSignal): Promise<McpReply> {
    return (this.#deps.wayToWorker(worker) ?? this.#deps.serveOwn)(request, signal);
  }

  async #find(claims: SessionClaims, owned: Owned): Promise<SessionHome> {
    if (owned === "session") return await this.#sessions.find(claims);
    const { replica } = claims;
    // Parked calls and open streams end with their replica: whoever is asked then says that it knows none.
    const address = replica === this.number ? null : await this.#directory.find(replica);
    return { replica, address };
  }
}

/** What a forward that failed counts as: the other replica's own failures are its answers. */
function resultOf(error: unknown): "failed" | "untrusted" | "answered" {
  if (isError(error, "REPLICA_UNREACHABLE")) return "failed";
  return isError(error, "REPLICA_UNTRUSTED") ? "untrusted" : "answered";
}

function notFound(owned: Owned): SluiceError {
  return owned !== "parked_call" ? new SluiceError("SESSION_NOT_FOUND") : stateRefused();
}
