// What a test body asks of a gateway, be it one process or a cluster behind a load balancer.
import type { Sluice } from "./sluice.ts";

export type Settings = Readonly<Record<string, string>>;

export interface Gateway
  extends
    Pick<Sluice, "url" | "port" | "token" | "api" | "rpc" | "registerUpstream" | "log">,
    AsyncDisposable {
  /** The one, or every replica: who asks for numbers of the whole adds theirs. */
  readonly processes: readonly Sluice[];
  /** Of all processes. Each has its own pools and breakers. */
  readonly workers: number;
}

/**
 * How a test body gets its gateway: disposing of what it was given ends what was started for it. A cluster takes the settings for each
 * of its replicas, but for WORKERS: it has two each.
 */
export type StartGateway = (env?: Settings) => Promise<Gateway>;
