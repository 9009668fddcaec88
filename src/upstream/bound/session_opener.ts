// How calls get into one upstream: by the sessions that are opened for them, under its circuit breaker, or without any where it
// keeps none. What the upstream is found to be while one is opened holds for all that follow.
import { isError, SluiceError } from "../../base/errors.ts";
import { STATELESS_REVISION } from "../../mcp/revisions.ts";
import type { SessionCall, UpstreamChannel } from "../session/upstream_channel.ts";
import type { Attempt, CircuitBreaker } from "../resilience/circuit_breaker.ts";
import type { HeaderList, UpstreamTransport } from "../transport/transport.ts";
import { isBreakerFailure, isOurDoing, isUnreachable } from "../resilience/failures.ts";
import { channelWithoutSession, openChannel, speaksStateless } from "../session/open_session.ts";
import type { OpenOptions } from "../session/upstream_session.ts";
import type { UpstreamDeps, UpstreamProfile } from "./upstream_parts.ts";

/** What a new session is opened with. */
export type Opening = Pick<
  OpenOptions,
  "passed" | "signal" | "clientCapabilities" | "client" | "onListChanged" | "onExpired"
>;

export class SessionOpener {
  /** What a handshake may take. */
  readonly limits: Pick<SessionCall, "timeoutMs" | "timeoutSetting">;
  readonly onListChanged: (method: string) => void;
  readonly #upstreamId: string;
  readonly #transport: UpstreamTransport;
  readonly #deps: UpstreamDeps;
  #stateless: UpstreamChannel | null = null;

  constructor({ id, statelessRevision }: UpstreamProfile, transport: UpstreamTransport, deps: UpstreamDeps) {
    this.#upstreamId = id;
    this.#transport = transport;
    this.#deps = deps;
    this.limits = { timeoutMs: deps.createTimeoutMs, timeoutSetting: "MCP_SESSION_POOL_CREATE_TIMEOUT" };
    this.onListChanged = (method) => deps.onListChanged(id, method);
    if (statelessRevision !== null) this.#keepsNone(statelessRevision);
  }

  /** Of an upstream that keeps no sessions: there is nothing to share, so everybody uses it, without a handshake. */
  get stateless(): UpstreamChannel | null {
    return this.#stateless;
  }

  /**
   * Does it still speak 2026-07-28, though it has refused a call as an older server does? Then it refuses that call, whatever may
   * have been executed of it. Never throws.
   */
  async stillSpeaksStateless(
    session: UpstreamChannel,
    { signal }: Pick<SessionCall, "signal">,
    passed: HeaderList,
  ): Promise<boolean> {
    if (session.protocolVersion !== STATELESS_REVISION) return false;
    try {
      const asked = session.request("server/discover", undefined, { ...this.limits, signal }, passed);
      const { text, failed } = await asked;
      return !failed && speaksStateless(JSON.parse(text));
    } catch {
      return false;
    }
  }

  /** It wants a session now. */
  forget(stateless: UpstreamChannel): void {
    if (this.#stateless === stateless) this.#stateless = null;
  }

  /** The circuit, where any call has met trouble. A warm call finds none at all. */
  get circuit(): CircuitBreaker | undefined {
    return this.#deps.breakers.known(this.#transport.address);
  }

  /** A call without a session has met silence: it speaks against the upstream as a failed handshake does. */
  silent(): void {
    this.#circuit().observed("silence");
  }

  /** Open a session outside the pool. @throws {SluiceError} UPSTREAM_* */
  async open(options: Opening): Promise<UpstreamChannel> {
    const attempt = this.#enter();
    try {
      const session = await this.handshake(options);
      attempt.succeeded();
      return session;
    } catch (error) {
      // Whoever asked gave up, or had no time left: that is no word of the upstream's.
      if (isBreakerFailure(error) && !options.signal?.aborted) attempt.failed();
      else attempt.abandoned();
      throw error;
    }
  }

  /** Open a session for the pool, which asks the circuit itself. @throws {SluiceError} UPSTREAM_* */
  async handshake(opening: Opening): Promise<UpstreamChannel> {
    const { onListChanged, limits } = this;
    const { clientInfo } = this.#deps;
    const session = await openChannel(this.#transport, { onListChanged, ...opening, ...limits, clientInfo });
    if (!session.isStateful) this.#keepsNone(session.protocolVersion);
    return session;
  }

  /**
   * The circuit is open: ask whether anybody is there before a call goes out. The call itself is no probe, for it may take
   * minutes, and all others fail until the probe is back.
   * @throws {SluiceError} UPSTREAM_*
   */
  async probe(
    session: UpstreamChannel,
    { signal }: Pick<SessionCall, "signal">,
    passed: HeaderList,
  ): Promise<void> {
    const attempt = this.#enter();
    try {
      await session.checkReachable({ ...this.limits, signal }, passed);
    } catch (error) {
      const failed = isUnreachable(error) || isError(error, "UPSTREAM_TIMEOUT");
      if (failed) attempt.failed();
      else if (isOurDoing(error) || signal?.aborted) attempt.abandoned();
      // Whatever else it says, it is there.
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
