// Periodic maintenance of a worker: ends idle sessions, keeps streams alive, ends the streams of callers whose rights have lapsed.
import type { Principal } from "../../auth/principal.ts";
import type { LiveCatalog } from "../../catalog/live_catalog.ts";
import type { Config } from "../../config/schema.ts";
import type { DuplexSessions } from "../../downstream/duplex/duplex_sessions.ts";
import type { LegacySse } from "../../downstream/duplex/legacy_sse.ts";
import type { Listeners } from "../../downstream/sessionless/listeners.ts";
import type { DownstreamSessions } from "../../downstream/session/downstream_sessions.ts";
import type { Log } from "../../telemetry/log.ts";

export interface MaintenanceDeps {
  readonly config: Pick<Config, "sseKeepaliveIntervalMs">;
  readonly log: Log;
  readonly catalog: LiveCatalog;
  readonly sessions: DownstreamSessions;
  readonly duplex: DuplexSessions;
  readonly listeners: Listeners;
  readonly legacySse: LegacySse;
  /** null: another worker sweeps the records, or they need no sweep. */
  readonly sweepCache: (() => Promise<unknown>) | null;
}

const SWEEP_INTERVAL_MS = 30_000;

export class Maintenance {
  readonly #deps: MaintenanceDeps;
  readonly #timers: ReturnType<typeof setInterval>[];

  constructor(deps: MaintenanceDeps) {
    this.#deps = deps;
    const { config, sweepCache } = deps;
    this.#timers = [
      setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS),
      setInterval(() => this.#keepAlive(), config.sseKeepaliveIntervalMs),
      ...(sweepCache === null ? [] : [setInterval(sweepCache, SWEEP_INTERVAL_MS)]),
    ];
  }

  /** Ends the streams and channels of revoked tokens, and of users whose rights have changed: clients open them again. */
  endLapsedStreams(): void {
    const { catalog, sessions, listeners, duplex } = this.#deps;
    const { now } = catalog;
    const hasLapsed = (principal: Principal) => now.hasLapsed(principal, Date.now());
    sessions.endStreamsOf(hasLapsed);
    listeners.endOf(hasLapsed);
    duplex.endLapsed();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #sweep(): void {
    const { sessions, log } = this.#deps;
    sessions.sweep().catch((error) => log.error("sweep failed", { error }));
  }

  #keepAlive(): void {
    const { sessions, listeners, legacySse } = this.#deps;
    // A request that was admitted before its token was revoked may have opened its stream afterwards.
    this.endLapsedStreams();
    sessions.keepStreamsAlive();
    listeners.keepAlive();
    legacySse.keepStreamsAlive();
  }
}
