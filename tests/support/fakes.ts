// Stand-ins for what the modules get injected: callers, and a log that keeps its lines.
import type { Clock } from "../../src/base/clock.ts";
import type { Caller } from "../../src/base/sharing/caller.ts";
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import type { Principal } from "../../src/auth/principal.ts";
import type { ServedInfo } from "../../src/http/handler.ts";
import { RateLimiter } from "../../src/http/limits/rate_limit.ts";
import type { LineSink } from "../../src/telemetry/log.ts";
import { FakeClock } from "./fake_clock.ts";

/** What the server tells beside a request that is answered at once. */
export const SERVED: ServedInfo = {
  completed: Promise.resolve(),
  remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 40_000 },
};

/** A user without teams, who sees what is public. */
export function principal(given: Partial<Principal> = {}): Principal {
  return {
    kind: "user",
    subject: "ann@example.com",
    issuer: "mcpgateway",
    email: "ann@example.com",
    isAdmin: false,
    teams: [],
    serverId: null,
    permissions: null,
    expiresAt: null,
    jti: null,
    issuedAt: null,
    isLogin: false,
    apiToken: null,
    limits: null,
    grants: null,
    ...given,
  };
}

/** A caller without anything under way. */
export function callerAtRest(memory: ClientMemory = new ClientMemory(Infinity)): Caller {
  const owner = memory.ownerFor({ issuer: null, subject: "ann@example.com" });
  return { ...owner, calls: 0, streams: 0, pending: 0, connections: 0, upstreamStreams: 0 };
}

/** One limit for everybody, on a clock that stands still unless another is given. */
export function limiterOf(rpm: number, clock: Clock = new FakeClock()): RateLimiter {
  const limit = { rpm, burst: 0 };
  return new RateLimiter({
    limits: { high: limit, medium: limit, low: limit },
    clock,
    countLimited: () => {},
  });
}

export class MemorySink implements LineSink {
  readonly lines: string[] = [];

  write(line: string): void {
    this.lines.push(line);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }
}

/** Let everything run that waits for promises only. */
export async function settle(rounds = 20): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise<void>((resolve) => queueMicrotask(resolve));
}

/** Let everything run that waits for promises only, then the timers that are due, and what waits for promises then. */
export async function turned(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setTimeout(resolve, 0));
}
