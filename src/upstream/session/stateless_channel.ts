// A channel to an upstream of 2026-07-28. It has no handshake and no session; each request carries everything.
import { isError, SluiceError } from "../../base/errors.ts";
import { claimIn, logLevelIn, withClaims } from "../../mcp/claims.ts";
import { errorText, isObject, type JsonObject, memberText, requestText } from "../../mcp/json_rpc.ts";
import { META, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { sessionResult } from "../../mcp/session_tool.ts";
import { withoutTasksExtension } from "../../mcp/tasks.ts";
import type { SessionCall, SubscribeOptions, Subscription, UpstreamChannel } from "./upstream_channel.ts";
import type { SubscriptionFilter } from "./upstream_channel.ts";
import { type ClientPeer, NOT_ASKABLE, type RpcAnswer } from "../client/client_peer.ts";
import { unawaited } from "./incoming_messages.ts";
import type { HeaderList, Reply, UpstreamConnection } from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";
import { isStatelessRefused, STATELESS_ERRORS } from "./refusals.ts";
import { answerInput, isInputRequired, namesOf } from "./input_bridge.ts";
import { MirroredHeaders } from "../streamable_http/mirrored_headers.ts";
import { HEALTH_METHODS, type HealthMethod, type HealthVerdict, verdictOf } from "../pool/idle_check.ts";
import { openSubscription } from "./subscriptions_listen.ts";

export interface StatelessChannelOptions {
  /** For error texts. */
  readonly upstream: string;
  readonly clientInfo: { readonly name: string; readonly version: string };
}

/** Methods that 2026-07-28 lacks. The gateway answers them for clients of older revisions. */
const ANSWERED_HERE: ReadonlySet<string> = new Set([
  "ping",
  // The level is sent with every request instead.
  "logging/setLevel",
  // See resource_stream.ts.
  "resources/subscribe",
  "resources/unsubscribe",
]);

const EMPTY: RpcAnswer = { text: "{}", failed: false };
const NONE: HeaderList = Object.freeze([]);

export class StatelessChannel implements UpstreamChannel {
  readonly protocolVersion = STATELESS_REVISION;
  readonly isStateful = false;
  readonly #connection: UpstreamConnection;
  readonly #upstream: string;
  readonly #clientInfo: string;
  readonly #mirrored = new MirroredHeaders();
  #nextId = 1;

  constructor(connection: UpstreamConnection, { upstream, clientInfo }: StatelessChannelOptions) {
    this.#connection = connection;
    this.#upstream = upstream;
    this.#clientInfo = JSON.stringify(clientInfo);
  }

  get closed(): boolean {
    return this.#connection.closed;
  }

  /**
   * Sends a call. A sessionless client's params are sent unchanged. Other clients' params receive claims, and their input
   * requests are answered through the input bridge. The bridge also serves sessionless clients of a process, because their
   * next request might reach another worker's process.
   */
  async request(
    method: string,
    params: string | undefined,
    call: SessionCall,
    passed: HeaderList = NONE,
  ): Promise<RpcAnswer> {
    const isSessionless = call.revision === STATELESS_REVISION;
    const { isLocal = false } = this.#connection;
    if (isSessionless && !isLocal) return (await this.#ask(method, params ?? "{}", call, passed)).answer;
    if (!isSessionless && ANSWERED_HERE.has(method)) return EMPTY;
    const { bound, clientCapabilities: declared = bound?.client.capabilities ?? "{}" } = call;
    // Clients with sessions have no methods for extension tasks, and another worker's process would not know the task.
    const clientCapabilities = withoutTasksExtension(declared);
    const claimed = isSessionless && clientCapabilities === declared ? params ?? "{}" : withClaims(params, {
      clientCapabilities,
      clientInfo: (isSessionless ? claimIn(params, META.clientInfo) : undefined) ?? this.#clientInfo,
      logLevel: isSessionless ? logLevelIn(params) : bound?.client.logLevel ?? null,
    });
    const { answer, result } = await this.#ask(method, claimed, call, passed);
    // A sessionless client that cannot be asked now repeats the call itself.
    if (!isInputRequired(result) || (isSessionless && clientOf(call)?.request === undefined)) return answer;
    return await answerInput({ text: answer.text, result }, {
      upstream: this.#upstream,
      client: clientOf(call),
      clientCapabilities,
      signal: call.signal,
      params: claimed,
      ask: (again) => this.#ask(method, again, call, passed),
    });
  }

  async checkReachable(call: SessionCall, passed?: HeaderList): Promise<void> {
    await this.request("server/discover", undefined, call, passed);
  }

  async checkHealth(method: HealthMethod, timeoutMs: number): Promise<HealthVerdict> {
    const name = method === "ping" ? "server/discover" : HEALTH_METHODS[method];
    return await verdictOf((call) => this.request(name, undefined, call), timeoutMs);
  }

  subscribe = (filter: SubscriptionFilter, options: SubscribeOptions): Subscription => {
    const { clientCapabilities = "{}", passed, tenant, onMessage, signal } = options;
    const params = withClaims(`{"notifications":${JSON.stringify(filter)}}`, {
      clientCapabilities,
      clientInfo: this.#clientInfo,
      logLevel: null,
    });
    return openSubscription({
      upstream: this.#upstream,
      onMessage,
      signal,
      open: (take) => {
        const id = this.#nextId++;
        return this.#connection.request(id, requestText(id, "subscriptions/listen", params), {
          deadline: forever(),
          isLongLived: true,
          signal,
          passed,
          tenant,
          mirrored: this.#mirrored.of("subscriptions/listen", params),
          onMessage: take,
        });
      },
    });
  };

  /** Clients' notifications are not needed, because each request carries the client's state. */
  async notify(): Promise<void> {}

  listen(): void {}

  transfer(): null {
    return null;
  }

  release(tenant: string): void {
    this.#connection.release?.(tenant);
  }

  retire(): void {
    this.#connection.retire?.();
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Sends one request. Repeats it once if the server refuses our version and still lists it as supported. */
  async #ask(
    method: string,
    params: string,
    call: SessionCall,
    passed: HeaderList,
  ): Promise<{ readonly answer: RpcAnswer; readonly result: unknown }> {
    try {
      return await this.#askOnce(method, params, call, passed);
    } catch (error) {
      if (!isError(error, "UPSTREAM_HTTP_ERROR") || error.params.repeat !== "yes") throw error;
      return await this.#askOnce(method, params, call, passed);
    }
  }

  async #askOnce(
    method: string,
    params: string,
    call: SessionCall,
    passed: HeaderList,
  ): Promise<{ readonly answer: RpcAnswer; readonly result: unknown }> {
    const { timeoutMs, timeoutSetting, signal, caller, tenant, paramHeaders = NONE, trace } = call;
    // Nothing has been sent, so there is nothing to cancel.
    signal?.throwIfAborted();
    const id = this.#nextId++;
    const client = clientOf(call);
    const reply = await this.#connection.request(id, requestText(id, method, params), {
      deadline: new Deadline(timeoutMs, timeoutSetting),
      signal,
      caller,
      tenant,
      passed,
      paramHeaders,
      trace,
      mirrored: this.#mirrored.of(method, params),
      onMessage: (value, text) => {
        if (value.id !== undefined) this.#refuse(text, passed);
        else if (!signal?.aborted) client?.notify(text);
      },
    });
    if ("result" in reply.value) {
      const { result } = reply.value;
      let text = memberText(reply.text, "result")!;
      if (call.revision !== STATELESS_REVISION) {
        this.#requireKnownType(result);
        if (method === "tools/call") text = sessionResult(result, text, call.wrapsResults === true);
      }
      return { answer: { text, failed: false }, result };
    }
    this.#throwIfOurFault(method, reply, call);
    return { answer: { text: memberText(reply.text, "error")!, failed: true }, result: undefined };
  }

  /** Refuses a request at once, because the upstream waits for the answer. 2026-07-28 servers send no requests. */
  #refuse(request: string, passed: HeaderList): void {
    const refusal = errorText(memberText(request, "id")!, NOT_ASKABLE.text);
    this.#connection.notify(refusal, { ...unawaited(), passed }).catch(() => {});
  }

  /**
   * Refuses result types that extensions add. A client of an older revision does not know them, and the revision calls
   * unknown types invalid ("ResultType").
   * @throws {SluiceError} UPSTREAM_PROTOCOL_ERROR
   */
  #requireKnownType(result: unknown): void {
    const { resultType = "complete" } = isObject(result) ? result : {};
    if (resultType === "complete" || resultType === "input_required") return;
    throw new SluiceError("UPSTREAM_PROTOCOL_ERROR", {
      upstream: this.#upstream,
      reason: `the result has the unknown type ${JSON.stringify(resultType)?.slice(0, 100)}`,
    });
  }

  /** Throws errors that concern the gateway's way of asking instead of the client's request. @throws {SluiceError} */
  #throwIfOurFault(method: string, { value, refusedWith }: Reply, { revision }: SessionCall): void {
    const error: JsonObject = isObject(value.error) ? value.error : {};
    const reason = typeof error.message === "string" ? error.message : "no reason given";
    const upstream = this.#upstream;
    if (isStatelessRefused(error.code, refusedWith)) {
      const supported = isObject(error.data) ? error.data.supported : undefined;
      const repeat = Array.isArray(supported) && supported.includes(STATELESS_REVISION) ? "yes" : "no";
      throw new SluiceError("UPSTREAM_HTTP_ERROR", {
        upstream,
        status: refusedWith ?? 400,
        reason,
        repeat,
      });
    }
    if (error.code === STATELESS_ERRORS.headerMismatch) {
      throw new SluiceError("UPSTREAM_REJECTED", { upstream, method, reason });
    }
    // A client of this revision receives the upstream's own error.
    if (error.code === STATELESS_ERRORS.missingCapability && revision !== STATELESS_REVISION) {
      const { requiredCapabilities } = isObject(error.data) ? error.data : { requiredCapabilities: null };
      const needed = namesOf(requiredCapabilities);
      throw new SluiceError("UPSTREAM_NEEDS_INPUT", {
        upstream,
        reason: `the client lacks ${needed === "" ? "a required capability" : `the capabilities: ${needed}`}`,
      });
    }
  }
}

function clientOf({ client, bound }: SessionCall): ClientPeer | undefined {
  return client ?? bound?.client.peer;
}

/** A deadline that never passes, for requests that stay open for hours. */
function forever(): Deadline {
  const deadline = new Deadline(0, "none");
  deadline.hold();
  return deadline;
}
