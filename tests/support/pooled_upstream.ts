// An Upstream before a fake server and a pool that is switched on, on a clock that stands still.
import { type ErrorCode, SluiceError } from "../../src/base/errors.ts";
import type { UpstreamChannel } from "../../src/upstream/session/upstream_channel.ts";
import { CircuitBreakers } from "../../src/upstream/resilience/circuit_breaker.ts";
import { isBreakerFailure } from "../../src/upstream/resilience/failures.ts";
import { Passthrough } from "../../src/upstream/client/passthrough.ts";
import type { PoolLimits } from "../../src/upstream/pool/pool_options.ts";
import { SessionPool } from "../../src/upstream/pool/session_pool.ts";
import { Upstream, type UpstreamCall, type UpstreamDeps } from "../../src/upstream/upstream.ts";
import { FakeClock } from "./fake_clock.ts";
import { FakeUpstream } from "./fake_upstream.ts";
import { DEFAULT_LIMITS } from "./pool_fixture.ts";
import { type GivenProfile, NO_PASSTHROUGH, upstreamDeps, upstreamProfile } from "./upstream_deps.ts";

export const ANN = { issuer: "i", subject: "ann", reach: "", user: "u@x.example" };
/** Failures that open its circuit, and how long until the next probe. */
export const THRESHOLD = 3;
export const RESET_MS = 1_000;

/** A call of Ann's without a downstream session; `headers` are what it came with. */
export function call(
  more: Partial<UpstreamCall> & { readonly headers?: Record<string, string> } = {},
): UpstreamCall {
  return {
    bound: null,
    token: ANN,
    received: new Headers(more.headers),
    revision: "2025-11-25",
    timeoutMs: 1_000,
    timeoutSetting: "TOOL_TIMEOUT",
    ...more,
  };
}

export interface Given {
  readonly script?: ConstructorParameters<typeof FakeUpstream>[0];
  readonly profile?: GivenProfile;
  readonly deps?: Partial<UpstreamDeps>;
  readonly limits?: Partial<PoolLimits>;
}

/** An upstream before a pool that is switched on, on a clock that stands still. */
export function setUp({ script, profile, deps, limits }: Given = {}) {
  const fake = new FakeUpstream(script);
  const clock = new FakeClock();
  const breakers = new CircuitBreakers(() => ({ threshold: THRESHOLD, resetMs: RESET_MS }), clock);
  const pool = new SessionPool<UpstreamChannel>({
    ...DEFAULT_LIMITS,
    ...limits,
    clock,
    breakers,
    isBreakerFailure,
  });
  const shared = upstreamDeps({ pool, breakers, poolEnabled: true, ...deps });
  const upstream = new Upstream(upstreamProfile(profile), fake.transport(), shared);
  const count = (method: string) => fake.methods.filter((sent) => sent === method).length;
  const sessionsOf = (method: string) =>
    fake.received.filter((sent) => sent.method === method).map((sent) => sent.sessionId);
  const ask = (more?: Parameters<typeof call>[0]) => upstream.request("tools/call", "{}", call(more));
  const state = () => [...breakers.entries()][0]?.[1].state;
  return { fake, clock, pool, breakers, shared, upstream, count, sessionsOf, ask, state };
}

/** What a script says in place of an answer. */
export function failing(code: ErrorCode, params: Record<string, string | number> = {}): never {
  throw new SluiceError(code, { upstream: "fake", ...params });
}

/** A profile that passes these headers on. */
export const passing = (...names: string[]) => ({
  passthrough: new Passthrough({ ...NO_PASSTHROUGH, enabled: true, defaultNames: names }, null, []),
});
