// All registered upstreams of this worker, updated with each catalog.
import { isError, SluiceError, toSluiceError } from "../base/errors.ts";
import { isSessionRevision } from "../mcp/revisions.ts";
import { spokenRevisions } from "../mcp/spoken_revisions.ts";
import type { GatewayRow } from "../store/registry/rows.ts";
import { type Barrier, barrierForAll, refusedBy } from "./bound/barrier.ts";
import type { BoundSessions } from "./bound/bound_sessions.ts";
import { Passthrough, type PassthroughRules } from "./client/passthrough.ts";
import type { SessionTransfer } from "./session/upstream_channel.ts";
import type { Transports, TransportTarget } from "./transports.ts";
import type { FoundWays, OwnSession, UpstreamCall, UpstreamDeps } from "./bound/upstream_parts.ts";
import { Upstream } from "./upstream.ts";

export interface UpstreamsDeps {
  readonly transports: Pick<Transports, "make">;
  readonly shared: UpstreamDeps;
  readonly passthrough: PassthroughRules;
  /** Builds the target from a row's sealed credentials; throws if they cannot be opened. */
  readonly targetOf: (row: GatewayRow) => Promise<TransportTarget>;
  readonly onUnusable: (row: GatewayRow, error: SluiceError) => void;
  /** Called when an upstream is made whose state all callers share. */
  readonly onShared: (row: GatewayRow) => void;
}

export interface BoundTransfer {
  readonly upstreamId: string;
  readonly session: SessionTransfer;
}

interface Entry {
  /** The registration as the operator has made it. A change makes another upstream. */
  readonly fingerprint: string;
  readonly found: FoundWays;
  /** The people who may see the upstream, as text. */
  readonly sharing: string;
  readonly upstream: Upstream | SluiceError;
  readonly isDraining: boolean;
}

export class Upstreams {
  readonly #deps: UpstreamsDeps;
  #entries = new Map<string, Entry>();
  /** Upstreams that take no new call, and whose calls under way may end. */
  readonly #draining = new Map<string, Upstream>();

  constructor(deps: UpstreamsDeps) {
    this.#deps = deps;
  }

  /** Applies a new catalog. */
  async update(rows: readonly GatewayRow[]): Promise<void> {
    (await this.prepare(rows))();
  }

  /**
   * Prepares a new catalog. A changed upstream is recreated without its old sessions; unchanged ones stay warm, also if discovery has
   * found something new. A disabled or deleted one is cut off.
   * @returns a function that applies the catalog, at once
   */
  async prepare(rows: readonly GatewayRow[]): Promise<() => void> {
    const entries = new Map<string, Entry>();
    for (const row of rows) {
      const fingerprint = JSON.stringify([
        row.enabled,
        row.drainingSince !== null,
        row.name,
        row.url,
        row.transport,
        row.authType,
        row.authSecret,
        row.caCertificate,
        row.isolation,
        row.protocol,
        row.passthroughHeaders,
        row.source,
      ]);
      const found = foundWays(row);
      const sharing = JSON.stringify([row.visibility, row.teamId, row.ownerEmail]);
      const known = this.#entries.get(row.id);
      if (known?.upstream instanceof Upstream) known.upstream.capabilities = row.capabilities;
      const upstream = known?.fingerprint === fingerprint ? known.upstream : await this.#make(row, found);
      const isDraining = barrierForAll(row) === "it is being drained";
      entries.set(row.id, { fingerprint, found, sharing, upstream, isDraining });
    }
    return () => this.#apply(entries);
  }

  #apply(entries: Map<string, Entry>): void {
    const before = this.#entries;
    this.#entries = entries;
    this.#endDraining();
    for (const [id, { upstream, sharing, found }] of before) {
      if (!(upstream instanceof Upstream)) continue;
      const after = entries.get(id);
      if (after === undefined) upstream.close(refusedBy("it was deleted", upstream.name));
      else if (after.isDraining) {
        upstream.retire();
        this.#draining.set(id, upstream);
      } else if (isError(after.upstream, "UPSTREAM_DISABLED")) upstream.close(after.upstream);
      else if (after.upstream !== upstream) upstream.retire();
      else {
        if (JSON.stringify(after.found) !== JSON.stringify(found)) upstream.learn(after.found);
        // The pool does not know which callers may still use the upstream.
        if (after.sharing !== sharing) upstream.drainPool();
      }
    }
  }

  /** Cuts off draining upstreams that were switched off or deleted. Calls of one that was switched on again go on. */
  #endDraining(): void {
    for (const [id, upstream] of [...this.#draining]) {
      const entry = this.#entries.get(id);
      if (entry?.isDraining) continue;
      this.#draining.delete(id);
      if (entry === undefined) upstream.close(refusedBy("it was deleted", upstream.name));
      else if (isError(entry.upstream, "UPSTREAM_DISABLED")) upstream.close(entry.upstream);
    }
  }

  /** Returns a downstream session's upstream sessions as plain data. */
  async transfer(bound: BoundSessions): Promise<BoundTransfer[]> {
    const transfers = await Promise.all(
      [...this.#entries].map(async ([upstreamId, { upstream }]) =>
        upstream instanceof SluiceError
          ? []
          : (await upstream.transfer(bound)).map((session) => ({ upstreamId, session }))
      ),
    );
    return transfers.flat();
  }

  /** Resumes sessions from another worker's `transfer`. Sessions to unknown upstreams are skipped. */
  adopt(bound: BoundSessions, transfers: readonly BoundTransfer[]): void {
    for (const { upstreamId, session } of transfers) {
      const upstream = this.#entries.get(upstreamId)?.upstream;
      if (upstream instanceof Upstream) upstream.adopt(bound, session);
    }
  }

  /** Makes a client's upstream sessions listen for messages outside calls. */
  async listen(bound: BoundSessions): Promise<void> {
    // An upstream that refuses an old subscription must not affect the others.
    await Promise.all(this.usable().map((upstream) => upstream.listen(bound).catch(() => {})));
  }

  /** Applies a new catalog to a client's sessions. `barrierTo` says which upstreams the client may not use, and why. */
  review(bound: BoundSessions, barrierTo: (upstreamId: string) => Barrier | null): void {
    for (const upstreamId of bound.review(barrierTo)) {
      const upstream = this.#entries.get(upstreamId)?.upstream;
      // An upstream that cannot be reached now is reached by the next call.
      if (upstream instanceof Upstream) upstream.reopen(bound).catch(() => {});
    }
  }

  /** Sends a changed log level to the client's upstream sessions. */
  async setLogLevel(bound: BoundSessions): Promise<void> {
    await Promise.all(this.usable().map((upstream) => upstream.setLogLevel(bound)));
  }

  /** Sends a client's notification to its upstream sessions. A task notification goes to the task's upstream only. */
  async notify(bound: BoundSessions, notification: string): Promise<void> {
    const addressee = bound.client.tasks?.addressee(notification);
    if (addressee === null) return;
    if (addressee !== undefined) {
      const upstream = this.#entries.get(addressee.upstreamId)?.upstream;
      if (upstream instanceof Upstream) await upstream.notify(bound, addressee.text);
      return;
    }
    await Promise.all(this.usable().map((upstream) => upstream.notify(bound, notification)));
  }

  /** Upstreams that are enabled and have usable credentials. */
  usable(): Upstream[] {
    return [...this.#entries.values()].map(({ upstream }) => upstream)
      .filter((upstream) => upstream instanceof Upstream);
  }

  /** The client's own session for a call to an upstream; null: another one serves it, or none can. */
  ownSession(gatewayId: string, call: UpstreamCall): OwnSession | null {
    const upstream = this.#entries.get(gatewayId)?.upstream;
    return upstream instanceof Upstream && !upstream.isDown ? upstream.ownSession(call) : null;
  }

  /** Whether calls to an upstream fail at once: its circuit breaker is open, or its credentials are unusable. */
  isDown(gatewayId: string): boolean {
    const upstream = this.#entries.get(gatewayId)?.upstream;
    return upstream instanceof SluiceError || upstream?.isDown === true;
  }

  /**
   * The upstream for a call that is under way in another worker. One that is being drained here serves it too.
   * @throws {SluiceError} like `get`
   */
  forCallUnderWay(gatewayId: string): Upstream {
    return this.#draining.get(gatewayId) ?? this.get(gatewayId);
  }

  /** The upstream for a new call. @throws {SluiceError} NOT_FOUND, UPSTREAM_DISABLED, or why the credentials are unusable */
  get(gatewayId: string): Upstream {
    const upstream = this.#entries.get(gatewayId)?.upstream;
    if (upstream === undefined) throw new SluiceError("NOT_FOUND", { what: `Gateway ${gatewayId}` });
    if (upstream instanceof SluiceError) throw upstream;
    return upstream;
  }

  async #make(row: GatewayRow, found: FoundWays): Promise<Upstream | SluiceError> {
    const { transports, shared, passthrough, targetOf, onUnusable, onShared } = this.#deps;
    const barrier = barrierForAll(row);
    if (barrier !== null) return refusedBy(barrier, row.name);
    try {
      const target = await targetOf(row);
      const standing = target.headers.map(([name]) => name);
      const owner = target.authorization?.owner ?? null;
      const profile = {
        ...found,
        id: row.id,
        // A session with the token of one user is not for others.
        isolation: owner !== null && row.isolation === "shared" ? "caller" : row.isolation,
        wantedRevision: isSessionRevision(row.protocol) ? row.protocol : null,
        passthrough: new Passthrough(passthrough, row.passthroughHeaders, standing, owner),
        capabilities: row.capabilities,
      };
      if (row.isolation === "shared") onShared(row);
      return new Upstream(profile, transports.make(target), shared);
    } catch (error) {
      const failure = toSluiceError(error);
      onUnusable(row, failure);
      return failure;
    }
  }
}

function foundWays(row: GatewayRow): FoundWays {
  const revisions = spokenRevisions(row);
  return {
    revisions,
    plainRevision: revisions.sessions && row.stateful === false ? row.protocolVersion : null,
  };
}
