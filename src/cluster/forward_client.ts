// Hands a request to another replica over HTTP, and brings its reply back.
import { Cancellation, type CancelSignal } from "../base/cancellation.ts";
import type { Clock } from "../base/clock.ts";
import { isError, reasonOf, SluiceError } from "../base/errors.ts";
import type { McpReply, McpRequest } from "../downstream/exchange/mcp_exchange.ts";
import type { CallNote } from "../telemetry/call_note.ts";
import type { HttpClient, HttpResponse } from "../upstream/http_client/http_client.ts";
import type { ReplicaDirectory } from "./replica_directory.ts";
import { isSameSignature, type ReplicaSeal } from "./request_signature.ts";
import { fromWireError, toWire, type WireError } from "./wire_request.ts";

export const FORWARD_PATH = "/internal/forward";

/** Headers of a request between replicas, and of its answer. */
export const FORWARD_HEADERS = {
  replica: "sluice-replica",
  at: "sluice-time",
  nonce: "sluice-nonce",
  signature: "sluice-signature",
  /** A ReplyHead as base64 of its JSON text. */
  head: "sluice-reply",
} as const;

/** What an answer says before its body, which is the reply's. */
export type ReplyHead =
  | { readonly kind: "reply" | "stream"; readonly reply: Omit<McpReply, "body">; readonly note?: CallNote }
  | { readonly kind: "error"; readonly error: WireError; readonly note?: CallNote }
  /** The request was for a replica that this process is not, or not any more. */
  | { readonly kind: "not_here" };

export interface Destination {
  readonly replica: number;
  readonly address: string;
  /** As the session's id names it. */
  readonly worker: number;
}

/** Nobody has served the request, and the replica will not serve another: whoever asked looks again. */
export class ReplicaGone extends Error {}

/** Nobody has served the request; it may be tried again. */
export class NotDelivered extends Error {}

export interface ReplicaClientOptions {
  readonly http: HttpClient;
  readonly seal: ReplicaSeal;
  readonly directory: Pick<ReplicaDirectory, "find">;
  readonly clock: Clock;
  /** REPLICA_SSL_CA_CERTS as PEM text. */
  readonly caCertificate?: string;
}

/** How often replicas are looked for that owe an answer. */
const LOOK_EVERY_MS = 1_000;

export class ReplicaClient {
  readonly #options: ReplicaClientOptions;
  /** By replica, what it owes: answers, and the rest of streams. */
  readonly #owed = new Map<number, Set<Cancellation>>();
  #timer: number | undefined;

  constructor(options: ReplicaClientOptions) {
    this.#options = options;
  }

  /** @throws {SluiceError} REPLICA_UNREACHABLE, REPLICA_UNTRUSTED, and whatever the other replica threw. @throws {ReplicaGone|NotDelivered} */
  async forward(to: Destination, request: McpRequest, signal: CancelSignal): Promise<McpReply> {
    const { seal, clock, http, caCertificate } = this.#options;
    const { body: requestBody, ...rest } = toWire(request);
    // One line of JSON, then the client's body as it came.
    const body = `${JSON.stringify({ worker: to.worker, request: rest })}\n${requestBody}`;
    const sealed = { replica: to.replica, at: clock.now(), nonce: crypto.randomUUID() };
    const giveUp = new Cancellation();
    const onAbort = () => giveUp.cancel(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#owes(to.replica, giveUp);
    let isStream = false;
    const done = () => {
      signal.removeEventListener("abort", onAbort);
      this.#paid(to.replica, giveUp);
    };
    try {
      const response = await http.send({
        method: "POST",
        url: new URL(FORWARD_PATH, to.address),
        headers: [
          ["content-type", "application/json"],
          [FORWARD_HEADERS.replica, String(sealed.replica)],
          [FORWARD_HEADERS.at, String(sealed.at)],
          [FORWARD_HEADERS.nonce, sealed.nonce],
          [FORWARD_HEADERS.signature, seal.signRequest(sealed, FORWARD_PATH, body)],
        ],
        body,
        signal: giveUp,
        // A call takes the time it takes: whether the replica lives, its registration tells.
        readTimeoutMs: Infinity,
        longLived: request.method === "GET",
        caCertificate,
        upstream: "replica",
      }).catch((error) => {
        throw forwardFailure(error, to);
      });
      const head = this.#headOf(response, sealed.nonce);
      if (head.kind === "not_here") {
        response.discard();
        throw new ReplicaGone();
      }
      if (request.note !== undefined) Object.assign(request.note, head.note);
      if (head.kind === "error") {
        response.discard();
        throw fromWireError(head.error);
      }
      if (head.kind === "stream") {
        isStream = true;
        return { ...head.reply, body: streamOf(response, giveUp, done) };
      }
      // The other side has kept the limits.
      const text = await response.text(Number.MAX_SAFE_INTEGER).catch((error) => {
        throw forwardFailure(error, to);
      });
      return { ...head.reply, body: text === "" ? null : text };
    } finally {
      if (!isStream) done();
    }
  }

  close(): void {
    this.#options.clock.clearTimeout(this.#timer!);
    for (const owed of this.#owed.values()) {
      for (const giveUp of owed) giveUp.cancel(new SluiceError("SHUTTING_DOWN"));
    }
    this.#options.http.close();
  }

  #headOf(response: HttpResponse, nonce: string): ReplyHead {
    const head = response.header(FORWARD_HEADERS.head);
    const signature = response.header(FORWARD_HEADERS.signature);
    if (
      head !== null && signature !== null &&
      isSameSignature(signature, this.#options.seal.signReply(nonce, head))
    ) {
      return JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(head)));
    }
    response.discard();
    // Refused at its door, before anybody could have signed.
    if (response.status === 503) throw new SluiceError("OVERLOADED");
    const cause = response.status === 401
      ? "it does not take our signature: do the replicas' clocks agree, and their AUTH_ENCRYPTION_SECRET?"
      : `it answered HTTP ${response.status} without a replica's signature`;
    throw new SluiceError("REPLICA_UNREACHABLE", {}, { cause });
  }

  #owes(replica: number, giveUp: Cancellation): void {
    const owed = this.#owed.get(replica);
    if (owed === undefined) this.#owed.set(replica, new Set([giveUp]));
    else owed.add(giveUp);
    this.#timer ??= this.#options.clock.setTimeout(() => void this.#look(), LOOK_EVERY_MS);
  }

  #paid(replica: number, giveUp: Cancellation): void {
    const owed = this.#owed.get(replica);
    owed?.delete(giveUp);
    if (owed?.size === 0) this.#owed.delete(replica);
  }

  /** One that stands still keeps its connections, and would be waited for without end. */
  async #look(): Promise<void> {
    const { directory, clock } = this.#options;
    await Promise.all([...this.#owed].map(async ([replica, owed]) => {
      const isGone = await directory.find(replica).then((address) => address === null, () => false);
      if (!isGone) return;
      for (const giveUp of owed) {
        giveUp.cancel(new SluiceError("REPLICA_UNREACHABLE", {}, { cause: "it is registered no more" }));
      }
    }));
    this.#timer = this.#owed.size === 0
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
        // The client resumes, at whoever has the session then.
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

/** What the HTTP client's failure means between replicas; whatever the request was cancelled with stays as it is. */
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
