// The asking side of HTTP between replicas: carries a request to another replica and its reply back.
import { Cancellation, type CancelSignal } from "../base/cancellation.ts";
import type { Clock } from "../base/clock.ts";
import { isError, reasonOf, SluiceError } from "../base/errors.ts";
import type { McpReply, McpRequest } from "../downstream/exchange/mcp_exchange.ts";
import type { HttpClient, HttpResponse } from "../upstream/http_client/http_client.ts";
import { decodeReply, encodeRequest } from "./envelope.ts";
import type { ReplicaDirectory } from "./replica_directory.ts";
import { FORMAT_HEADER, FORWARD_FORMAT, type ReplicaSignatures } from "./request_signature.ts";

export const FORWARD_PATH = "/internal/forward";

/** The whole head of a reply by which a replica says that the request was for another number than its own. */
export const NOT_HERE = "not here";

export interface Destination {
  readonly replica: number;
  readonly address: string;
  /** As the session's id names it. */
  readonly worker: number;
}

/** Nobody has served the request, and the replica will serve no other: the caller looks for its successor. */
export class ReplicaGone extends Error {}

/** Nobody has served the request; the caller may try again. */
export class NotDelivered extends Error {}

export interface ForwardClientOptions {
  readonly http: HttpClient;
  readonly signatures: ReplicaSignatures;
  readonly directory: Pick<ReplicaDirectory, "find">;
  readonly clock: Clock;
  /** REPLICA_SSL_CA_CERTS as PEM text. */
  readonly caCertificate?: string;
}

/** How often the client checks that replicas with unfinished replies are still registered. */
const LOOK_EVERY_MS = 1_000;

export class ForwardClient {
  readonly #options: ForwardClientOptions;
  /** Replies that are not finished, open streams among them, by replica. Cancelling one ends it here. */
  readonly #unfinished = new Map<number, Set<Cancellation>>();
  #timer: number | undefined;

  constructor(options: ForwardClientOptions) {
    this.#options = options;
  }

  /**
   * @throws {SluiceError} REPLICA_UNREACHABLE, REPLICA_UNTRUSTED, REPLICA_INCOMPATIBLE, and what the other replica threw
   * @throws {ReplicaGone|NotDelivered}
   */
  async forward(to: Destination, request: McpRequest, signal: CancelSignal): Promise<McpReply> {
    const giveUp = new Cancellation();
    const onAbort = () => giveUp.cancel(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#begin(to.replica, giveUp);
    const done = () => {
      signal.removeEventListener("abort", onAbort);
      this.#finish(to.replica, giveUp);
    };
    let isStream = false;
    try {
      const { response, nonce } = await this.#send(to, request, giveUp);
      const { body, ...reply } = this.#readHead(response, nonce, request);
      isStream = body === "stream";
      if (isStream) return { ...reply, body: streamOf(response, giveUp, done) };
      // The other replica has enforced the limits.
      const text = await response.text(Number.MAX_SAFE_INTEGER).catch((error) => {
        throw forwardFailure(error, to);
      });
      return { ...reply, body: body === "none" ? null : text };
    } finally {
      if (!isStream) done();
    }
  }

  close(): void {
    this.#options.clock.clearTimeout(this.#timer!);
    for (const replies of this.#unfinished.values()) {
      for (const giveUp of replies) giveUp.cancel(new SluiceError("SHUTTING_DOWN"));
    }
    this.#options.http.close();
  }

  async #send(
    to: Destination,
    request: McpRequest,
    signal: CancelSignal,
  ): Promise<{ readonly response: HttpResponse; readonly nonce: string }> {
    const { http, signatures, clock, caCertificate } = this.#options;
    const { replica, worker, address } = to;
    const nonce = crypto.randomUUID();
    const body = encodeRequest(request);
    const response = await http.send({
      method: "POST",
      url: new URL(FORWARD_PATH, address),
      headers: [
        ["content-type", "application/json"],
        ...signatures.requestHeaders({ replica, worker, at: clock.now(), nonce }, body),
      ],
      body,
      signal,
      // A call may take any time. The registration tells whether the replica lives.
      readTimeoutMs: Infinity,
      longLived: request.method === "GET",
      caCertificate,
      upstream: "replica",
    }).catch((error) => {
      throw forwardFailure(error, to);
    });
    return { response, nonce };
  }

  /** Discards the body if it throws. */
  #readHead(response: HttpResponse, nonce: string, request: McpRequest): ReturnType<typeof decodeReply> {
    try {
      const head = this.#options.signatures.headIn(response, nonce);
      if (head === null) throw refusalOf(response);
      if (head === NOT_HERE) throw new ReplicaGone();
      return decodeReply(head, request);
    } catch (error) {
      response.discard();
      throw error;
    }
  }

  #begin(replica: number, giveUp: Cancellation): void {
    const replies = this.#unfinished.get(replica);
    if (replies === undefined) this.#unfinished.set(replica, new Set([giveUp]));
    else replies.add(giveUp);
    this.#timer ??= this.#options.clock.setTimeout(() => void this.#look(), LOOK_EVERY_MS);
  }

  #finish(replica: number, giveUp: Cancellation): void {
    const replies = this.#unfinished.get(replica);
    replies?.delete(giveUp);
    if (replies?.size === 0) this.#unfinished.delete(replica);
  }

  /** A replica that stands still keeps its connections open, so only its missing registration ends the wait. */
  async #look(): Promise<void> {
    const { directory, clock } = this.#options;
    await Promise.all([...this.#unfinished].map(async ([replica, replies]) => {
      const isGone = await directory.find(replica).then((address) => address === null, () => false);
      if (!isGone) return;
      for (const giveUp of replies) {
        giveUp.cancel(new SluiceError("REPLICA_UNREACHABLE", {}, { cause: "it is no longer registered" }));
      }
    }));
    this.#timer = this.#unfinished.size === 0
      ? undefined
      : clock.setTimeout(() => void this.#look(), LOOK_EVERY_MS);
  }
}

function streamOf(
  response: HttpResponse,
  giveUp: Cancellation,
  done: () => void,
): ReadableStream<Uint8Array> {
  const chunks = response.chunks()[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done: isOver, value } = await chunks.next();
        if (!isOver) return controller.enqueue(value);
        controller.close();
      } catch {
        // The client resumes the stream at the session's next owner.
        controller.close();
      }
      done();
    },
    async cancel(reason) {
      giveUp.cancel(reason);
      done();
      await chunks.return?.();
    },
  });
}

/** What a response means that no replica has signed. */
function refusalOf(response: HttpResponse): SluiceError {
  const format = response.header(FORMAT_HEADER);
  if (format !== null && format !== FORWARD_FORMAT) {
    const cause =
      `it speaks format ${format} of requests between replicas, this replica speaks ${FORWARD_FORMAT}`;
    return new SluiceError("REPLICA_INCOMPATIBLE", {}, { cause });
  }
  if (response.status === 503) return new SluiceError("OVERLOADED");
  const cause = response.status === 401
    ? "it refuses this replica's signature: do their clocks agree, their AUTH_ENCRYPTION_SECRET, their versions?"
    : `it answered HTTP ${response.status} without a replica's signature`;
  return new SluiceError("REPLICA_UNREACHABLE", {}, { cause });
}

/** The HTTP client's failure in terms of replicas. The reason of a cancellation stays as it is. */
function forwardFailure(error: unknown, { address }: Destination): unknown {
  if (!(error instanceof SluiceError) || error.row.source !== "upstream") return error;
  if (isError(error, "UPSTREAM_CONNECT_FAILED") && error.cause instanceof Deno.errors.ConnectionRefused) {
    return new ReplicaGone();
  }
  if (isError(error, "UPSTREAM_CLOSED") && error.params.sent === 0) return new NotDelivered();
  if (isError(error, "UPSTREAM_TLS_FAILED")) {
    return new SluiceError("REPLICA_UNTRUSTED", {}, { cause: `${address}: ${error.params.reason}` });
  }
  return new SluiceError("REPLICA_UNREACHABLE", {}, { cause: reasonOf(error) });
}
