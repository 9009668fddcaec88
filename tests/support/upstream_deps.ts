// What upstreams share, for tests: a pool with the guide's defaults, switched off unless a test says otherwise.
import { systemClock } from "../../src/base/clock.ts";
import { ALL_HERE } from "../../src/upstream/bound/forwarded_call.ts";
import { CallerSessions } from "../../src/upstream/bound/caller_sessions.ts";
import { CircuitBreakers } from "../../src/upstream/resilience/circuit_breaker.ts";
import { Passthrough, type PassthroughRules } from "../../src/upstream/client/passthrough.ts";
import { SessionPool } from "../../src/upstream/pool/session_pool.ts";
import { IdentityHasher } from "../../src/upstream/pool/session_key.ts";
import type { UpstreamChannel } from "../../src/upstream/session/upstream_channel.ts";
import { isBreakerFailure } from "../../src/upstream/resilience/failures.ts";
import { STATELESS_REVISION } from "../../src/mcp/revisions.ts";
import type { UpstreamDeps, UpstreamProfile } from "../../src/upstream/upstream.ts";
import { DEFAULT_LIMITS } from "./pool_fixture.ts";

export const NO_PASSTHROUGH: PassthroughRules = {
  enabled: false,
  defaultNames: [],
  sensitive: false,
  overwrite: false,
};

export function upstreamDeps(given: Partial<UpstreamDeps> = {}): UpstreamDeps {
  const limits = {
    threshold: DEFAULT_LIMITS.circuitBreakerThreshold,
    resetMs: DEFAULT_LIMITS.circuitBreakerResetMs,
  };
  const breakers = given.breakers ?? new CircuitBreakers(() => limits, systemClock);
  return {
    clientInfo: { name: "sluice", version: "1" },
    createTimeoutMs: 1_000,
    stdioStartTimeoutMs: 1_000,
    pool: new SessionPool<UpstreamChannel>({
      ...DEFAULT_LIMITS,
      clock: systemClock,
      breakers,
      isBreakerFailure,
      unrefTimer: Deno.unrefTimer,
    }),
    poolEnabled: false,
    owners: ALL_HERE,
    callers: new CallerSessions({
      clock: systemClock,
      idleMs: 3_600_000,
      perCaller: 1_000,
      perWorker: 20_000,
      unrefTimer: Deno.unrefTimer,
    }),
    breakers,
    identities: new IdentityHasher({
      key: new Uint8Array(32).fill(1),
      identityHeaders: ["X-Tenant-ID", "X-User-ID", "X-API-Key", "Cookie"],
      loginCookie: null,
    }),
    onListChanged: () => {},
    onSessionLost: () => {},
    onRevisionRefused: () => {},
    onProcess: () => {},
    ...given,
  };
}

/** What a test says of an upstream. */
export type GivenProfile = Partial<UpstreamProfile> & {
  /** The revision of an upstream that keeps no sessions; null: it keeps some. */
  readonly statelessRevision?: string | null;
};

export function upstreamProfile({ statelessRevision = null, ...given }: GivenProfile = {}): UpstreamProfile {
  const stateless = statelessRevision === STATELESS_REVISION;
  return {
    id: "u",
    isolation: "session",
    revisions: { sessions: !stateless, stateless },
    wantedRevision: null,
    plainRevision: stateless ? null : statelessRevision,
    passthrough: new Passthrough(NO_PASSTHROUGH, null, []),
    capabilities: {},
    ...given,
  };
}
