// Calls to upstream sessions of callers, between workers. One worker of all replicas keeps all sessions of a caller at an upstream, so
// that all its calls meet the same state whichever worker they reach. What everybody shares is in one worker of each replica. A call is
// forwarded like a request of a client; its reply is a stream of lines: what the upstream says meanwhile, then the answer.
import { ANONYMOUS } from "../../auth/authenticate.ts";
import type { Callers } from "../../auth/callers.ts";
import type { Principal } from "../../auth/principal.ts";
import { Cancellation, type CancelSignal } from "../../base/cancellation.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import { CALLER_PARTS } from "../../cluster/caller_homes.ts";
import { decodeReply, encodeFailure } from "../../cluster/envelope.ts";
import type { McpReply, McpRequest, Serve } from "../../downstream/exchange/mcp_exchange.ts";
import { withTraceContext } from "../../proxy/call/operation_span.ts";
import { errorCodeOf, thrownTypeOf } from "../../proxy/call/outcome.ts";
import { isObject, memberText } from "../../mcp/json_rpc.ts";
import type { CallOwners, ForwardedCall, LiveCall } from "../../upstream/bound/forwarded_call.ts";
import { type ClientPeer, NOT_ASKABLE, type RpcAnswer } from "../../upstream/client/client_peer.ts";
import { EVERYBODY } from "../../upstream/bound/tenants.ts";
import type { Subject } from "../../telemetry/traces/span.ts";
import type { Tracer } from "../../telemetry/traces/tracer.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { Upstreams } from "../../upstream/upstreams.ts";

export interface UpstreamCallsOptions {
  /** The way to the worker of this process for a part of all callers; null: this worker. */
  readonly wayHere: (part: number) => Serve | null;
  /** The same, of whichever replica. */
  readonly wayTo: (part: number) => Serve | null;
  /** The way to this worker's predecessor, which finishes the calls that it serves; null: there is none. */
  readonly predecessor: () => Serve | null;
  readonly callers: () => Pick<Callers, "of">;
  readonly upstreams: () => Pick<Upstreams, "forCallUnderWay">;
  /** null: OTEL_ENABLE_OBSERVABILITY=false. */
  readonly tracer: Tracer | null;
  /** Reads the catalog again: the replica where a call came in may have a newer one. */
  readonly refresh: () => Promise<unknown>;
}

/** A forwarded call in the worker that serves it: the questions that wait for the client, by number. */
type Questions = Map<number, (answer: RpcAnswer) => void>;

export class UpstreamCalls implements CallOwners {
  readonly #options: UpstreamCallsOptions;
  readonly #serving = new Map<string, Questions>();

  constructor(options: UpstreamCallsOptions) {
    this.#options = options;
  }

  wayTo({ upstreamId, tenant }: Pick<ForwardedCall, "upstreamId" | "tenant">) {
    const { wayHere, wayTo } = this.#options;
    const part = partOf(`${upstreamId} ${tenant}`);
    const way = tenant === EVERYBODY ? wayHere(part) : wayTo(part);
    return way === null
      ? null
      : (call: ForwardedCall, params: string | undefined, live: LiveCall) => forward(way, call, params, live);
  }

  /** Serves a call, or an answer to a question of one, that another worker has forwarded. @throws {SluiceError} like `Upstream.request` */
  readonly serve: Serve = (request, signal) => {
    const { upstreamCall, upstreamAnswer, body } = request;
    if (upstreamAnswer !== undefined) {
      const { callId, question } = upstreamAnswer;
      const questions = this.#serving.get(callId);
      // The call began before this worker did.
      const before = questions === undefined ? this.#options.predecessor() : null;
      if (before !== null) return before(request, signal);
      questions?.get(question)?.(JSON.parse(body));
      return Promise.resolve({ status: 202, headers: {}, body: null });
    }
    return Promise.resolve(this.#call(upstreamCall!, request, signal));
  };

  #call(
    call: NonNullable<McpRequest["upstreamCall"]>,
    { principal, body }: McpRequest,
    gone: CancelSignal,
  ): McpReply {
    const { callers, tracer } = this.#options;
    const { callId, tracedAs } = call;
    const cancellation = new Cancellation();
    gone.addEventListener("abort", () => cancellation.cancel(gone.reason), { once: true });
    const questions: Questions = new Map();
    this.#serving.set(callId, questions);
    const encoder = new TextEncoder();
    const lines = new ReadableStream<Uint8Array>({
      start: async (controller) => {
        const send = (text: string) => {
          if (!cancellation.aborted) controller.enqueue(encoder.encode(`${text.replace(/[\r\n]+/g, " ")}\n`));
        };
        const span = tracedAs === undefined
          ? undefined
          : tracer?.begin(tracedAs).begin(call.method, "client");
        if (span !== undefined) span.subject = subjectOf(call.method);
        const live = {
          trace: span,
          client: clientBehind(send, call.isAskable ? questions : null),
          signal: cancellation,
          caller: callers().of(principal),
        };
        try {
          const upstream = await this.#upstream(call.upstreamId);
          const params = body === "" ? undefined : body;
          const named = span === undefined ? params : withTraceContext(params, span);
          const { text, failed } = await upstream.serve(call, named, live);
          send(failed ? `{"error":${text}}` : `{"result":${text}}`);
          span?.end(failed ? String(errorCodeOf(text)) : "");
        } catch (error) {
          span?.end(thrownTypeOf(error, cancellation.aborted));
          send(`{"thrown":${encodeFailure(error)}}`);
        } finally {
          if (!cancellation.aborted) controller.close();
          this.#serving.delete(callId);
        }
      },
      cancel: (reason) => cancellation.cancel(reason ?? new SluiceError("REQUEST_CANCELLED")),
    });
    return { status: 200, headers: {}, body: lines };
  }

  /** @throws {SluiceError} as Upstreams.forCallUnderWay() */
  async #upstream(id: string): Promise<Upstream> {
    const { upstreams, refresh } = this.#options;
    try {
      return upstreams().forCallUnderWay(id);
    } catch (error) {
      if (!isError(error, "NOT_FOUND")) throw error;
      await refresh();
      return upstreams().forCallUnderWay(id);
    }
  }
}

/** Keeps the method alone: the span is exported later than the body of the request is needed. */
function subjectOf(method: string): Subject {
  return { describe: (to) => to.attribute("mcp.method.name", method) };
}

/** The client of a forwarded call as the upstream sees it. @param questions null: it cannot be asked */
function clientBehind(send: (text: string) => void, questions: Questions | null): ClientPeer {
  if (questions === null) return { notify: send };
  let last = 0;
  return {
    notify: send,
    request: (method, params, { signal }) =>
      new Promise((resolve, reject) => {
        const question = ++last;
        const settle = () => {
          questions.delete(question);
          signal.removeEventListener("abort", onAbort);
        };
        const onAbort = () => {
          settle();
          send(`{"withdrawn":${question}}`);
          reject(signal.reason);
        };
        signal.addEventListener("abort", onAbort, { once: true });
        questions.set(question, (answer) => (settle(), resolve(answer)));
        const asked = params === undefined ? "" : `,"params":${params}`;
        send(`{"question":${question},"method":${JSON.stringify(method)}${asked}}`);
      }),
  };
}

async function forward(
  way: Serve,
  call: ForwardedCall,
  params: string | undefined,
  { client, signal = new Cancellation() }: LiveCall,
): Promise<RpcAnswer> {
  const callId = crypto.randomUUID();
  const request = requestOf(call.token, { upstreamCall: { ...call, callId } }, params ?? "");
  const { body } = await way(request, signal);
  if (body === null || typeof body === "string") throw new SluiceError("WORKER_GONE");
  const asked = new Map<number, Cancellation>();
  const ask = async (question: number, method: string, text: string | undefined) => {
    const asking = new Cancellation();
    asked.set(question, asking);
    const answer = await answerOf(client, method, text, asking);
    asked.delete(question);
    if (asking.aborted) return;
    const upstreamAnswer = { callId, question };
    await way(requestOf(call.token, { upstreamAnswer }, JSON.stringify(answer)), new Cancellation());
  };
  try {
    for await (const line of linesOf(body, signal)) {
      const said: unknown = JSON.parse(line);
      if (!isObject(said)) continue;
      if ("result" in said) return { text: memberText(line, "result")!, failed: false };
      if (said.thrown !== undefined) decodeReply(JSON.stringify(said.thrown), request);
      if ("error" in said && said.jsonrpc === undefined) {
        return { text: memberText(line, "error")!, failed: true };
      }
      if (typeof said.question === "number") {
        // If the answer cannot be sent, the call fails with the stream.
        void ask(said.question, String(said.method), memberText(line, "params")).catch(() => {});
      } else if (typeof said.withdrawn === "number") {
        asked.get(said.withdrawn)?.cancel(new SluiceError("REQUEST_CANCELLED"));
      } else client?.notify(line);
    }
  } finally {
    for (const asking of asked.values()) asking.cancel(new SluiceError("REQUEST_CANCELLED"));
  }
  signal.throwIfAborted();
  throw new SluiceError("WORKER_GONE");
}

async function answerOf(
  client: ClientPeer | undefined,
  method: string,
  params: string | undefined,
  signal: CancelSignal,
): Promise<RpcAnswer> {
  if (client?.request === undefined) return NOT_ASKABLE;
  try {
    return await client.request(method, params, { signal, onProgress: () => {} });
  } catch (error) {
    const message = error instanceof SluiceError ? error.message : "the client gave no answer";
    return { text: JSON.stringify({ code: -32603, message }), failed: true };
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>, signal: CancelSignal): AsyncGenerator<string> {
  const reader = body.getReader();
  const leave = () => void reader.cancel(signal.reason).catch(() => {});
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const lines = (rest + decoder.decode(piece.value, { stream: true })).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}

function requestOf(
  token: ForwardedCall["token"],
  what: Pick<McpRequest, "upstreamCall" | "upstreamAnswer">,
  body: string,
): McpRequest {
  return {
    ...what,
    method: "POST",
    principal: principalOf(token),
    serverId: null,
    sessionId: null,
    headers: new Headers(),
    protocolVersion: null,
    acceptsStream: true,
    acceptsJson: true,
    body,
  };
}

/** The caller, for the limits by caller. What it may do was decided where its request came in. */
function principalOf(token: ForwardedCall["token"]): Principal {
  return {
    ...ANONYMOUS,
    kind: token === null ? "anonymous" : "user",
    subject: token?.subject ?? "",
    issuer: token?.issuer ?? null,
    email: "",
    permissions: [],
  };
}

/** FNV-1a: equal in all workers, and even enough. */
function partOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % CALLER_PARTS;
}
