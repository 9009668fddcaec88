// The health of upstreams that no check can ask: a process runs for calls only, so that their starts show whether it works.
import type { Clock } from "../../base/clock.ts";
import { reasonOf } from "../../base/errors.ts";
import { operatorText } from "../../base/seen_answer.ts";
import type { GatewayHealth } from "../../store/registry/gateway_rows.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import type { Log } from "../../telemetry/log.ts";

export interface ObservedHealthDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Consecutive failures until an upstream counts as unreachable; -1: never. UNHEALTHY_THRESHOLD. */
  readonly unhealthyThreshold: number;
  /** The upstream as the catalog has it. */
  readonly gateway: (id: string) => GatewayRow | undefined;
  /** @returns false if the gateway was changed meanwhile */
  readonly save: (row: GatewayRow, health: GatewayHealth) => Promise<boolean>;
  /** The upstream became unreachable, or is reachable again. */
  readonly onTurn: () => void;
}

export class ObservedHealth {
  readonly #deps: ObservedHealthDeps;
  /** Consecutive failures by upstream id. */
  readonly #failures = new Map<string, number>();

  constructor(deps: ObservedHealthDeps) {
    this.#deps = deps;
  }

  /** Notes that a process of the upstream works, or how it failed. Does not wait. */
  saw(upstreamId: string, failure: unknown): void {
    const row = this.#deps.gateway(upstreamId);
    const before = this.#failures.get(upstreamId) ?? 0;
    if (failure === null || row === undefined) {
      this.#failures.delete(upstreamId);
      if (row !== undefined && (before > 0 || !row.reachable)) this.#save(row, this.#healthy());
      return;
    }
    this.#failures.set(upstreamId, before + 1);
    this.#save(row, this.#failing(row, before + 1, failure));
  }

  #healthy(): GatewayHealth {
    const time = this.#time();
    return { reachable: true, lastSeen: time, lastCheckedAt: time, failedChecks: 0, lastError: null };
  }

  #failing({ reachable }: GatewayRow, failedChecks: number, failure: unknown): GatewayHealth {
    const { unhealthyThreshold } = this.#deps;
    const isTooMany = unhealthyThreshold !== -1 && failedChecks >= unhealthyThreshold;
    const lastError = operatorText(failure);
    return { reachable: reachable && !isTooMany, lastCheckedAt: this.#time(), failedChecks, lastError };
  }

  #save(row: GatewayRow, health: GatewayHealth): void {
    const { log, save, onTurn } = this.#deps;
    const fields = { upstream: row.name };
    save(row, health).then((isSaved) => {
      if (!isSaved || health.reachable === row.reachable) return;
      if (health.reachable) log.info("upstream is reachable again", fields);
      else log.warning("upstream is unreachable", { ...fields, reason: health.lastError });
      onTurn();
    }).catch((error) => log.warning("health of upstream not saved", { ...fields, reason: reasonOf(error) }));
  }

  #time(): string {
    return new Date(this.#deps.clock.now()).toISOString();
  }
}
