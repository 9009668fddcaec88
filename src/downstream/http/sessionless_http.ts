// Streamable HTTP of revision 2026-07-28: no session, no GET; every POST is a request of its own, and its reply says in headers and
// status what becomes of it.
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { SluiceError } from "../../base/errors.ts";
import {
  classify,
  errorText,
  idText,
  isObject,
  memberText,
  parseJson,
  type RequestMessage,
  resultText,
} from "../../mcp/json_rpc.ts";
import { claimsRevision } from "../../mcp/request_meta.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { CallContext } from "../../proxy/call/call_context.ts";
import type { Dispatcher } from "../../proxy/dispatch.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import { abortWith } from "../exchange/client_gone.ts";
import { CallReply } from "./call_reply.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "../exchange/event_stream.ts";
import { JSON_HEADERS, type McpReply, type McpRequest } from "../exchange/mcp_exchange.ts";
import { ownStateIn, type PendingCalls } from "../sessionless/pending_calls.ts";
import { noteRequest } from "../exchange/request_note.ts";
import type { Accepted, SessionlessRequests } from "../sessionless/requests.ts";

export interface SessionlessHttpDeps {
  readonly requests: SessionlessRequests;
  readonly pendingCalls: Pick<PendingCalls, "claimsOf" | "keptBefore">;
  readonly dispatcher: Pick<Dispatcher, "failure">;
  readonly maxJsonDepth: number;
}

/** Errors that are the whole answer to a request, by JSON-RPC code (2026-07-28, transports, "Status Codes"); others come with 200. */
const STATUS: Readonly<Record<string, number>> = {
  "-32601": 404,
  "-32020": 400,
  "-32021": 400,
  "-32022": 400,
};

export class SessionlessHttp {
  readonly #deps: SessionlessHttpDeps;

  constructor(deps: SessionlessHttpDeps) {
    this.#deps = deps;
  }

  /**
   * @returns null if the request claims no revision: the rules with sessions apply
   * @throws {SluiceError} for what is no JSON-RPC request at all; everything else is in the reply, under the request's id
   */
  readonly serve = async (request: McpRequest, signal: CancelSignal): Promise<McpReply | null> => {
    const { requests, dispatcher, pendingCalls } = this.#deps;
    const claims = pendingCalls.claimsOf(ownStateIn(request.body));
    const predecessor = claims === null ? null : pendingCalls.keptBefore(claims);
    if (predecessor !== null) return await predecessor(request, signal);
    const value = parseJson(request.body, this.#deps.maxJsonDepth);
    const isDeclared = request.protocolVersion === STATELESS_REVISION;
    if (!isDeclared && !(isObject(value) && claimsRevision(value.params))) return null;
    if (Array.isArray(value)) throw new SluiceError("INVALID_REQUEST", { reason: "there are no batches" });
    const message = classify(value, request.body);
    // Nothing that a client could notify us of has a meaning outside a session; it is taken and forgotten.
    if (message.kind !== "request") return { status: 202, headers: {}, body: null };
    const { principal, serverId, headers, note } = request;
    if (note !== undefined) noteRequest(note, message);
    const from = { principal, serverId, note, received: headers, claimHeaders: headers };
    try {
      return await this.#reply(message, requests.contextOf(from), request, signal);
    } catch (error) {
      return refusal(message, error, dispatcher.failure(error, from));
    }
  };

  #reply(
    message: RequestMessage,
    context: CallContext,
    request: McpRequest,
    signal: CancelSignal,
  ): Promise<McpReply> | McpReply {
    const accepted = this.#deps.requests.accept(message, context, request.serverId);
    return accepted.kind === "listen"
      ? listen(accepted, request)
      : this.#answer(accepted, message, context, request, signal);
  }

  /** Notifications as they come, then the answer, or what the client is asked. */
  #answer(
    accepted: Extract<Accepted, { kind: "call" }>,
    message: RequestMessage,
    context: CallContext,
    request: McpRequest,
    clientGone: CancelSignal,
  ): Promise<McpReply> {
    const left = new Cancellation();
    const reply = new CallReply(request, null, left);
    const stay = abortWith(clientGone, left);
    const failure = (error: unknown) => this.#deps.dispatcher.failure(error, context).text;
    accepted.answer({ signal: left, notify: (text) => reply.client?.notify(text) })
      .then((answer) => finish(reply, message, answer))
      .catch((error) => reply.fail(error, () => errorText(idText(message), failure(error))))
      .finally(stay);
    return reply.reply;
  }
}

/** A client that leaves the stream ends what it listens to. */
function listen(
  accepted: Extract<Accepted, { kind: "listen" }>,
  { acceptsStream }: McpRequest,
): McpReply {
  if (!acceptsStream) throw new SluiceError("NOT_ACCEPTABLE", { types: "text/event-stream" });
  const stream = new EventStream(() => listener.leave());
  const listener = accepted.open(stream);
  return { status: 200, headers: EVENT_STREAM_HEADERS, body: stream.readable };
}

function finish(reply: CallReply, message: RequestMessage, answer: RpcAnswer): void {
  const id = idText(message);
  if (!answer.failed) return reply.finish(resultText(id, answer.text));
  reply.finish(errorText(id, answer.text), STATUS[memberText(answer.text, "code") ?? ""]);
}

/** A request that is refused before it is dispatched. */
function refusal(message: RequestMessage, error: unknown, { text }: RpcAnswer): McpReply {
  const status = error instanceof SluiceError ? error.row.http : 500;
  return { status, headers: JSON_HEADERS, body: errorText(idText(message), text) };
}
