// Stand-ins for what the modules get injected: session records, callers, and a log that keeps its lines.
import type { Principal } from "../../src/auth/principal.ts";
import type { SessionRecords } from "../../src/store/session_records.ts";
import type { SessionRecord } from "../../src/store/store.ts";
import type { LineSink } from "../../src/telemetry/log.ts";

/** The session records of a database, in a map. */
export class MemoryRecords implements SessionRecords {
  readonly rows = new Map<string, SessionRecord>();

  put(record: SessionRecord): Promise<void> {
    this.rows.set(record.id, record);
    return Promise.resolve();
  }

  get(id: string): Promise<SessionRecord | null> {
    return Promise.resolve(this.rows.get(id) ?? null);
  }

  delete(id: string): Promise<boolean> {
    return Promise.resolve(this.rows.delete(id));
  }

  deleteExpired(nowMs: number): Promise<number> {
    const expired = [...this.rows.values()].filter(({ expiresAt }) => expiresAt <= nowMs);
    for (const { id } of expired) this.rows.delete(id);
    return Promise.resolve(expired.length);
  }
}

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
