// One session to an upstream of the revisions with sessions (up to 2025-11-25): handshake, request ids, cancellation, end.
// Calls may run concurrently.
import type { Caller } from "../../base/sharing/caller.ts";
import type { CancelSignal } from "../../base/cancellation.ts";
import { type ErrorCode, isError, SluiceError } from "../../base/errors.ts";
import { operatorText } from "../../base/seen_answer.ts";
import { withoutClaims } from "../../mcp/claims.ts";
import { isObject, type JsonObject, memberText, notificationText, requestText } from "../../mcp/json_rpc.ts";
import { isSessionRevision, LATEST_SESSION_REVISION, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { sessionResult } from "../../mcp/session_tool.ts";
import {
  deadlineOf,
  type SessionCall,
  type SessionTransfer,
  type UpstreamChannel,
} from "./upstream_channel.ts";
import type { RpcAnswer } from "../client/client_peer.ts";
import type {
  ExchangeOptions,
  HeaderList,
  Reply,
  UpstreamConnection,
  UpstreamTransport,
} from "../transport/transport.ts";
import { Deadline } from "../resilience/deadline.ts";
import { isInitializeRefused } from "./refusals.ts";
import { IncomingMessages, type IncomingMessagesOptions, unawaited } from "./incoming_messages.ts";
import { HEALTH_METHODS, type HealthMethod, type HealthVerdict, verdictOf } from "../pool/idle_check.ts";

export interface SessionPeers extends IncomingMessagesOptions {
  /** Called when the upstream has lost the session while no call was running. The session is closed then. */
  readonly onExpired?: () => void;
  /** Who the session is for, where connections and processes are shared out between callers. */
  readonly caller?: Caller;
}

export interface SessionOpenOptions extends SessionPeers {
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly timeoutMs: number;
  readonly timeoutSetting: string;
  readonly signal?: CancelSignal;
  /** The caller's headers for opening the session, kept for its lifetime. */
  readonly passed?: HeaderList;
  /** The capabilities of the client behind this session, as JSON text; default: none. */
  readonly clientCapabilities?: string;
  /** The only revision to speak; null or undefined: our newest, or an older one that the upstream answers. */
  readonly wantedRevision?: string | null;
  /** Takes the open connection of an upstream that refuses `initialize`, in place of its end. */
  readonly onRefused?: (connection: UpstreamConnection) => void;
}

const METHOD_NOT_FOUND = -32601;

/** How a server refuses a message. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "UPSTREAM_HTTP_ERROR",
  "UPSTREAM_AUTH_FAILED",
  "UPSTREAM_SESSION_EXPIRED",
]);

const IDS_LEFT_BEHIND = 1_000_000;

export class UpstreamSession implements UpstreamChannel {
  /** The upstream's `initialize` result. */
  readonly initialized: JsonObject;
  readonly protocolVersion: string;
  readonly #connection: UpstreamConnection;
  readonly #passed: HeaderList;
  readonly #incoming: IncomingMessages;
  readonly #onExpired: () => void;
  /** Cancellations on their way to the upstream. */
  readonly #cancellations = new Set<Promise<void>>();
  #nextId = 1;
  #isListening = false;
  #running = 0;
  #isRetired = false;
  #closed = false;

  private constructor(
    connection: UpstreamConnection,
    initialized: JsonObject,
    incoming: IncomingMessages,
    { passed = [], onExpired = () => {} }: Pick<SessionOpenOptions, "passed" | "onExpired"> = {},
  ) {
    this.#connection = connection;
    this.initialized = initialized;
    this.protocolVersion = String(initialized.protocolVersion);
    this.#incoming = incoming;
    this.#passed = passed;
    this.#onExpired = onExpired;
  }

  /** Resumes a session that another worker opened and released. Null: this transport cannot resume sessions. */
  static resume(
    transport: UpstreamTransport,
    transfer: SessionTransfer,
    peers: SessionPeers = {},
  ): UpstreamSession | null {
    const incoming = new IncomingMessages(peers);
    const connection = transport.resume(
      transfer,
      incoming.receive,
      peers.isShared ? undefined : peers.caller,
    );
    if (connection === null) return null;
    incoming.connection = connection;
    const { protocolVersion, passed, nextId } = transfer;
    const session = new UpstreamSession(connection, { protocolVersion }, incoming, { ...peers, passed });
    // Calls of the other worker may still be running, so their ids are not reused.
    session.#nextId = nextId + IDS_LEFT_BEHIND;
    return session;
  }

  /**
   * Returns a channel to an upstream that is known to keep no sessions, usable at once by everyone. Null: this transport
   * always has sessions.
   */
  static stateless(
    transport: UpstreamTransport,
    protocolVersion: string,
    peers: IncomingMessagesOptions = {},
  ): UpstreamSession | null {
    const connection = transport.stateless(protocolVersion);
    if (connection === null) return null;
    const incoming = new IncomingMessages(peers);
    incoming.connection = connection;
    return new UpstreamSession(connection, { protocolVersion }, incoming);
  }

  /** Performs the handshake: `initialize`, then `notifications/initialized`. @throws {SluiceError} UPSTREAM_* */
  static async open(transport: UpstreamTransport, options: SessionOpenOptions): Promise<UpstreamSession> {
    const { clientInfo, passed = [], clientCapabilities = "{}", timeoutMs, timeoutSetting, signal, caller } =
      options;
    const { wantedRevision = null, onRefused } = options;
    const { upstream } = transport;
    const exchange = { deadline: new Deadline(timeoutMs, timeoutSetting), signal, caller };
    const incoming = new IncomingMessages(options);
    const connection = await transport.connect(passed, incoming.receive, {
      ...exchange,
      isShared: options.isShared,
    });
    incoming.connection = connection;
    let session: UpstreamSession | undefined;
    try {
      const reply = await connection.request(
        0,
        initializeText(wantedRevision, clientCapabilities, clientInfo),
        {
          ...exchange,
          onMessage: incoming.receive,
        },
      );
      const result = initializeResult(reply, upstream);
      connection.established(reply.sessionId, String(result.protocolVersion));
      session = new UpstreamSession(connection, result, incoming, options);
      const { protocolVersion } = result;
      const isSpoken = wantedRevision === null
        ? isSessionRevision(protocolVersion)
        : protocolVersion === wantedRevision;
      if (!isSpoken) {
        const wanted = wantedRevision === null
          ? ""
          : `; the gateway is registered with protocol ${wantedRevision}`;
        throw new SluiceError("UPSTREAM_PROTOCOL_ERROR", {
          upstream,
          reason: `unsupported protocol version ${JSON.stringify(protocolVersion)}${wanted}`,
        });
      }
      await session.#announce(exchange, transport);
      return session;
    } catch (error) {
      if (onRefused !== undefined && isInitializeRefused(error)) onRefused(connection);
      // The caller does not wait for the unusable session to close.
      else void (session ?? connection).close();
      throw error;
    }
  }

  /**
   * Tells the upstream that the session begins. Some servers refuse the notification and serve the session all the same, which a
   * ping shows. @throws {SluiceError} UPSTREAM_*: the session does not work either
   */
  async #announce(exchange: ExchangeOptions, { tolerated }: UpstreamTransport): Promise<void> {
    try {
      await this.#connection.notify(notificationText("notifications/initialized"), exchange);
    } catch (error) {
      if (!(error instanceof SluiceError) || !REFUSALS.has(error.code)) throw error;
      const { deadline: { ms: timeoutMs, setting: timeoutSetting }, signal, caller } = exchange;
      await this.request("ping", undefined, { timeoutMs, timeoutSetting, signal, caller }).catch(() => {
        throw error;
      });
      tolerated?.(`it refuses notifications/initialized: ${operatorText(error)}`);
    }
  }

  /** The session id of streamable HTTP. */
  get sessionId(): string | null {
    return this.#connection.sessionId;
  }

  get isStateful(): boolean {
    return this.#connection.isStateful;
  }

  get requestCount(): number {
    return this.#nextId;
  }

  transfer(): SessionTransfer | null {
    const { sessionId } = this;
    if (this.#closed || sessionId === null) return null;
    return { sessionId, protocolVersion: this.protocolVersion, passed: this.#passed, nextId: this.#nextId };
  }

  listen(): Promise<void> | void {
    if (this.closed) return;
    this.#isListening = true;
    return this.#connection.listen((isCertain) =>
      isCertain ? this.#expired() : void this.#expiredIfRefused()
    );
  }

  stopListening(): void {
    this.#connection.stopListening?.();
  }

  get closed(): boolean {
    return this.#closed || this.#connection.closed;
  }

  /**
   * Calls a method; `params` is JSON text and is sent unchanged, except that a sessionless client's claims are removed.
   * @param passed the caller's headers for this call, if the upstream keeps no session
   * @throws {SluiceError} UPSTREAM_*; UPSTREAM_SESSION_EXPIRED closes this session, and nothing was executed
   */
  async request(
    method: string,
    params: string | undefined,
    call: SessionCall,
    passed: HeaderList = [],
  ): Promise<RpcAnswer> {
    const { signal, caller, client, revision, trace } = call;
    // Nothing has been sent, so there is nothing to cancel.
    signal?.throwIfAborted();
    const id = this.#nextId++;
    const deadline = deadlineOf(call);
    const running = this.#isListening
      ? { client, deadline, signal, previous: undefined, next: undefined }
      : undefined;
    if (running !== undefined) this.#incoming.enter(running);
    this.#running++;
    try {
      const text = requestText(id, method, revision === STATELESS_REVISION ? withoutClaims(params) : params);
      const reply = await this.#connection.request(id, text, {
        deadline,
        signal,
        caller,
        passed,
        trace,
        onMessage: (value, text) => this.#incoming.receiveDuring(value, text, { client, deadline, signal }),
        onDelay: client === undefined ? undefined : (retryMs) => client.expectDelay?.(retryMs),
      });
      const failed = !("result" in reply.value);
      const answer = memberText(reply.text, failed ? "error" : "result")!;
      if (failed || call.wrapsResults !== true || revision === STATELESS_REVISION) {
        return { text: answer, failed };
      }
      // An object is taken for the wrapped result that servers of both eras send in a session.
      return { text: sessionResult(reply.value.result, answer, false), failed };
    } catch (error) {
      if (isError(error, "UPSTREAM_SESSION_EXPIRED")) this.#closed = true;
      else if (call.signal?.aborted || isError(error, "UPSTREAM_TIMEOUT")) {
        this.#cancel(id, method, call.signal);
      }
      throw error;
    } finally {
      this.#running--;
      if (running !== undefined) this.#incoming.leave(running);
      if (this.#isRetired) this.#closeIfIdle();
    }
  }

  retire(): void {
    this.#isRetired = true;
    this.#incoming.retire();
    setTimeout(() => this.#closeIfIdle(), 0);
  }

  #closeIfIdle(): void {
    if (this.#running === 0) void this.close();
  }

  async notify(text: string): Promise<void> {
    if (!this.closed) await this.#connection.notify(text, unawaited()).catch(() => {});
  }

  async checkReachable(call: SessionCall, passed?: HeaderList): Promise<void> {
    await this.request("ping", undefined, call, passed);
  }

  /** Sends one request of a health check (pool/idle_check.ts). Never throws. */
  checkHealth(method: HealthMethod, timeoutMs: number): Promise<HealthVerdict> {
    return verdictOf((call) => this.request(HEALTH_METHODS[method], undefined, call), timeoutMs);
  }

  /** Ends the session at the upstream. Never throws: a session that cannot be ended is forgotten. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#incoming.close();
    // Cancellations go first. On another connection the end could overtake them, and the calls would run on.
    await Promise.all(this.#cancellations);
    await this.#connection.close();
  }

  /** Treats the session as lost if the upstream refuses a ping in it. Never throws. */
  async #expiredIfRefused(): Promise<void> {
    const { deadline: { ms: timeoutMs, setting: timeoutSetting } } = unawaited();
    const isRefused = await this.request("ping", undefined, { timeoutMs, timeoutSetting }).then(
      ({ failed, text }) => failed && JSON.parse(text).code !== METHOD_NOT_FOUND,
      (error) => error instanceof SluiceError && REFUSALS.has(error.code),
    );
    if (isRefused) this.#expired();
  }

  #expired(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#incoming.close();
    this.#onExpired();
  }

  /**
   * Tells the upstream that a call is cancelled, because a broken stream is no cancellation (transports, "Sending Messages").
   */
  #cancel(requestId: number, method: string, signal: CancelSignal | undefined): void {
    if (method === "initialize") return;
    const reason = !signal?.aborted
      ? "the call took too long"
      : isError(signal.reason, "UPSTREAM_DISABLED")
      ? "the gateway no longer uses this server for the client"
      : "the client cancelled the call";
    const params = JSON.stringify({ requestId, reason });
    const text = notificationText("notifications/cancelled", params);
    const sent = this.#connection.notify(text, unawaited()).catch(() => {}).then(() => {
      this.#cancellations.delete(sent);
    });
    this.#cancellations.add(sent);
  }
}

function initializeText(
  revision: string | null,
  capabilities: string,
  clientInfo: SessionOpenOptions["clientInfo"],
): string {
  const version = JSON.stringify(revision ?? LATEST_SESSION_REVISION);
  const params = `{"protocolVersion":${version},"capabilities":${capabilities},"clientInfo":${
    JSON.stringify(clientInfo)
  }}`;
  return requestText(0, "initialize", params);
}

function initializeResult({ value: { result, error } }: Reply, upstream: string): JsonObject {
  if (isObject(result)) return result;
  const { message, code }: JsonObject = isObject(error) ? error : {};
  throw new SluiceError("UPSTREAM_REJECTED", {
    upstream,
    method: "initialize",
    reason: typeof message === "string" ? message : "no result",
    ...(typeof code === "number" ? { code } : {}),
  });
}
