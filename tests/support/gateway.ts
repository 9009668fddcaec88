// What a test body asks of a gateway, be it one process or a cluster behind a load balancer.
import type { Sluice } from "./sluice.ts";

export type Gateway = Pick<Sluice, "url" | "token" | "api" | "rpc" | "registerUpstream"> & AsyncDisposable;

/** How a test body gets its gateway: disposing of what it was given ends what was started for it. */
export type StartGateway = () => Promise<Gateway>;
