// Notices what other replicas have changed in the catalog: looks at its version now and then, and when it is told to.
import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import { listenToReplicas } from "../cache/open_cache.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import type { Supervisor } from "./supervisor.ts";

export interface CatalogWatchOptions {
  readonly clock: Clock;
  /** The time between two looks after one that found a change (POLL_INTERVAL). */
  readonly minIntervalMs: number;
  /** What that time grows to (MAX_INTERVAL), and by how much each time (BACKOFF_FACTOR). */
  readonly maxIntervalMs: number;
  readonly growth: number;
  /** The version in the store; null: it cannot be read now. Never rejects. */
  readonly readVersion: () => Promise<number | null>;
  /** Has every worker read this version. @returns which each of them has now. Never rejects */
  readonly refresh: (version: number) => Promise<readonly number[]>;
}

export class CatalogWatch {
  readonly #options: CatalogWatchOptions;
  /** What all workers have; null: not known, or not the same. */
  #version: number | null = null;
  #intervalMs: number;
  #timer: number | undefined;
  #isLooking = false;
  #lookAgain = false;
  #isStopped = false;

  constructor(options: CatalogWatchOptions) {
    this.#options = options;
    this.#intervalMs = options.minIntervalMs;
    this.#schedule();
  }

  /** Look now; or once more after the look that is under way, which may have come too early. */
  look(): void {
    if (this.#isLooking) this.#lookAgain = true;
    else void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    const { minIntervalMs, maxIntervalMs, growth } = this.#options;
    this.#cancel();
    this.#isLooking = true;
    let hasChanged = false;
    do {
      this.#lookAgain = false;
      hasChanged = await this.#compare() || hasChanged;
    } while (this.#lookAgain && !this.#isStopped);
    this.#isLooking = false;
    this.#intervalMs = hasChanged ? minIntervalMs : Math.min(maxIntervalMs, this.#intervalMs * growth);
    this.#schedule();
  }

  /** @returns was there a new version? */
  async #compare(): Promise<boolean> {
    const { readVersion, refresh } = this.#options;
    const version = await readVersion();
    // Not "newer": a database that was restored from a backup has an older one.
    if (version === null || version === this.#version || this.#isStopped) return false;
    const versions = await refresh(version);
    const isSame = versions.length > 0 && versions.every((each) => each === versions[0]);
    // A worker that could not read it is asked again at the next look.
    this.#version = isSame ? versions[0] : null;
    return true;
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.setTimeout(() => this.look(), this.#intervalMs);
  }

  #cancel(): void {
    if (this.#timer !== undefined) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * Keeps the workers' catalogs up with the other replicas until the returned function is called. Only here is listened to
 * them, on one connection for all workers, since any of those may die or be replaced at any time.
 * @throws {SluiceError} SETTINGS_INVALID
 */
export async function keepCatalogs(
  config: Config,
  supervisor: Pick<Supervisor, "askAll" | "askOne">,
  log: Log,
): Promise<() => Promise<void>> {
  const clock = systemClock;
  const watch = new CatalogWatch({
    clock,
    minIntervalMs: config.pollIntervalMs,
    maxIntervalMs: Math.max(config.pollIntervalMs, config.maxIntervalMs),
    growth: config.backoffFactor,
    readVersion: () => supervisor.askOne({ type: "catalog_version" }),
    refresh: (version) => supervisor.askAll({ type: "read_catalog", version }),
  });
  const listener = { onEvent: () => watch.look(), onListening: () => watch.look() };
  const stopListening = await listenToReplicas(config, { clock, log, name: "sluice-bus", listener });
  return async () => {
    watch.stop();
    await stopListening?.();
  };
}
