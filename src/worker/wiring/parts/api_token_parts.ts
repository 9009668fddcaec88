// Makes the parts of API tokens in a worker: what finds their callers, and what limits and counts their use.
import { apiTokenCaller } from "../../../auth/api_tokens/api_token_caller.ts";
import { TokenCounters } from "../../../auth/api_tokens/token_counters.ts";
import { TokenGate } from "../../../auth/api_tokens/token_gate.ts";
import type { ApiTokenCaller } from "../../../auth/jwt.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Registry } from "../../../store/registry/registry.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { Metrics } from "../../../telemetry/metrics.ts";

export interface ApiTokenDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ApiTokenParts {
  readonly gate: TokenGate;
  readonly counters: TokenCounters;
  readonly callerOf: ApiTokenCaller;
}

export function apiTokenParts({ registry, clock, log, metrics }: ApiTokenDeps): ApiTokenParts {
  const countRead = metrics.counter("sluice_api_token_reads_total");
  const counters = new TokenCounters({
    ...{ clock, log },
    add: (uses, now) => registry.tokenUses.add(uses, now),
    countLost: metrics.counter("sluice_api_token_uses_lost_total"),
  });
  return {
    counters,
    gate: new TokenGate({
      ...{ counters, clock },
      countRefused: metrics.counter("sluice_api_token_refusals_total"),
    }),
    callerOf: apiTokenCaller({
      read: (id) => registry.apiTokens.read(id),
      now: () => clock.now(),
      count: (outcome) => countRead(outcome),
    }),
  };
}
