// Stand-ins for what the modules get injected: callers, and a log that keeps its lines.
import type { Principal } from "../../src/auth/principal.ts";
import type { ServedInfo } from "../../src/http/handler.ts";
import type { LineSink } from "../../src/telemetry/log.ts";

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
    ...given,
  };
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
