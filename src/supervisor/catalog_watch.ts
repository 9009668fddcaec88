// Notices catalog changes of other replicas: polls the catalog's version, and reads it at once when another replica announces a change.
import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import { listenToReplicas } from "../cache/open_cache.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../telemetry/log.ts";
import type { Supervisor } from "./supervisor.ts";

export interface CatalogWatchOptions {
  readonly clock: Clock;
  /** The time to the next poll after a change (POLL_INTERVAL). */
  readonly minIntervalMs: number;
  /** Without a change the time grows by `growth` (BACKOFF_FACTOR) up to this (MAX_INTERVAL). */
  readonly maxIntervalMs: number;
  readonly growth: number;
  /** The version in the store; null: it cannot be read now. Never rejects. */
  readonly readVersion: () => Promise<string | null>;
  /** The number of workers (WORKERS), without those that are replaced at the moment. */
  readonly workers: number;
  /** Makes every worker read this version. @returns the version of each worker that answers. Never rejects */
  readonly refresh: (version: string) => Promise<readonly string[]>;
}

export class CatalogWatch {
  readonly #options: CatalogWatchOptions;
  /** The version of all workers; null: unknown, or they differ. */
  #version: string | null = null;
  /** The version that the workers were asked for last. */
  #asked: string | null = null;
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

  /** Polls now. During a poll, polls once more afterwards: the change may be newer than what that poll read. */
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

  /** @returns whether there was another version than at the poll before */
  async #compare(): Promise<boolean> {
    const { readVersion, refresh, workers } = this.#options;
    const version = await readVersion();
    if (version === null || version === this.#version || this.#isStopped) return false;
    const isNew = version !== this.#asked;
    this.#asked = version;
    const versions = await refresh(version);
    const isSame = versions.length >= workers && versions.every((each) => each === versions[0]);
    // A worker that could not read the catalog, or has not answered, is asked again at the next poll.
    this.#version = isSame ? versions[0] : null;
    return isNew;
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
 * Keeps the workers' catalogs up to date with the other replicas until the returned function is called. The process listens to
 * them on one connection here, because workers die and are replaced.
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
    workers: config.workers,
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
