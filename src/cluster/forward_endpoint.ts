// POST /internal/forward: takes what another replica hands on, and gives it to the worker that has the session or call.
import type { CancelSignal } from "../base/cancellation.ts";
import type { Clock } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import type { McpReply, McpRequest } from "../downstream/exchange/mcp_exchange.ts";
import type { ReadBody } from "../http/body.ts";
import type { ClientWatch } from "../http/client_watch.ts";
import type { Endpoint, Exchange } from "../http/handler.ts";
import { type CallNote, noteCaller } from "../telemetry/call_note.ts";
import { FORWARD_HEADERS, FORWARD_PATH, type ReplyHead } from "./forward_client.ts";
import type { ReplicaRegistration } from "./registration.ts";
import type { ReplicaNumber } from "./replica_number.ts";
import {
  isSameSignature,
  type ReplicaSeal,
  SEAL_WINDOW_MS,
  type SealedRequest,
} from "./request_signature.ts";
import { fromWire, toWireError, type WireRequest } from "./wire_request.ts";

export interface ReplicaEndpointDeps {
  readonly seal: ReplicaSeal;
  readonly clock: Clock;
  readonly replica: Pick<ReplicaNumber, "now">;
  readonly registration: Pick<ReplicaRegistration, "confirm" | "renew">;
  readonly readBody: ReadBody;
  readonly clients: Pick<ClientWatch, "enter" | "leave">;
  /** Has it served by the worker that the session's id names. */
  readonly serve: (worker: number, request: McpRequest, signal: CancelSignal) => Promise<McpReply>;
}

export class ReplicaEndpoint implements Endpoint {
  readonly name = "replica";
  readonly speaks = "json-rpc";
  readonly open = true;
  readonly isInternal = true;
  readonly #deps: ReplicaEndpointDeps;

  constructor(deps: ReplicaEndpointDeps) {
    this.#deps = deps;
  }

  /** @throws {SluiceError} UNAUTHENTICATED for whatever no replica has signed for this one now; failures of the request itself are in the answer */
  async serve(exchange: Exchange): Promise<Response> {
    const { replica, registration, clients, readBody } = this.#deps;
    const { request } = exchange;
    if (request.method !== "POST") {
      throw new SluiceError("METHOD_NOT_ALLOWED", { method: request.method, allowed: "POST" });
    }
    const sealed = this.#sealOf(request.headers);
    const text = await readBody(request);
    this.#check(request.headers, sealed, text);
    await registration.confirm();
    // Another worker of this process may know already that it goes on under another number.
    if (sealed.replica !== replica.now) await registration.renew();
    if (sealed.replica !== replica.now) return this.#answer(sealed, { kind: "not_here" }, null);
    const end = text.indexOf("\n");
    const { worker, request: wire } = JSON.parse(text.slice(0, end)) as {
      worker: number;
      request: Omit<WireRequest, "body">;
    };
    const mcpRequest: McpRequest = {
      ...fromWire({ ...wire, body: text.slice(end + 1) }),
      forwardedAs: sealed.nonce,
      note: noteFor(exchange, wire),
    };
    const clientGone = clients.enter(request);
    try {
      const { body, ...reply } = await this.#deps.serve(worker, mcpRequest, clientGone);
      exchange.isStream = body instanceof ReadableStream;
      return this.#answer(sealed, {
        kind: exchange.isStream ? "stream" : "reply",
        reply,
        note: noteIn(mcpRequest),
      }, body);
    } catch (error) {
      // The asking side reports it, and answers its client.
      return this.#answer(
        sealed,
        { kind: "error", error: toWireError(error), note: noteIn(mcpRequest) },
        null,
      );
    } finally {
      clients.leave(clientGone);
    }
  }

  #sealOf(headers: Headers): SealedRequest {
    const at = Number(headers.get(FORWARD_HEADERS.at) ?? NaN);
    const nonce = headers.get(FORWARD_HEADERS.nonce) ?? "";
    if (!(Math.abs(this.#deps.clock.now() - at) < SEAL_WINDOW_MS) || nonce.length > MAX_NONCE_CHARS) {
      throw notOurs("its time is not now: do the replicas' clocks differ?");
    }
    return { replica: Number(headers.get(FORWARD_HEADERS.replica)), at, nonce };
  }

  #check(headers: Headers, sealed: SealedRequest, text: string): void {
    const signature = this.#deps.seal.signRequest(sealed, FORWARD_PATH, text);
    if (!isSameSignature(headers.get(FORWARD_HEADERS.signature) ?? "", signature)) {
      throw notOurs("its signature is not a replica's: do all have the same AUTH_ENCRYPTION_SECRET?");
    }
  }

  /** HTTP says 200 whatever the reply is: that there is one. */
  #answer({ nonce }: SealedRequest, head: ReplyHead, body: McpReply["body"]): Response {
    const text = new TextEncoder().encode(JSON.stringify(head)).toBase64();
    return new Response(body, {
      headers: {
        "content-type": "application/octet-stream",
        [FORWARD_HEADERS.head]: text,
        [FORWARD_HEADERS.signature]: this.#deps.seal.signReply(nonce, text),
      },
    });
  }
}

const MAX_NONCE_CHARS = 64;

/** The request has a line in the log of this replica too, with the client's address, caller and correlation id. */
function noteFor(
  exchange: Exchange,
  { note, principal }: Pick<McpRequest, "note" | "principal">,
): CallNote | undefined {
  if (exchange.note === undefined) return note;
  noteCaller(exchange.note, principal);
  return Object.assign(exchange.note, note);
}

/** What the other replica logs. The requests of a batch are logged here: a header has no room for a hundred of them. */
function noteIn({ note }: McpRequest): CallNote | undefined {
  return note && { ...note, calls: undefined };
}

function notOurs(reason: string): SluiceError {
  return new SluiceError("UNAUTHENTICATED", { reason: "the request is none of a replica's" }, {
    cause: reason,
  });
}
