// Lists the upstreams that were registered without waiting, with growing pauses after failures. The leader of the cluster runs it.
import { type Clock, sleep } from "../base/clock.ts";
import { isError, reasonOf } from "../base/errors.ts";
import { operatorText } from "../base/seen_answer.ts";
import type { GatewayRow, PendingRegistration } from "../store/registry/rows.ts";
import type { Log } from "../telemetry/log.ts";

export interface PendingRegistrationsDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** REGISTRATION_MAX_TRIES. */
  readonly maxTries: number;
  readonly gateways: () => Promise<readonly GatewayRow[]>;
  /** Lists the upstream and saves what it offers, with the registration done; or saves the failure, and rejects with it. */
  readonly list: (gatewayId: string) => Promise<unknown>;
  /** @returns false if the gateway was changed meanwhile */
  readonly save: (row: GatewayRow, registration: PendingRegistration) => Promise<boolean>;
  readonly count: (result: "ready" | "failed" | "given_up") => void;
}

/** Pause between looks, ms. A change of the registry leads to a look at once. */
const LOOK_MS = 5_000;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 600_000;

/** Keeps no state but which tries are running: a new leader continues from the gateways' rows. */
export class PendingRegistrations {
  readonly #deps: PendingRegistrationsDeps;
  readonly #running = new Set<string>();
  #wake = () => {};

  constructor(deps: PendingRegistrationsDeps) {
    this.#deps = deps;
  }

  /** Runs until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      await this.#look(signal).catch((error) =>
        log.warning("registrations not looked at", { reason: reasonOf(error) })
      );
      const pause = new AbortController();
      const paused = sleep(clock, LOOK_MS, AbortSignal.any([signal, pause.signal])).catch(() => {});
      await Promise.race([paused, woken]);
      pause.abort();
    }
  }

  /** The registry has changed: there may be a new registration. */
  lookNow(): void {
    this.#wake();
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, gateways } = this.#deps;
    const rows = await gateways();
    if (signal.aborted) return;
    for (const row of rows) {
      const dueAt = row.enabled ? row.registration?.nextTryAt ?? null : null;
      if (dueAt === null || Date.parse(dueAt) > clock.now() || this.#running.has(row.id)) continue;
      this.#running.add(row.id);
      void this.#try(row).finally(() => {
        this.#running.delete(row.id);
        // The gateway may have been changed during the try.
        this.#wake();
      });
    }
  }

  async #try(row: GatewayRow): Promise<void> {
    const { log, list, count } = this.#deps;
    try {
      await list(row.id);
      count("ready");
      log.info("upstream registered", { upstream: row.name });
    } catch (error) {
      // Deleted meanwhile.
      if (isError(error, "NOT_FOUND")) return;
      await this.#failed(row, error).catch((failure) =>
        log.error("registration not saved", { upstream: row.name, reason: reasonOf(failure) })
      );
    }
  }

  async #failed(row: GatewayRow, error: unknown): Promise<void> {
    const { clock, log, maxTries, save, count } = this.#deps;
    const tries = row.registration!.tries + 1;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
    const nextTryAt = tries >= maxTries ? null : new Date(clock.now() + pauseMs).toISOString();
    if (!await save(row, { ...row.registration!, tries, nextTryAt })) return;
    const fields = { upstream: row.name, tries, reason: operatorText(error) };
    if (nextTryAt === null) {
      count("given_up");
      log.error("registration given up; refresh the upstream to try again", fields);
    } else {
      count("failed");
      log.warning("upstream not registered yet", { ...fields, nextTryAt });
    }
  }
}
