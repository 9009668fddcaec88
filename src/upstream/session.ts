// One MCP session to an upstream: handshake, request ids, cancellation, end. Many calls may run in it at once.
import type { CancelSignal } from "../base/cancellation.ts";
import { isError, SluiceError } from "../base/errors.ts";
import {
  isObject,
  type JsonObject,
  memberText,
  notificationText,
  requestText,
  resultText,
} from "../mcp/json_rpc.ts";
import { isRevision, LATEST_LEGACY_REVISION } from "../mcp/revisions.ts";
import type { HeaderList, HttpTransport } from "./http_transport.ts";
import type { HealthMethod, ProbeVerdict } from "./pool/health.ts";

/** What an upstream answered, as JSON text that nobody has touched. */
export interface RpcAnswer {
  /** The JSON-RPC result, or the JSON-RPC error object where `failed`. */
  readonly text: string;
  readonly failed: boolean;
}

export interface SessionCall {
  readonly timeoutMs: number;
  /** The setting that `timeoutMs` comes from. */
  readonly timeoutSetting: string;
  readonly signal?: CancelSignal;
  /** Notifications that the upstream sends on this call's stream, as JSON text. */
  readonly onNotification?: (text: string) => void;
}

export interface OpenOptions {
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly timeoutMs: number;
  readonly timeoutSetting: string;
  readonly signal?: CancelSignal;
  /** The caller's headers that the session is opened with, and keeps. */
  readonly passed?: HeaderList;
}

/** A session as plain data, for the worker that takes it over. Holds credentials: not for logs. */
export interface SessionTransfer {
  readonly sessionId: string;
  readonly protocolVersion: string;
  readonly passed: HeaderList;
  readonly nextId: number;
}

const IDS_LEFT_BEHIND = 1_000_000;

const METHOD_NOT_FOUND = -32601;

const PROBES: Readonly<Record<HealthMethod, string>> = {
  ping: "ping",
  list_tools: "tools/list",
  list_prompts: "prompts/list",
  list_resources: "resources/list",
  // Never asked for.
  skip: "ping",
};

/** How long the end of a session or of a call may take to reach the upstream, ms. */
const FAREWELL_TIMEOUT_MS = 5_000;

export class UpstreamSession {
  /** The upstream's `initialize` result. */
  readonly initialized: JsonObject;
  /** null: the upstream keeps no session for us. */
  readonly sessionId: string | null;
  readonly protocolVersion: string;
  readonly #transport: HttpTransport;
  readonly #headers: HeaderList;
  readonly #passed: HeaderList;
  /** Cancellations on their way to the upstream. */
  readonly #cancellations = new Set<Promise<void>>();
  #nextId = 1;
  #closed = false;

  private constructor(
    transport: HttpTransport,
    sessionId: string | null,
    initialized: JsonObject,
    passed?: HeaderList,
  ) {
    this.#transport = transport;
    this.sessionId = sessionId;
    this.initialized = initialized;
    this.protocolVersion = String(initialized.protocolVersion);
    this.#passed = passed ?? [];
    this.#headers = transport.headersFor(sessionId, this.protocolVersion, passed);
  }

  /** Go on with a session that another worker opened and has let go of. */
  static resume(
    transport: HttpTransport,
    { sessionId, protocolVersion, passed, nextId }: SessionTransfer,
  ): UpstreamSession {
    const session = new UpstreamSession(transport, sessionId, { protocolVersion }, passed);
    // Calls of the other worker may still be under way: their ids stay theirs.
    session.#nextId = nextId + IDS_LEFT_BEHIND;
    return session;
  }

  /** To an upstream that is known to keep no sessions: usable at once, by everybody. */
  static stateless(transport: HttpTransport, protocolVersion: string): UpstreamSession {
    return new UpstreamSession(transport, null, { protocolVersion });
  }

  /** Do the handshake: `initialize`, then `notifications/initialized`. @throws {SluiceError} UPSTREAM_* */
  static async open(transport: HttpTransport, options: OpenOptions): Promise<UpstreamSession> {
    const { clientInfo, passed, ...exchange } = options;
    const { upstream } = transport.target;
    const params = JSON.stringify({ protocolVersion: LATEST_LEGACY_REVISION, capabilities: {}, clientInfo });
    const reply = await transport.request(0, requestText(0, "initialize", params), {
      ...exchange,
      headers: transport.headersFor(null, null, passed),
    });
    const { result, error } = reply.value;
    if (!isObject(result)) {
      const reason = isObject(error) && typeof error.message === "string" ? error.message : "no result";
      throw new SluiceError("UPSTREAM_REJECTED", { upstream, method: "initialize", reason });
    }
    const session = new UpstreamSession(transport, reply.sessionId, result, passed);
    if (!isRevision(result.protocolVersion)) {
      await session.close();
      throw new SluiceError("UPSTREAM_PROTOCOL_ERROR", {
        upstream,
        reason: `it speaks protocol version ${JSON.stringify(result.protocolVersion)}, which we do not`,
      });
    }
    try {
      await session.#notify("notifications/initialized", undefined, exchange);
    } catch (error) {
      // Nobody will ever use it; the caller does not wait for the farewell.
      void session.close();
      throw error;
    }
    return session;
  }

  /** What another worker needs to go on with this session; null where it has ended, or there is none. */
  transfer(): SessionTransfer | null {
    if (this.#closed || this.sessionId === null) return null;
    const { sessionId, protocolVersion } = this;
    return { sessionId, protocolVersion, passed: this.#passed, nextId: this.#nextId };
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Call a method; `params` is JSON text and goes out as it is.
   * @param passed the caller's headers for this call alone; only where the upstream keeps no session
   * @throws {SluiceError} UPSTREAM_*; UPSTREAM_SESSION_EXPIRED closes this session, and nothing was executed
   */
  async request(
    method: string,
    params: string | undefined,
    call: SessionCall,
    passed: HeaderList = [],
  ): Promise<RpcAnswer> {
    const { timeoutMs, timeoutSetting, signal, onNotification } = call;
    // Nothing was sent, so there is nothing to cancel.
    signal?.throwIfAborted();
    const id = this.#nextId++;
    try {
      const reply = await this.#transport.request(id, requestText(id, method, params), {
        timeoutMs,
        timeoutSetting,
        signal,
        headers: passed.length === 0
          ? this.#headers
          : this.#transport.headersFor(null, this.protocolVersion, passed),
        onMessage: (value, text) => this.#receive(value, text, onNotification),
      });
      const failed = !("result" in reply.value);
      return { text: memberText(reply.text, failed ? "error" : "result")!, failed };
    } catch (error) {
      if (isError(error, "UPSTREAM_SESSION_EXPIRED")) this.#closed = true;
      else if (call.signal?.aborted || isError(error, "UPSTREAM_TIMEOUT")) {
        this.#cancel(id, method, call.signal);
      }
      throw error;
    }
  }

  /** Is the session alive? One request of the health check, see pool/health.ts. Never throws. */
  async probe(method: HealthMethod, timeoutMs: number): Promise<ProbeVerdict> {
    try {
      const call = { timeoutMs, timeoutSetting: "MCP_SESSION_POOL_HEALTH_CHECK_TIMEOUT" };
      const answer = await this.request(PROBES[method], undefined, call);
      if (!answer.failed) return "healthy";
      return JSON.parse(answer.text).code === METHOD_NOT_FOUND ? "unsupported" : "failed";
    } catch {
      return "failed";
    }
  }

  /** End the session at the upstream. Never throws: a session that cannot be ended is forgotten. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.sessionId === null) return;
    // Over another connection it might overtake them, and a call in an ended session may run on.
    await Promise.all(this.#cancellations);
    await this.#transport.terminate({ ...FAREWELL, headers: this.#headers }).catch(() => {});
  }

  /** A broken stream is no cancellation (transports, "Sending Messages"): the upstream is told in so many words. */
  #cancel(requestId: number, method: string, signal: CancelSignal | undefined): void {
    if (method === "initialize") return;
    const reason = signal?.aborted ? "the client cancelled the call" : "the call took too long";
    const params = JSON.stringify({ requestId, reason });
    const sent = this.#notify("notifications/cancelled", params, FAREWELL).catch(() => {}).then(() => {
      this.#cancellations.delete(sent);
    });
    this.#cancellations.add(sent);
  }

  #receive(value: JsonObject, text: string, onNotification: ((text: string) => void) | undefined): void {
    if (value.id === undefined) return onNotification?.(text);
    // A request of the server. We declared no client capability, so `ping` is all that it may ask.
    const id = memberText(text, "id")!;
    const answer = value.method === "ping"
      ? resultText(id, "{}")
      : `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"Method not found"}}`;
    this.#transport.notify(answer, { ...FAREWELL, headers: this.#headers }).catch(() => {});
  }

  #notify(
    method: string,
    params: string | undefined,
    exchange: { timeoutMs: number; timeoutSetting: string; signal?: CancelSignal },
  ): Promise<void> {
    return this.#transport.notify(notificationText(method, params), { ...exchange, headers: this.#headers });
  }
}

const FAREWELL = { timeoutMs: FAREWELL_TIMEOUT_MS, timeoutSetting: "a fixed limit" } as const;
