// Opens sessions to one upstream under its circuit breaker. It also holds the connections that need no session: that of
// 2026-07-28, and that of an upstream that keeps none in a revision with sessions. A handshake that finds such an upstream sets its
// connection for all later calls.
import { isError, SluiceError } from "../../base/errors.ts";
import { type AnyRevision, STATELESS_REVISION } from "../../mcp/revisions.ts";
import { listenSoon, type SessionCall, type UpstreamChannel } from "../session/upstream_channel.ts";
import type { Attempt, CircuitBreaker } from "../resilience/circuit_breaker.ts";
import type { HeaderList, UpstreamTransport } from "../transport/transport.ts";
import { isBreakerFailure, isOurDoing, isUnreachable } from "../resilience/failures.ts";
import { channelWithoutSession, openChannel, speaksStateless } from "../session/open_session.ts";
import type { SessionOpenOptions } from "../session/upstream_session.ts";
import type { FoundWays, UpstreamDeps, UpstreamProfile } from "./upstream_parts.ts";

/** Changes of lists that a process announces in this time after its handshake belong to its start: they tell nothing new. */
export const START_MS = 2_000;

/** The options for a new session. */
export type Opening =
  & Pick<
    SessionOpenOptions,
    | "passed"
    | "signal"
    | "caller"
    | "clientCapabilities"
    | "client"
    | "isShared"
    | "onListChanged"
    | "onExpired"
  >
  & {
    /** Receive what the upstream asks outside of the calls' streams. */
    readonly listens?: boolean;
  };

export class SessionOpener {
  /** Time limit of a handshake. */
  readonly limits: Pick<SessionCall, "timeoutMs" | "timeoutSetting">;
  readonly onListChanged: (method: string) => void;
  readonly #upstreamId: string;
  readonly #transport: UpstreamTransport;
  readonly #deps: UpstreamDeps;
  readonly #wantedRevision: string | null;
  /** Whether `initialize` is worth asking. */
  #hasSessions: boolean;
  #stateless: UpstreamChannel | null = null;
  #plain: UpstreamChannel | null = null;
  #closed: SluiceError | null = null;

  constructor(
    { id, revisions, plainRevision, wantedRevision }: UpstreamProfile,
    transport: UpstreamTransport,
    deps: UpstreamDeps,
  ) {
    this.#upstreamId = id;
    this.#transport = transport;
    this.#deps = deps;
    this.#wantedRevision = wantedRevision;
    this.#hasSessions = revisions.sessions;
    this.limits = transport.kind === "stdio"
      ? { timeoutMs: deps.stdioStartTimeoutMs, timeoutSetting: "STDIO_START_TIMEOUT" }
      : { timeoutMs: deps.createTimeoutMs, timeoutSetting: "MCP_SESSION_POOL_CREATE_TIMEOUT" };
    this.onListChanged = (method) => deps.onListChanged(id, method);
    if (revisions.stateless) this.#needsNoSession(STATELESS_REVISION);
    if (plainRevision !== null) this.#needsNoSession(plainRevision);
  }

  /**
   * The connection without a session for a client of this revision; null: the client needs a session. The upstream is spoken to in
   * the client's kind of revisions where it has it, because servers of both kinds keep questions and state for one of them.
   */
  without(revision: AnyRevision): UpstreamChannel | null {
    if (revision === STATELESS_REVISION) return this.#stateless ?? this.#plain;
    return this.#hasSessions ? this.#plain : this.#stateless;
  }

  /** Applies what discovery has found. A channel in a way that is not spoken any more closes after its calls. */
  learn({ revisions, plainRevision }: FoundWays): void {
    this.#hasSessions = revisions.sessions;
    if (!revisions.stateless) {
      this.#stateless?.retire?.();
      this.#stateless = null;
    } else if (this.#stateless === null) this.#needsNoSession(STATELESS_REVISION);
    if (plainRevision === null) this.#plain = null;
    else if (this.#plain?.protocolVersion !== plainRevision) this.#needsNoSession(plainRevision);
  }

  /** Closes the processes and sockets of a tenant that has ended. */
  release(tenant: string): void {
    this.#stateless?.release?.(tenant);
  }

  /**
   * Asks whether the upstream still speaks 2026-07-28, after it refused a call as an older server would. If so, the refusal
   * concerns the call, and the call may have been executed. Never throws.
   */
  async stillSpeaksStateless(
    session: UpstreamChannel,
    { signal, tenant }: Pick<SessionCall, "signal" | "tenant">,
    passed: HeaderList,
  ): Promise<boolean> {
    if (session.protocolVersion !== STATELESS_REVISION) return false;
    try {
      const asked = session.request("server/discover", undefined, { ...this.limits, signal, tenant }, passed);
      const { text, failed } = await asked;
      return !failed && speaksStateless(JSON.parse(text));
    } catch {
      return false;
    }
  }

  /** Drops a connection without a session, because the upstream now requires one. */
  forget(refused: UpstreamChannel): void {
    if (this.#stateless === refused) this.#stateless = null;
    else if (this.#plain === refused) this.#plain = null;
    else return;
    this.#hasSessions = true;
    this.#deps.onRevisionRefused(this.#upstreamId);
  }

  /** The circuit breaker. It is undefined until a call has failed, so warm calls do not pay for one. */
  get circuit(): CircuitBreaker | undefined {
    return this.#deps.breakers.known(this.#transport.address);
  }

  /** Counts an unanswered call without a session as a failure, like a failed handshake. */
  silent(failure: unknown): void {
    this.#circuit().observed("silence");
    this.#saw(failure);
  }

  /** Counts an answered call without a session. */
  answered(): void {
    this.circuit?.observed("answer");
    this.#saw(null);
  }

  /** Opens no more sessions: openings that have begun fail with `reason`, and so do later ones. */
  close(reason: SluiceError): void {
    this.#closed = reason;
    void this.#stateless?.close();
    void this.#plain?.close();
  }

  /** @throws {SluiceError} the reason of `close` */
  requireOpen(): void {
    if (this.#closed !== null) throw this.#closed;
  }

  /** Opens a session outside the pool. @throws {SluiceError} UPSTREAM_* */
  async open(options: Opening): Promise<UpstreamChannel> {
    const attempt = this.#enter();
    try {
      const session = await this.handshake(options);
      attempt.succeeded();
      return session;
    } catch (error) {
      // A caller that gave up or ran out of time says nothing about the upstream.
      if (isBreakerFailure(error) && !options.signal?.aborted) attempt.failed();
      else attempt.abandoned();
      throw error;
    }
  }

  /** Opens a session for the pool, which checks the circuit itself. @throws {SluiceError} UPSTREAM_* */
  async handshake(opening: Opening): Promise<UpstreamChannel> {
    const { limits } = this;
    const { clientInfo } = this.#deps;
    this.requireOpen();
    const { listens = false, ...rest } = opening;
    const isProcess = this.#transport.kind === "stdio";
    let startedAt = isProcess ? Infinity : 0;
    const session = await openChannel(this.#transport, {
      onListChanged: (method) => {
        if (Date.now() >= startedAt) this.onListChanged(method);
      },
      wantedRevision: this.#wantedRevision,
      ...rest,
      ...limits,
      clientInfo,
    }).catch((error) => {
      if (isBreakerFailure(error) && !opening.signal?.aborted) this.#saw(error);
      throw error;
    });
    this.#saw(null);
    if (isProcess) startedAt = Date.now() + START_MS;
    if (listens) await listenSoon(session);
    if (this.#closed !== null) {
      void session.close();
      throw this.#closed;
    }
    if (!session.isStateful) this.#foundNone(session.protocolVersion);
    return session;
  }

  /**
   * Checks the upstream before a call while the circuit is not closed. The call itself cannot be the probe: it may take
   * minutes, and all other calls fail until the probe ends.
   * @throws {SluiceError} UPSTREAM_*
   */
  async probe(
    session: UpstreamChannel,
    { signal, tenant }: Pick<SessionCall, "signal" | "tenant">,
    passed: HeaderList,
  ): Promise<void> {
    const attempt = this.#enter();
    try {
      await session.checkReachable({ ...this.limits, signal, tenant }, passed);
    } catch (error) {
      const failed = isUnreachable(error) || isError(error, "UPSTREAM_TIMEOUT");
      if (failed) attempt.failed();
      else if (isOurDoing(error) || signal?.aborted) attempt.abandoned();
      // Any other error is an answer, so the upstream is reachable.
      else return attempt.succeeded();
      throw error;
    }
    attempt.succeeded();
  }

  /** Health checks ask all other upstreams. @param failure null: a process works */
  #saw(failure: unknown): void {
    if (this.#transport.kind === "stdio") this.#deps.onProcess(this.#upstreamId, failure);
  }

  /** A handshake has found that the upstream keeps no session, or has no handshake. */
  #foundNone(revision: string): void {
    if (revision === STATELESS_REVISION && this.#hasSessions) {
      this.#hasSessions = false;
      this.#deps.onRevisionRefused(this.#upstreamId);
    }
    this.#needsNoSession(revision);
  }

  #needsNoSession(revision: string): void {
    const { onListChanged } = this;
    const channel = channelWithoutSession(this.#transport, revision, this.#deps.clientInfo, {
      onListChanged,
    });
    if (revision === STATELESS_REVISION) this.#stateless = channel;
    else this.#plain = channel;
  }

  /** @throws {SluiceError} UPSTREAM_CIRCUIT_OPEN */
  #enter(): Attempt {
    const circuit = this.#circuit();
    const waitMs = circuit.waitMs();
    if (waitMs > 0) {
      throw new SluiceError("UPSTREAM_CIRCUIT_OPEN", { upstream: this.#transport.upstream, waitMs });
    }
    return circuit.enter();
  }

  #circuit(): CircuitBreaker {
    return this.#deps.breakers.of({ url: this.#transport.address, upstreamId: this.#upstreamId });
  }
}
