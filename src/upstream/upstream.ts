// One registered upstream: which session a call runs in, and what happens when that session has ended.
import { isError, SluiceError } from "../base/errors.ts";
import type { BoundSessions } from "./bound_sessions.ts";
import type { HttpTransport } from "./http_transport.ts";
import { type RpcAnswer, type SessionCall, UpstreamSession } from "./session.ts";

export interface UpstreamSettings {
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** The longest that the handshake of a new session may take. */
  readonly createTimeoutMs: number;
}

export interface UpstreamCall extends SessionCall {
  /** The downstream session's own upstream sessions; null for a call without a session. */
  readonly bound: BoundSessions | null;
}

export class Upstream {
  readonly id: string;
  readonly name: string;
  readonly #transport: HttpTransport;
  readonly #settings: UpstreamSettings;
  /** Not the id: where address or credentials have changed, sessions that were opened with the old ones are not used. */
  readonly #boundKey = crypto.randomUUID();
  /** Of an upstream that gave no Mcp-Session-Id: there is nothing to share, so everybody uses it, without a handshake. */
  #stateless: UpstreamSession | null = null;

  constructor(id: string, transport: HttpTransport, settings: UpstreamSettings) {
    this.id = id;
    this.name = transport.target.upstream;
    this.#transport = transport;
    this.#settings = settings;
  }

  /**
   * Call a method; `params` is JSON text.
   * @throws {SluiceError} UPSTREAM_*; a JSON-RPC error of the upstream is an answer, not an exception
   */
  request(method: string, params: string | undefined, call: UpstreamCall): Promise<RpcAnswer> {
    if (this.#stateless !== null) return this.#callStateless(this.#stateless, method, params, call);
    return call.bound === null
      ? this.#callOnce(method, params, call)
      : this.#callBound(call.bound, method, params, call);
  }

  async #callStateless(
    session: UpstreamSession,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
  ): Promise<RpcAnswer> {
    try {
      return await session.request(method, params, call);
    } catch (error) {
      if (!wantsHandshake(error)) throw error;
      // It may have been replaced by one that keeps sessions. The refusal executed nothing, so the call may go out again.
      if (this.#stateless === session) this.#stateless = null;
      return this.request(method, params, call);
    }
  }

  async #callBound(
    bound: BoundSessions,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
  ): Promise<RpcAnswer> {
    const session = await this.#boundSession(bound);
    try {
      return await session.request(method, params, call);
    } catch (error) {
      if (!isError(error, "UPSTREAM_SESSION_EXPIRED")) throw error;
      await bound.drop(this.#boundKey, session);
      const fresh = await this.#boundSession(bound);
      return await fresh.request(method, params, call);
    }
  }

  async #boundSession(bound: BoundSessions): Promise<UpstreamSession> {
    const session = await bound.get(this.#boundKey, () => this.#open());
    // Of a stateless upstream there is nothing to keep; kept, it would outlive the day that the upstream takes up sessions.
    if (session.sessionId === null) await bound.drop(this.#boundKey, session);
    return session;
  }

  /** A call of nobody's session to an upstream that keeps sessions: one for this call alone. */
  async #callOnce(method: string, params: string | undefined, call: UpstreamCall): Promise<RpcAnswer> {
    const session = await this.#open(call.signal);
    try {
      return await session.request(method, params, call);
    } finally {
      // The answer does not wait for the farewell.
      if (session !== this.#stateless) session.close();
    }
  }

  async #open(signal?: AbortSignal): Promise<UpstreamSession> {
    const { clientInfo, createTimeoutMs } = this.#settings;
    const session = await UpstreamSession.open(this.#transport, {
      clientInfo,
      timeoutMs: createTimeoutMs,
      timeoutSetting: "MCP_SESSION_POOL_CREATE_TIMEOUT",
      signal,
    });
    if (session.sessionId === null) this.#stateless = session;
    return session;
  }
}

/** A stateful server's answer to a request outside any session: 400 or 404 (transports, "Session Management"). */
function wantsHandshake(error: unknown): boolean {
  return error instanceof SluiceError && error.code === "UPSTREAM_HTTP_ERROR" &&
    (error.params.status === 400 || error.params.status === 404);
}
