// The sweep of the database: the leader deletes records that have ended or that the settings no longer keep.
import type { Clock } from "../../../base/clock.ts";
import type { Config } from "../../../config/schema.ts";
import type { AuditRecords } from "../../../store/audit/audit_records.ts";
import type { Log } from "../../../telemetry/log.ts";
import type { ExecutionParts } from "./execution_parts.ts";

interface Swept {
  sweep(): Promise<unknown>;
}

export interface StoreSweepDeps {
  readonly registry: Readonly<Record<"oauth" | "upstreamTokens" | "revokedTokens" | "apiTokens", Swept>> & {
    readonly people: { readonly sso: Swept };
    readonly tokenUses: { sweep(nowMs: number): Promise<unknown> };
  };
  readonly auditRecords: Pick<AuditRecords, "sweepAll">;
  /** null: DB_METRICS_RECORDING_ENABLED=false. */
  readonly executions: Pick<ExecutionParts, "sweep"> | null;
  readonly clock: Clock;
  readonly log: Log;
}

const DAY_MS = 86_400_000;

/** @returns sweeps table after table; never rejects */
export function storeSweep(config: Config, deps: StoreSweepDeps): () => Promise<void> {
  const { registry, auditRecords, executions, clock, log } = deps;
  const sweeps: Readonly<Record<string, () => Promise<unknown> | undefined>> = {
    "audit records": () =>
      auditRecords.sweepAll({
        beforeMs: clock.now() - config.auditRetentionDays * DAY_MS,
        keep: config.auditMaxRecords,
      }),
    "sign-ins": () => registry.people.sso.sweep(),
    "OAuth clients and logins": () => registry.oauth.sweep(),
    "tokens for upstreams": () => registry.upstreamTokens.sweep(),
    "revoked tokens": () => registry.revokedTokens.sweep(),
    "executions": () => executions?.sweep(),
    "API tokens": () => registry.apiTokens.sweep(),
    "uses of API tokens": () => registry.tokenUses.sweep(clock.now()),
  };
  return async () => {
    for (const [what, sweep] of Object.entries(sweeps)) {
      try {
        await sweep();
      } catch (error) {
        log.error(`${what} not swept`, { error });
      }
    }
  };
}
