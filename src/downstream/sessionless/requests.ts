// The stateless revision 2026-07-28, over any transport. This folder holds its requests, its pending calls and its listeners.
//
// Each request carries its own identity and capabilities. Invalid requests throw before any work starts; valid ones are calls or
// listeners.
import type { CancelSignal } from "../../base/cancellation.ts";
import type { Principal } from "../../auth/principal.ts";
import { SluiceError } from "../../base/errors.ts";
import type { Catalog } from "../../catalog/snapshot/catalog.ts";
import { idText, isObject, type RequestMessage } from "../../mcp/json_rpc.ts";
import { claimsRevision, metaOf } from "../../mcp/request_meta.ts";
import { META, STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { EndpointRevisions } from "../../catalog/snapshot/endpoint_revisions.ts";
import type { CallContext } from "../../proxy/call/call_context.ts";
import type { Dispatcher } from "../../proxy/dispatch.ts";
import { requireTasksExtension } from "../../proxy/methods/task_methods.ts";
import type { Traced } from "../../telemetry/traces/span.ts";
import type { CallNote } from "../../telemetry/call_note.ts";
import type { RpcAnswer } from "../../upstream/client/client_peer.ts";
import type { ReceivedHeaders } from "../../upstream/client/passthrough.ts";
import { abortWith } from "../exchange/client_gone.ts";
import { type InputRequest, InteractiveCall } from "./interactive_call.ts";
import { type Listener, type Listeners, type ListenStream, readFilter, wantsTasks } from "./listeners.ts";
import { checkRevision, inputResponses, readClaims, type RequestClaims } from "./request_claims.ts";
import { heardBy } from "./notifications.ts";
import type { PendingCalls } from "./pending_calls.ts";
import { RetriedRequest } from "./retried_request.ts";
import { notOffered } from "../../proxy/call/unsupported_revision.ts";
import { scopeFor } from "../exchange/visible_scope.ts";
import type { UpstreamStates } from "./upstream_states.ts";
import type { UpstreamSubscriptions, Watched } from "./upstream_subscriptions.ts";

export interface SessionlessRequestsDeps {
  readonly dispatcher: Dispatcher;
  readonly catalog: () => Catalog;
  readonly pendingCalls: PendingCalls;
  readonly states: UpstreamStates;
  readonly listeners: Listeners;
  readonly subscriptions: UpstreamSubscriptions;
  readonly streamsAreFull: () => boolean;
}

/** A request as the transport knows it, besides the message. */
export interface Provenance {
  readonly principal: Principal;
  /** The virtual server in the path; null for the endpoint that shows everything. */
  readonly serverId: string | null;
  readonly received: ReceivedHeaders;
  /** Headers that must repeat the body's claims; absent if the transport has none. */
  readonly claimHeaders?: ReceivedHeaders;
  readonly note?: CallNote;
  readonly trace?: Traced;
}

/** One request of a call. */
export interface AnswerOptions {
  /** Aborted when the client cancels the call or disconnects. */
  readonly signal: CancelSignal;
  /** Takes notifications before the response, as JSON text. */
  readonly notify: (text: string) => void;
}

export interface SessionlessAnswer extends RpcAnswer {
  /** The call is pending, under this state. */
  readonly requestState?: string;
}

export type Accepted =
  | { readonly kind: "call"; answer(options: AnswerOptions): Promise<SessionlessAnswer> }
  | { readonly kind: "listen"; open(stream: ListenStream): Listener };

const LISTEN = "subscriptions/listen";

/** Methods that a client can be asked, and the capability for each (2026-07-28, "Multi Round-Trip Requests"). */
const QUESTIONS = [
  ["sampling/createMessage", "sampling"],
  ["elicitation/create", "elicitation"],
  ["roots/list", "roots"],
] as const;

export class SessionlessRequests {
  readonly #deps: SessionlessRequestsDeps;

  constructor(deps: SessionlessRequestsDeps) {
    this.#deps = deps;
  }

  /** @throws {SluiceError} FORBIDDEN, NOT_FOUND */
  contextOf({ principal, serverId, received, claimHeaders, note, trace }: Provenance): CallContext {
    return {
      principal,
      scope: scopeFor(this.#deps.catalog(), principal, serverId),
      revision: STATELESS_REVISION,
      toolsAsMethods: false,
      bound: null,
      received,
      claimHeaders,
      note,
      trace,
    };
  }

  /** Reads what `accept()` has to know of a listener, and other workers may have noted. */
  async prepare({ method, params }: RequestMessage, context: CallContext): Promise<void> {
    if (method === LISTEN && readFilter(params).resourceSubscriptions !== undefined) {
      await this.#deps.subscriptions.recallLinks(context);
    }
  }

  /**
   * @param context of `contextOf()`; `serverId` as there
   * @throws {SluiceError} SESSION_REQUIRED, METHOD_NOT_FOUND, TOO_MANY_STREAMS, FORBIDDEN, MISSING_CLIENT_CAPABILITY, and what `readClaims()`,
   *  `inputResponses()`, `PendingCalls.take()` and `UpstreamStates.toUpstream()` throw
   */
  accept(message: RequestMessage, context: CallContext, serverId: string | null): Accepted {
    const { method, params } = message;
    const state = isObject(params) ? params.requestState : undefined;
    const isContinued = this.#deps.pendingCalls.isOwn(state);
    // A call that waits for its client's answer ends as it began, whatever upstream is registered meanwhile.
    if (!isContinued) requireOffered(context.scope.revisions, params);
    if (method !== LISTEN && !this.#deps.dispatcher.knows(method, STATELESS_REVISION)) {
      // Another revision may have the method.
      if (claimsRevision(message.params)) checkRevision(message, context.claimHeaders);
      throw new SluiceError("METHOD_NOT_FOUND", { method });
    }
    const claims = readClaims(message, context.claimHeaders);
    const call = { ...context, clientCapabilities: claims.capabilities };
    return method === LISTEN ? this.#listen(message, call) : this.#call(message, call, claims, serverId);
  }

  #call(
    message: RequestMessage,
    call: CallContext,
    claims: RequestClaims,
    serverId: string | null,
  ): Accepted {
    const { dispatcher, pendingCalls, states } = this.#deps;
    const { params } = message;
    const request = new RetriedRequest(message, call.principal, serverId);
    const state = isObject(params) ? params.requestState : undefined;
    const responses = inputResponses(message);
    const resumed = pendingCalls.isOwn(state) ? pendingCalls.take(state, request) : null;
    const onward = resumed === null ? states.toUpstream(message, request) : message;
    const begin = () =>
      new InteractiveCall(
        (client, signal) =>
          dispatcher.answer({ ...call, client, signal }, onward).then((answer) =>
            states.toClient(answer, request)
          ),
        askable(claims),
      );
    return {
      kind: "call",
      answer: async ({ signal, notify }) => {
        const interactive = resumed ?? begin();
        // Between two requests the client is not connected, and the call goes on.
        const stay = abortWith(signal, interactive.cancellation);
        try {
          const said = await interactive.turn((text) => {
            const heard = heardBy(message, text, { logLevel: claims.logLevel, isResumed: resumed !== null });
            if (heard !== null) notify(heard);
          }, responses);
          if (said.kind === "answer") return said.answer;
          const requestState = pendingCalls.add(
            interactive,
            request,
            call.principal,
            keptFor(message, said.requests),
          );
          const asks = { text: inputRequired(said.requests, requestState), failed: false };
          return { ...dispatcher.completed(call, message, asks), requestState };
        } finally {
          stay();
        }
      },
    };
  }

  #listen(message: RequestMessage, call: CallContext): Accepted {
    const { listeners, subscriptions, streamsAreFull, catalog } = this.#deps;
    if (streamsAreFull()) throw new SluiceError("TOO_MANY_STREAMS");
    if (wantsTasks(message.params)) requireTasksExtension(call.clientCapabilities);
    const { taskIds = [], resourceSubscriptions = [], ...wanted } = readFilter(message.params);
    const found = (ids: readonly string[], find: (id: string) => Watched | null) =>
      new Map(ids.flatMap((id) => {
        const watched = find(id);
        return watched === null ? [] : [[id, watched] as const];
      }));
    // A task may end at any time, so an unknown one is no error. It is missing in the acknowledgement.
    const resources = found(resourceSubscriptions, (uri) => subscriptions.findResource(call, uri));
    const tasks = found(taskIds, (id) => subscriptions.findTask(call, id));
    const filter = {
      ...wanted,
      ...(resources.size === 0 ? {} : { resourceSubscriptions: [...resources.keys()] }),
      ...(tasks.size === 0 ? {} : { taskIds: [...tasks.keys()] }),
    };
    const watched = [...resources.values(), ...tasks.values()];
    return {
      kind: "listen",
      open: (stream) => {
        const listener = listeners.open({
          id: idText(message),
          serverId: call.scope.server?.id ?? null,
          principal: call.principal,
          filter,
          stream,
          since: catalog().version,
        });
        const ended = new AbortController();
        void listener.ended.then(() => ended.abort());
        const options = { call, signal: ended.signal, catalog: catalog() };
        listener.watching = subscriptions.watch(watched, (text) => listener.notify(text), options);
        return listener;
      },
    };
  }
}

/** The request and the questions, in characters. */
function keptFor({ text }: RequestMessage, questions: ReadonlyMap<string, InputRequest>): number {
  return [...questions.values()].reduce((sum, { params = "" }) => sum + params.length, text.length);
}

/**
 * Refuses as a server of revisions with sessions does, so that clients of both kinds fall back to `initialize`. They do so at every error
 * but those of 2026-07-28, such as UNSUPPORTED_PROTOCOL_VERSION (2026-07-28, versioning, "Backward Compatibility").
 * @throws {SluiceError} SESSION_REQUIRED
 */
function requireOffered({ sessions, stateless }: EndpointRevisions, params: unknown): void {
  if (stateless) return;
  const claimed = metaOf(params)?.[META.protocolVersion];
  throw notOffered(typeof claimed === "string" ? claimed : STATELESS_REVISION, sessions);
}

function askable({ capabilityNames }: RequestClaims): ReadonlySet<string> {
  return new Set(QUESTIONS.flatMap(([method, name]) => capabilityNames.has(name) ? [method] : []));
}

function inputRequired(requests: ReadonlyMap<string, InputRequest>, requestState: string): string {
  // The parameters of roots/list are optional. The Go SDK cannot read a question without them.
  const members = [...requests].map(([key, { method, params = "{}" }]) =>
    `${JSON.stringify(key)}:{"method":${JSON.stringify(method)},"params":${params}}`
  );
  const state = JSON.stringify(requestState);
  return `{"resultType":"input_required","inputRequests":{${members.join(",")}},"requestState":${state}}`;
}
