// Stand-ins for what the modules get injected: time, session records, callers, and a log that keeps its lines.
import type { Principal } from "../../src/auth/principal.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { SessionRecords } from "../../src/store/session_records.ts";
import type { SessionRecord } from "../../src/store/store.ts";
import type { LineSink } from "../../src/telemetry/log.ts";

/** Time that stands still until it is told to pass. */
export class FakeClock implements Clock {
  #nowMs: number;
  #nextId = 1;
  readonly #timers = new Map<number, { readonly at: number; readonly run: () => void }>();

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  setTimeout(run: () => void, ms: number): number {
    this.#timers.set(this.#nextId, { at: this.#nowMs + ms, run });
    return this.#nextId++;
  }

  clearTimeout(id: number): void {
    this.#timers.delete(id);
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const [id, { at, run }] of [...this.#timers].sort(([, a], [, b]) => a.at - b.at)) {
      if (at <= this.#nowMs && this.#timers.delete(id)) run();
    }
  }
}

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
