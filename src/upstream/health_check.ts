// Is each registered upstream there? Asked in rounds, by one worker of the cluster; the answers are kept with the gateways.
import { Cancellation, type CancelSignal } from "../base/cancellation.ts";
import { type Clock, sleep } from "../base/clock.ts";
import { isError, reasonOf, SluiceError } from "../base/errors.ts";
import type { GatewayHealth } from "../store/gateways.ts";
import type { GatewayRow } from "../store/store.ts";
import type { Log } from "../telemetry/log.ts";
import { isBreakerFailure } from "./upstream.ts";

/**
 * `refused`: it is there and answered 401 or 403. `not_checked`: the failure is ours (a secret that cannot be opened, no
 * outbound connection free) and says nothing about it.
 */
export type CheckResult = "healthy" | "refused" | "failed" | "not_checked";

export interface HealthCheckDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** From the begin of a round to the begin of the next; HEALTH_CHECK_INTERVAL. */
  readonly intervalMs: number;
  /** For the whole check of one upstream; GATEWAY_HEALTH_CHECK_TIMEOUT. */
  readonly timeoutMs: number;
  /** Failures in a row that make it unreachable; -1: never. UNHEALTHY_THRESHOLD. */
  readonly unhealthyThreshold: number;
  /** MAX_CONCURRENT_HEALTH_CHECKS. */
  readonly maxAtOnce: number;
  readonly gateways: () => Promise<readonly GatewayRow[]>;
  /** @throws {SluiceError} why the upstream is no good; the signal's reason when that is aborted */
  readonly probe: (row: GatewayRow, signal: CancelSignal) => Promise<void>;
  /** @returns false where the gateway was changed meanwhile */
  readonly save: (row: GatewayRow, health: GatewayHealth) => Promise<boolean>;
  /** It became unreachable (`gone`), or is there again and would answer us (`back`), or not (`refusing`). */
  readonly onTurn: (row: GatewayRow, turn: "gone" | "back" | "refusing") => void;
  readonly count: (result: CheckResult) => void;
}

/**
 * Failures are counted here, not in the database: a worker that takes over begins at nought, so that an upstream is never
 * called unreachable for failures that its judge has not seen in a row.
 */
export class HealthChecks {
  readonly #deps: HealthCheckDeps;
  /** By gateway id; only of those that count as reachable. */
  #failures = new Map<string, number>();

  constructor(deps: HealthCheckDeps) {
    this.#deps = deps;
  }

  /** Round after round, until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, intervalMs } = this.#deps;
    this.#failures.clear();
    while (!signal.aborted) {
      const startedAt = clock.now();
      await this.#round(signal).catch((error) =>
        log.warning("no health checks", { reason: reasonOf(error) })
      );
      const tookMs = Math.max(0, clock.now() - startedAt);
      await sleep(clock, Math.max(0, intervalMs - tookMs), signal).catch(() => {});
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const gateways = (await this.#deps.gateways()).filter(({ enabled }) => enabled);
    const failuresOf = ({ id, reachable }: GatewayRow) => reachable ? this.#failures.get(id) ?? 0 : Infinity;
    const known = gateways.filter(({ id }) => this.#failures.has(id));
    this.#failures = new Map(known.map(({ id }) => [id, this.#failures.get(id)!]));
    // Those that may hang come last: whoever is well does not wait for them.
    const waiting = gateways.toSorted((a, b) => compare(failuresOf(a), failuresOf(b))).values();
    const lane = async () => {
      for (const row of waiting) {
        if (signal.aborted) return;
        await this.#check(row, signal).catch((error) =>
          this.#deps.log.warning("health of upstream not noted", {
            upstream: row.name,
            reason: reasonOf(error),
          })
        );
      }
    };
    await Promise.all(Array.from({ length: Math.min(this.#deps.maxAtOnce, gateways.length) }, lane));
  }

  async #check(row: GatewayRow, signal: AbortSignal): Promise<void> {
    const { log, count } = this.#deps;
    const failure = await this.#probe(row, signal);
    if (signal.aborted) return;
    const result = resultOf(failure);
    count(result);
    switch (result) {
      case "not_checked":
        return log.warning("upstream not checked", { upstream: row.name, reason: reasonOf(failure) });
      case "failed":
        return await this.#failed(row, failure as SluiceError);
      default:
        return await this.#seen(row, failure);
    }
  }

  /** @returns why it failed; null: it did not */
  async #probe(row: GatewayRow, signal: AbortSignal): Promise<unknown> {
    const { clock, timeoutMs, probe } = this.#deps;
    const ending = new Cancellation();
    const end = () => ending.cancel(signal.reason);
    signal.addEventListener("abort", end);
    const timer = clock.setTimeout(() =>
      ending.cancel(
        new SluiceError("UPSTREAM_TIMEOUT", {
          upstream: row.name,
          phase: "pass its health check",
          timeoutMs,
          setting: "GATEWAY_HEALTH_CHECK_TIMEOUT",
        }),
      ), timeoutMs);
    try {
      await probe(row, ending);
      return null;
    } catch (error) {
      return error;
    } finally {
      clock.clearTimeout(timer);
      signal.removeEventListener("abort", end);
    }
  }

  /** It is there. Refused credentials are shown, and are no reason to call it unreachable: callers may bring their own. */
  async #seen(row: GatewayRow, refusal: unknown): Promise<void> {
    const { clock, log, save, onTurn } = this.#deps;
    this.#failures.delete(row.id);
    const lastSeen = new Date(clock.now()).toISOString();
    const lastError = refusal === null ? null : reasonOf(refusal);
    const isNoted = await save(row, { reachable: true, lastSeen, lastError });
    if (!isNoted || row.reachable) return;
    log.info("upstream is reachable again", { upstream: row.name });
    onTurn(row, refusal === null ? "back" : "refusing");
  }

  async #failed(row: GatewayRow, { message }: SluiceError): Promise<void> {
    const { log, unhealthyThreshold, save, onTurn } = this.#deps;
    if (!row.reachable) return;
    const failures = (this.#failures.get(row.id) ?? 0) + 1;
    this.#failures.set(row.id, failures);
    log.info("health check failed", { upstream: row.name, failures, reason: message });
    if (unhealthyThreshold === -1 || failures < unhealthyThreshold) return;
    if (!await save(row, { reachable: false, lastSeen: null, lastError: message })) return;
    this.#failures.delete(row.id);
    log.warning("upstream is unreachable", { upstream: row.name, failures, reason: message });
    onTurn(row, "gone");
  }
}

function resultOf(failure: unknown): CheckResult {
  if (failure === null) return "healthy";
  if (isError(failure, "UPSTREAM_AUTH_FAILED")) return "refused";
  // Where we may not connect, no call gets through either.
  return isBreakerFailure(failure) || isError(failure, "EGRESS_DENIED") ? "failed" : "not_checked";
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
