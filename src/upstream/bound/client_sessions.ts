// The sessions to one upstream that belong to downstream sessions: each client has its own, and nobody else ever uses it.
import { type CancelSignal, unlessAborted } from "../../base/cancellation.ts";
import { isError, SluiceError } from "../../base/errors.ts";
import type { BoundSessions } from "./bound_sessions.ts";
import { deadlineOf, type SessionTransfer, type UpstreamChannel } from "../session/upstream_channel.ts";
import type { RpcAnswer } from "../client/client_peer.ts";
import type { ClientState } from "../client/client_state.ts";
import type { HeaderList, UpstreamTransport } from "../transport/transport.ts";
import type { SessionOpener } from "./session_opener.ts";
import { inTime } from "../resilience/deadline.ts";
import { pause } from "../transport/stream_reopening.ts";
import { UpstreamSession } from "../session/upstream_session.ts";
import type { UpstreamCall } from "./upstream_parts.ts";
import { restorePreferences, tellLogLevel } from "./client_preferences.ts";

/** A server that opens no stream before it has something to say on it holds a session's first call up no longer than this. */
const MAX_STREAM_WAIT_MS = 500;

export interface ClientSessionsOptions {
  readonly upstreamId: string;
  readonly transport: UpstreamTransport;
  readonly opener: SessionOpener;
  /** Does the upstream have log levels, as of its last discovery? */
  readonly hasLogging: () => boolean;
  /** Its place is another's: no session is opened that nobody has asked for. */
  readonly isRetired: () => boolean;
}

export class ClientSessions {
  readonly #options: ClientSessionsOptions;
  /** Not the id: where address or credentials have changed, sessions that were opened with the old ones are not used. */
  readonly #key = crypto.randomUUID();

  constructor(options: ClientSessionsOptions) {
    this.#options = options;
  }

  /** @throws {SluiceError} UPSTREAM_* */
  async call(
    bound: BoundSessions,
    method: string,
    params: string | undefined,
    call: UpstreamCall,
    passed: HeaderList,
  ): Promise<RpcAnswer> {
    const key = this.#keyFor(passed);
    const session = await this.#sessionFor(call, bound, key, passed);
    try {
      return await session.request(method, params, call, session.isStateful ? undefined : passed);
    } catch (error) {
      if (!isError(error, "UPSTREAM_SESSION_EXPIRED")) throw error;
      await bound.drop(key, session);
      const fresh = await this.#sessionFor(call, bound, key, passed);
      return await fresh.request(method, params, call);
    }
  }

  /** Those that a client has, of this upstream. */
  async of(bound: BoundSessions): Promise<UpstreamChannel[]> {
    const own = [...bound.entries()].filter(([key]) => key.startsWith(this.#key));
    const sessions = await Promise.all(own.map(([, opening]) => opening.catch(() => null)));
    return sessions.filter((session) => session !== null);
  }

  /** For the worker that takes the client over. */
  async transfer(bound: BoundSessions): Promise<SessionTransfer[]> {
    return (await this.of(bound)).flatMap((session) => {
      session.stopListening?.();
      return session.transfer() ?? [];
    });
  }

  /** Take over what `transfer` gave. */
  adopt(bound: BoundSessions, transfer: SessionTransfer): void {
    const { upstreamId, transport, opener: { onListChanged } } = this.#options;
    const { client } = bound;
    const { passed } = transfer;
    const onExpired = () => this.#replace(bound, passed, session!);
    const peers = { client: client.peerFor(upstreamId), onListChanged, onExpired };
    const session = UpstreamSession.resume(transport, transfer, peers);
    if (session === null) return;
    if (this.#isListening(client)) session.listen();
    bound.adopt(this.#keyFor(passed), session);
  }

  /** The client wants another log level; sessions that are still to be opened are told then. */
  async tellLogLevel(bound: BoundSessions): Promise<void> {
    const { hasLogging, opener: { limits } } = this.#options;
    if (!hasLogging()) return;
    const sessions = await this.of(bound);
    await Promise.all(sessions.map((session) => tellLogLevel(session, bound.client.logLevel, limits)));
  }

  /** A session never serves a call whose pinned headers differ from those it was opened with. */
  #keyFor(passed: HeaderList): string {
    return passed.length === 0 ? this.#key : `${this.#key} ${JSON.stringify(passed)}`;
  }

  /** Others may wait for the same session: it is opened to the end, whoever gives up. */
  #sessionFor(
    call: UpstreamCall,
    bound: BoundSessions,
    key: string,
    passed: HeaderList,
  ): UpstreamChannel | Promise<UpstreamChannel> {
    const opened = bound.opened(key);
    if (opened !== undefined && !opened.closed && opened.isStateful) return opened;
    const open = (signal: CancelSignal) => unlessAborted(this.#session(bound, key, passed), signal);
    const { upstream } = this.#options.transport;
    return inTime(deadlineOf(call), { upstream, phase: "open a session", signal: call.signal }, open);
  }

  async #session(bound: BoundSessions, key: string, passed: HeaderList): Promise<UpstreamChannel> {
    const { upstreamId, transport, opener } = this.#options;
    // A fresh one in its place would answer as if nothing had ever been.
    if (bound.client.workerLocal.takeLoss(upstreamId)) {
      throw new SluiceError("UPSTREAM_STATE_LOST", { upstream: transport.upstream });
    }
    const open = () => this.#open(bound, passed);
    let session = await bound.get(key, open);
    if (session.closed) {
      // Its process or socket ended between two calls.
      await bound.drop(key, session);
      session = await bound.get(key, open);
    }
    if (session.isStateful) return session;
    // Of a stateless upstream there is nothing to keep; kept, it would outlive the day that the upstream takes up sessions.
    await bound.drop(key, session);
    if (opener.stateless === null) return session;
    void session.close();
    return opener.stateless;
  }

  /** The upstream hears of the client what it would hear from it, now and after an expiry. */
  async #open(bound: BoundSessions, passed: HeaderList): Promise<UpstreamChannel> {
    const { upstreamId, opener, hasLogging } = this.#options;
    const { client } = bound;
    const session: UpstreamChannel = await opener.open({
      passed,
      clientCapabilities: client.capabilities,
      client: client.peerFor(upstreamId),
      onExpired: () => this.#replace(bound, passed, session),
    });
    if (!session.isStateful) return session;
    await Promise.all([
      restorePreferences(session, client, { upstreamId, hasLogging: hasLogging(), limits: opener.limits }),
      // Whoever has the client after this worker cannot have the session.
      session.transfer() === null ? client.workerLocal.add(upstreamId) : null,
    ]);
    // Some servers ask their client on this stream, and lose what they ask before it is there.
    if (client.listening) await Promise.race([session.listen(), pause(MAX_STREAM_WAIT_MS, undefined)]);
    return session;
  }

  /** Who listens calls nobody by whom the loss would be found out. */
  async #replace(bound: BoundSessions, passed: HeaderList, lost: UpstreamChannel): Promise<void> {
    if (!this.#isListening(bound.client) || this.#options.isRetired()) return;
    const key = this.#keyFor(passed);
    await bound.drop(key, lost);
    // Where that fails, the next call does better.
    await bound.get(key, () => this.#open(bound, passed)).catch(() => {});
  }

  #isListening(client: ClientState): boolean {
    return client.listening || client.subscriptionsTo(this.#options.upstreamId).size > 0;
  }
}
