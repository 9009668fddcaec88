// Streamable HTTP of revision 2026-07-28: no session, no GET; every POST says for itself who asks for what.
import type { CancelSignal } from "../base/cancellation.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { SluiceError } from "../base/errors.ts";
import {
  classify,
  errorText,
  idText,
  isObject,
  memberText,
  parseJson,
  type RequestMessage,
  resultText,
} from "../mcp/json_rpc.ts";
import { claimsRevision, NAMED_BY } from "../mcp/modern.ts";
import { MODERN_REVISION } from "../mcp/revisions.ts";
import { noteMethod } from "../telemetry/call_note.ts";
import type { CallContext } from "../proxy/call_context.ts";
import type { Dispatcher } from "../proxy/dispatch.ts";
import { rankOf } from "../proxy/logging.ts";
import { requireTasksExtension } from "../proxy/tasks.ts";
import type { RpcAnswer } from "../upstream/client_peer.ts";
import { abortWith } from "./client_gone.ts";
import { CallReply } from "./call_reply.ts";
import { EVENT_STREAM_HEADERS } from "./event_stream.ts";
import { type InputRequest, InteractiveCall } from "./interactive_call.ts";
import { type Listeners, readFilter, wantsTasks } from "./listeners.ts";
import { JSON_HEADERS, type McpReply, type McpRequest } from "./mcp_exchange.ts";
import { inputResponses, type ModernClaims, readClaims } from "./modern_request.ts";
import type { ParkedCalls, ParkedRequest } from "./parked_calls.ts";
import { scopeFor } from "./scope.ts";
import type { ResourceSubscriptions } from "./resource_subscriptions.ts";

export interface ModernHttpDeps {
  readonly dispatcher: Dispatcher;
  readonly catalog: () => Catalog;
  readonly maxJsonDepth: number;
  readonly parked: ParkedCalls;
  readonly listeners: Listeners;
  readonly subscriptions: ResourceSubscriptions;
  readonly streamsAreFull: () => boolean;
}

const LISTEN = "subscriptions/listen";

/** Errors that are the whole answer to a request, by JSON-RPC code (2026-07-28, transports, "Status Codes"); others come with 200. */
const STATUS: Readonly<Record<string, number>> = {
  "-32601": 404,
  "-32020": 400,
  "-32021": 400,
  "-32022": 400,
};

export class ModernHttp {
  readonly #deps: ModernHttpDeps;

  constructor(deps: ModernHttpDeps) {
    this.#deps = deps;
  }

  /**
   * @returns null where the request turns out to claim no revision: then it is the legacy rules' business
   * @throws {SluiceError} for what is no JSON-RPC request at all; everything else is in the reply, under the request's id
   */
  async serve(request: McpRequest, signal: CancelSignal): Promise<McpReply | null> {
    const value = parseJson(request.body, this.#deps.maxJsonDepth);
    const isDeclared = request.protocolVersion === MODERN_REVISION;
    if (!isDeclared && !(isObject(value) && claimsRevision(value.params))) return null;
    if (Array.isArray(value)) throw new SluiceError("INVALID_REQUEST", { reason: "there are no batches" });
    const message = classify(value, request.body);
    // Nothing that a client could notify us of has a meaning outside a session; it is taken and forgotten.
    if (message.kind !== "request") return { status: 202, headers: {}, body: null };
    if (request.note !== undefined) noteMethod(request.note, message.method);
    const call = this.#context(request);
    try {
      return await this.#request(message, request, call, signal);
    } catch (error) {
      return refusal(message, error, this.#deps.dispatcher.failure(error, call));
    }
  }

  async #request(
    message: RequestMessage,
    request: McpRequest,
    call: CallContext,
    signal: CancelSignal,
  ): Promise<McpReply> {
    const { dispatcher, parked } = this.#deps;
    const { method, params } = message;
    if (method !== LISTEN && !dispatcher.knows(method, MODERN_REVISION)) {
      throw new SluiceError("METHOD_NOT_FOUND", { method });
    }
    const claims = readClaims(message, request.headers);
    if (method === LISTEN) return this.#listen(message, request, call, claims);
    const key = parkedKey(message, request);
    const state = isObject(params) ? params.requestState : undefined;
    const responses = inputResponses(message);
    const interactive = parked.isOwn(state) ? parked.take(state, key) : new InteractiveCall(
      (client, cancelled) =>
        dispatcher.answer(
          { ...call, client, clientCapabilities: claims.capabilities, signal: cancelled },
          message,
        ),
      CAN_BE_ASKED.some((name) => claims.capabilityNames.has(name)),
    );
    return await this.#turn(interactive, { message, request, claims, key, responses, signal });
  }

  /** One exchange of a call: notifications as they come, then the answer, or what the client is asked. */
  #turn(interactive: InteractiveCall, turn: Turn): Promise<McpReply> {
    const { message, request, claims, key, responses, signal } = turn;
    const reply = new CallReply(request, null, interactive.cancellation);
    const stay = abortWith(signal, interactive.cancellation);
    interactive.turn((text) => notify(reply, text, claims), responses).then((said) => {
      if (said.kind === "answer") return finish(reply, message, said.answer);
      const state = this.#deps.parked.park(interactive, key);
      finish(reply, message, { text: inputRequired(said.requests, state), failed: false });
    }).catch((error) => reply.fail(error)).finally(stay);
    return reply.reply;
  }

  async #listen(
    message: RequestMessage,
    request: McpRequest,
    call: CallContext,
    claims: ModernClaims,
  ): Promise<McpReply> {
    const { listeners, subscriptions, streamsAreFull } = this.#deps;
    if (!request.acceptsStream) throw new SluiceError("NOT_ACCEPTABLE", { types: "text/event-stream" });
    if (streamsAreFull()) throw new SluiceError("TOO_MANY_STREAMS");
    if (wantsTasks(message.params)) requireTasksExtension(claims.capabilities);
    const filter = readFilter(message.params);
    const ended = new AbortController();
    const uris = filter.resourceSubscriptions ?? [];
    const watched = uris.map((uri) => subscriptions.find(call, uri));
    const { stream, send } = listeners.open({
      id: idText(message),
      serverId: call.scope.server?.id ?? null,
      jti: request.principal.jti,
      filter,
      onEnd: () => ended.abort(),
    });
    void subscriptions.watch(watched, send, {
      call: { ...call, clientCapabilities: claims.capabilities },
      signal: ended.signal,
    });
    return { status: 200, headers: EVENT_STREAM_HEADERS, body: stream.readable };
  }

  #context({ principal, serverId, headers, note }: McpRequest): CallContext {
    return {
      principal,
      scope: scopeFor(this.#deps.catalog(), principal, serverId),
      revision: MODERN_REVISION,
      toolsAsMethods: false,
      bound: null,
      received: headers,
      note,
    };
  }
}

interface Turn {
  readonly message: RequestMessage;
  readonly request: McpRequest;
  readonly claims: ModernClaims;
  readonly key: ParkedRequest;
  readonly responses: ReadonlyMap<string, string>;
  readonly signal: CancelSignal;
}

/** The capabilities by which a client says that it can be asked. */
const CAN_BE_ASKED = ["sampling", "elicitation", "roots"];

function parkedKey({ method, params }: RequestMessage, { principal, serverId }: McpRequest): ParkedRequest {
  const namedBy = NAMED_BY[method];
  const name = namedBy !== undefined && isObject(params) ? String(params[namedBy]) : "";
  return { principal, serverId, method, name };
}

/** Log messages only as far as this request has asked for them. */
function notify(reply: CallReply, text: string, { logLevel }: ModernClaims): void {
  if (memberText(text, "method") === '"notifications/message"') {
    const level = memberText(memberText(text, "params") ?? "{}", "level") ?? '""';
    if (logLevel === null || rankOf(JSON.parse(level)) < rankOf(logLevel)) return;
  }
  reply.client?.notify(text);
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

function inputRequired(requests: ReadonlyMap<string, InputRequest>, requestState: string): string {
  const members = [...requests].map(([key, { method, params }]) => {
    const paramsText = params === undefined ? "" : `,"params":${params}`;
    return `${JSON.stringify(key)}:{"method":${JSON.stringify(method)}${paramsText}}`;
  });
  const state = JSON.stringify(requestState);
  return `{"resultType":"input_required","inputRequests":{${members.join(",")}},"requestState":${state}}`;
}
