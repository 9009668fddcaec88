// Opens sessions to one upstream under its circuit breaker. It also holds the shared stateless connection, if the upstream
// keeps no sessions. A handshake that finds the upstream stateless sets that connection for all later calls.
import { isError, SluiceError } from "../../base/errors.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { SessionCall, UpstreamChannel } from "../session/upstream_channel.ts";
import type { Attempt, CircuitBreaker } from "../resilience/circuit_breaker.ts";
import type { HeaderList, UpstreamTransport } from "../transport/transport.ts";
import { isBreakerFailure, isOurDoing, isUnreachable } from "../resilience/failures.ts";
import { channelWithoutSession, openChannel, speaksStateless } from "../session/open_session.ts";
import type { SessionOpenOptions } from "../session/upstream_session.ts";
import type { UpstreamDeps, UpstreamProfile } from "./upstream_parts.ts";

/** The options for a new session. */
export type Opening = Pick<
  SessionOpenOptions,
  "passed" | "signal" | "caller" | "clientCapabilities" | "client" | "onListChanged" | "onExpired"
>;

export class SessionOpener {
  /** Time limit of a handshake. */
  readonly limits: Pick<SessionCall, "timeoutMs" | "timeoutSetting">;
  readonly onListChanged: (method: string) => void;
  readonly #upstreamId: string;
  readonly #transport: UpstreamTransport;
  readonly #deps: UpstreamDeps;
  #stateless: UpstreamChannel | null = null;
  #closed: SluiceError | null = null;

  constructor({ id, statelessRevision }: UpstreamProfile, transport: UpstreamTransport, deps: UpstreamDeps) {
    this.#upstreamId = id;
    this.#transport = transport;
    this.#deps = deps;
    this.limits = { timeoutMs: deps.createTimeoutMs, timeoutSetting: "MCP_SESSION_POOL_CREATE_TIMEOUT" };
    this.onListChanged = (method) => deps.onListChanged(id, method);
    if (statelessRevision !== null) this.#keepsNone(statelessRevision);
  }

  /** The shared connection to an upstream without sessions. Everyone uses it, without a handshake. */
  get stateless(): UpstreamChannel | null {
    return this.#stateless;
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

  /** Drops the shared connection, because the upstream now requires a session. */
  forget(stateless: UpstreamChannel): void {
    if (this.#stateless === stateless) this.#stateless = null;
  }

  /** The circuit breaker. It is undefined until a call has failed, so warm calls do not pay for one. */
  get circuit(): CircuitBreaker | undefined {
    return this.#deps.breakers.known(this.#transport.address);
  }

  /** Counts an unanswered call without a session as a failure, like a failed handshake. */
  silent(): void {
    this.#circuit().observed("silence");
  }

  /** Opens no more sessions: openings that have begun fail with `reason`, and so do later ones. */
  close(reason: SluiceError): void {
    this.#closed = reason;
    void this.#stateless?.close();
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
    const { onListChanged, limits } = this;
    const { clientInfo } = this.#deps;
    this.requireOpen();
    const session = await openChannel(this.#transport, { onListChanged, ...opening, ...limits, clientInfo });
    if (this.#closed !== null) {
      void session.close();
      throw this.#closed;
    }
    if (!session.isStateful) this.#keepsNone(session.protocolVersion);
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

  #keepsNone(revision: string): void {
    const { onListChanged } = this;
    this.#stateless = channelWithoutSession(this.#transport, revision, this.#deps.clientInfo, {
      onListChanged,
    });
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
