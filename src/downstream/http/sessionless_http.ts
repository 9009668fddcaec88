// Streamable HTTP of revision 2026-07-28. There are no sessions and no GET: each POST stands alone, and the status and headers of its
// response follow that revision's rules.
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
import { CallReply, type CallReplyLimits } from "./call_reply.ts";
import { EVENT_STREAM_HEADERS, EventStream } from "../exchange/event_stream.ts";
import { JSON_HEADERS, type McpReply, type McpRequest } from "../exchange/mcp_exchange.ts";
import { ownStateIn, type PendingCalls } from "../sessionless/pending_calls.ts";
import { noteRequest } from "../exchange/request_note.ts";
import type { Listener } from "../sessionless/listeners.ts";
import type { Accepted, SessionlessRequests } from "../sessionless/requests.ts";

export interface SessionlessHttpDeps {
  readonly requests: SessionlessRequests;
  readonly pendingCalls: Pick<PendingCalls, "claimsOf" | "keptBefore">;
  readonly dispatcher: Pick<Dispatcher, "failure">;
  readonly maxJsonDepth: number;
  readonly limits: CallReplyLimits;
}

/** HTTP status by JSON-RPC code (2026-07-28, transports, "Status Codes"). Errors with other codes come with 200. */
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
   * @returns null if the request claims no revision: the revisions with sessions apply
   * @throws {SluiceError} for a body that is not JSON-RPC; other failures are in the reply, with the request's id
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
    // No notification of a client means anything outside a session. It is accepted and ignored.
    if (message.kind !== "request") return { status: 202, headers: {}, body: null };
    const { principal, serverId, headers, note, trace } = request;
    if (note !== undefined) noteRequest(note, message);
    const from = { principal, serverId, note, trace, received: headers, claimHeaders: headers };
    try {
      const context = requests.contextOf(from);
      if (message.method === "subscriptions/listen") await requests.prepare(message, context);
      return await this.#reply(message, context, request, signal);
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
      ? listen(accepted, request, this.#deps.limits)
      : this.#answer(accepted, message, context, request, signal);
  }

  /** The event stream of a call: notifications, then the result or the input request. */
  #answer(
    accepted: Extract<Accepted, { kind: "call" }>,
    message: RequestMessage,
    context: CallContext,
    request: McpRequest,
    clientGone: CancelSignal,
  ): Promise<McpReply> {
    const left = new Cancellation();
    const reply = new CallReply(request, null, left, this.#deps.limits);
    void this.#finish(accepted, message, context, { reply, left, clientGone });
    return reply.reply;
  }

  /** Never rejects. */
  async #finish(
    accepted: Extract<Accepted, { kind: "call" }>,
    message: RequestMessage,
    context: CallContext,
    { reply, left, clientGone }: {
      readonly reply: CallReply;
      readonly left: Cancellation;
      readonly clientGone: CancelSignal;
    },
  ): Promise<void> {
    const stay = abortWith(clientGone, left);
    try {
      const answer = await accepted.answer({ signal: left, notify: (text) => reply.client?.notify(text) });
      finish(reply, message, answer);
    } catch (error) {
      reply.fail(error, () => errorText(idText(message), this.#deps.dispatcher.failure(error, context).text));
    } finally {
      stay();
    }
  }
}

/** The event stream of a listener. It ends when the client disconnects. */
function listen(
  accepted: Extract<Accepted, { kind: "listen" }>,
  { acceptsStream, principal }: McpRequest,
  { memory }: CallReplyLimits,
): McpReply {
  if (!acceptsStream) throw new SluiceError("NOT_ACCEPTABLE", { types: "text/event-stream" });
  let listener: Listener | null = null;
  const stream = new EventStream(memory.hold(principal), () => listener?.leave());
  try {
    listener = accepted.open(stream);
  } catch (error) {
    stream.close();
    throw error;
  }
  // The acknowledgement may already be more than the caller may leave unread.
  if (!stream.isOpen) listener.leave();
  return { status: 200, headers: EVENT_STREAM_HEADERS, body: stream.readable };
}

function finish(reply: CallReply, message: RequestMessage, answer: RpcAnswer): void {
  const id = idText(message);
  if (!answer.failed) return reply.finish(resultText(id, answer.text));
  reply.finish(errorText(id, answer.text), STATUS[memberText(answer.text, "code") ?? ""]);
}

/** The response to a request that is refused before dispatch. */
function refusal(message: RequestMessage, error: unknown, { text }: RpcAnswer): McpReply {
  const status = error instanceof SluiceError ? error.row.http : 500;
  return { status, headers: JSON_HEADERS, body: errorText(idText(message), text) };
}
