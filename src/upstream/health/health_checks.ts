// Room `health`: whether registered upstreams are reachable. The leader of the cluster runs the checks; callers start
// `HealthChecks` or `probeUpstream`.
// This file checks every upstream in rounds and stores the results in the gateways' rows.
import type { CancelSignal } from "../../base/cancellation.ts";
import { type Clock, sleep } from "../../base/clock.ts";
import { isError, reasonOf, type SluiceError } from "../../base/errors.ts";
import { operatorText } from "../../base/seen_answer.ts";
import type { GatewayHealth } from "../../store/registry/gateway_rows.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Log } from "../../telemetry/log.ts";
import { Deadline, inTime } from "../resilience/deadline.ts";
import { isBreakerFailure } from "../resilience/failures.ts";

/**
 * `refused`: the upstream answered 401 or 403. `not_checked`: the failure is ours, such as an unreadable secret or no free
 * outbound connection; it says nothing about the upstream.
 */
export type CheckResult = "healthy" | "refused" | "failed" | "not_checked";

export interface HealthCheckDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** From the start of a round to the start of the next; HEALTH_CHECK_INTERVAL. */
  readonly intervalMs: number;
  /** For the whole check of one upstream; GATEWAY_HEALTH_CHECK_TIMEOUT. */
  readonly timeoutMs: number;
  /** Consecutive failures until an upstream counts as unreachable; -1: never. UNHEALTHY_THRESHOLD. */
  readonly unhealthyThreshold: number;
  /** MAX_CONCURRENT_HEALTH_CHECKS. */
  readonly maxAtOnce: number;
  readonly gateways: () => Promise<readonly GatewayRow[]>;
  /** @throws {SluiceError} the reason why the upstream is unhealthy; the signal's reason */
  readonly probe: (row: GatewayRow, signal: CancelSignal) => Promise<void>;
  /** @returns false if the gateway was changed meanwhile */
  readonly save: (row: GatewayRow, health: GatewayHealth) => Promise<boolean>;
  /**
   * The upstream became unreachable (`gone`), answers again (`back`), or answers again and refuses our credentials
   * (`refusing`).
   */
  readonly onTurn: (row: GatewayRow, turn: "gone" | "back" | "refusing") => void;
  readonly count: (result: CheckResult) => void;
}

/** Keeps no state: a new leader continues from the gateways' rows. */
export class HealthChecks {
  readonly #deps: HealthCheckDeps;

  constructor(deps: HealthCheckDeps) {
    this.#deps = deps;
  }

  /** Runs rounds until the signal is aborted. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, intervalMs } = this.#deps;
    // A new leader continues the schedule: an upstream that was just checked is not checked again at once.
    let isDue = ({ lastCheckedAt }: GatewayRow) =>
      lastCheckedAt === null || Date.parse(lastCheckedAt) <= clock.now() - intervalMs;
    while (!signal.aborted) {
      const startedAt = clock.now();
      await this.#round(isDue, signal).catch((error) =>
        log.warning("health checks failed", { reason: reasonOf(error) })
      );
      isDue = () => true;
      const tookMs = Math.max(0, clock.now() - startedAt);
      await sleep(clock, Math.max(0, intervalMs - tookMs), signal).catch(() => {});
    }
  }

  async #round(isDue: (row: GatewayRow) => boolean, signal: AbortSignal): Promise<void> {
    const gateways = (await this.#deps.gateways()).filter((row) => row.enabled && isDue(row));
    // Upstreams that failed before come last, because their checks may hang and delay the others.
    const waiting = gateways.toSorted((a, b) => a.failedChecks - b.failedChecks).values();
    const lane = async () => {
      for (const row of waiting) {
        if (signal.aborted) return;
        await this.#check(row, signal).catch((error) =>
          this.#deps.log.warning("health of upstream not saved", {
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
        if (isLoginFailure(failure)) return await this.#withoutLogin(row, failure);
        return log.warning("upstream not checked", { upstream: row.name, reason: reasonOf(failure) });
      case "failed":
        return await this.#failed(row, failure as SluiceError);
      default:
        return await this.#seen(row, failure);
    }
  }

  /** @returns the failure; null: healthy */
  async #probe(row: GatewayRow, signal: AbortSignal): Promise<unknown> {
    const { clock, timeoutMs, probe } = this.#deps;
    const deadline = new Deadline(timeoutMs, "GATEWAY_HEALTH_CHECK_TIMEOUT", clock.now());
    const work = { upstream: row.name, phase: "pass its health check", signal, clock };
    return await inTime(deadline, work, (giveUp) => probe(row, giveUp)).then(() => null, (error) => error);
  }

  /**
   * Records a reachable upstream. Refused credentials are shown but do not make it unreachable: callers may bring their own.
   */
  async #seen(row: GatewayRow, refusal: unknown): Promise<void> {
    const { log, save, onTurn } = this.#deps;
    const time = this.#time();
    const lastError = refusal === null ? null : operatorText(refusal);
    const health = { reachable: true, lastSeen: time, lastCheckedAt: time, failedChecks: 0, lastError };
    if (!await save(row, health) || row.reachable) return;
    log.info("upstream is reachable again", { upstream: row.name });
    onTurn(row, refusal === null ? "back" : "refusing");
  }

  /**
   * Shows why there is no token to check the upstream with. Where each user has a login, calls use tokens of their own: the upstream stays
   * reachable.
   */
  async #withoutLogin(row: GatewayRow, failure: SluiceError): Promise<void> {
    const lastError = operatorText(failure);
    if (lastError === row.lastError) return;
    await this.#deps.save(row, { lastCheckedAt: this.#time(), lastError });
    this.#deps.log.warning("upstream not checked", { upstream: row.name, reason: lastError });
  }

  async #failed(row: GatewayRow, failure: SluiceError): Promise<void> {
    const { log, unhealthyThreshold, save, onTurn } = this.#deps;
    const failedChecks = row.failedChecks + 1;
    const isTooMany = unhealthyThreshold !== -1 && failedChecks >= unhealthyThreshold;
    const reachable = row.reachable && !isTooMany;
    const lastError = operatorText(failure);
    const health = { reachable, lastCheckedAt: this.#time(), failedChecks, lastError };
    if (!await save(row, health) || !row.reachable) return;
    const fields = { upstream: row.name, failures: failedChecks, reason: lastError };
    if (!isTooMany) return log.info("health check failed", fields);
    log.warning("upstream is unreachable", fields);
    onTurn(row, "gone");
  }

  #time(): string {
    return new Date(this.#deps.clock.now()).toISOString();
  }
}

function isLoginFailure(failure: unknown): failure is SluiceError {
  return isError(failure, "UPSTREAM_LOGIN_NEEDED") || isError(failure, "UPSTREAM_LOGIN_FAILED");
}

function resultOf(failure: unknown): CheckResult {
  if (failure === null) return "healthy";
  if (isError(failure, "UPSTREAM_AUTH_FAILED")) return "refused";
  // An upstream that we may not connect to fails for calls as well.
  return isBreakerFailure(failure) || isError(failure, "EGRESS_DENIED") ? "failed" : "not_checked";
}
