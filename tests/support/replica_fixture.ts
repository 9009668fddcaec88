// Replicas on one cache in memory, each with its registration, its directory and its view of the sessions.
import { SluiceError } from "../../src/base/errors.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { MemoryCache } from "../../src/cache/memory_cache.ts";
import { sessionRecordKey } from "../../src/downstream/session/downstream_sessions.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { CallerHomes } from "../../src/cluster/caller_homes.ts";
import { ReplicaDirectory } from "../../src/cluster/replica_directory.ts";
import { ReplicaRegistration } from "../../src/cluster/registration.ts";
import { ReplicaNumber } from "../../src/cluster/replica_number.ts";
import { ReplicaSignatures } from "../../src/cluster/request_signature.ts";
import { SessionOwners } from "../../src/cluster/session_owners.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemorySink } from "./fakes.ts";

export const TTL_MS = 9_000;
export const SETTLE_MS = 12_000;
/** The time after which a caller's sessions end. */
export const IDLE_MS = 60_000;

/** A cache that can be away, as Redis can. */
function awayable(cache: Cache, state: { isAway: boolean }): Cache {
  const guarded = <A extends unknown[], R>(run: (...args: A) => Promise<R>) => (...args: A): Promise<R> =>
    state.isAway
      ? Promise.reject(new SluiceError("CACHE_UNAVAILABLE", {}, { cause: "it is away" }))
      : run(...args);
  return {
    get: guarded((key) => cache.get(key)),
    put: guarded((key, value, ttlMs) => cache.put(key, value, ttlMs)),
    compareAndSet: guarded((...args) => cache.compareAndSet(...args)),
    add: guarded((...args) => cache.add(...args)),
    delete: guarded((key) => cache.delete(key)),
    list: guarded((prefix) => cache.list(prefix)),
    sweep: guarded(() => cache.sweep()),
  };
}

export function replicaFixture() {
  const clock = new FakeClock();
  const cache = new MemoryCache(clock);
  const sink = new MemorySink();
  const signatures = new ReplicaSignatures("the secret of all replicas");
  const log = createLog({ level: "WARNING", format: "json", sink });
  const replica = (seed: string, address = `http://${seed}:4444`) => {
    const state = { isAway: false, lost: 0, takenOver: 0 };
    const records = awayable(cache, state);
    const number = new ReplicaNumber(seed);
    number.onLost(() => void state.lost++);
    const registration = new ReplicaRegistration({
      ...{ records, signatures, clock, log, replica: number, address, ttlMs: TTL_MS },
    });
    const sibling = { recordOf: (_number: number): string | null => null };
    const directory = new ReplicaDirectory({
      ...{ records, signatures, clock, log, settleMs: SETTLE_MS },
      readElsewhere: (number) => Promise.resolve(sibling.recordOf(number)),
    });
    const sessions = new SessionOwners({
      ...{ records, directory, clock, self: number },
      onTakenOver: () => void state.takenOver++,
    });
    const callers = new CallerHomes({ records, directory, clock, self: number, idleMs: IDLE_MS });
    return { state, number, registration, directory, sessions, callers, address, sibling };
  };
  /** A session that the replica of this number has opened. */
  const session = async (number: number, name = "s1") => {
    await cache.put(sessionRecordKey(name), "{}", 3_600_000);
    const expiresAt = clock.now() / 1000 + 3_600;
    return { replica: number, worker: 0, expiresAt, name, binding: "b" };
  };
  return { clock, cache, signatures, replica, session, logged: sink.lines };
}
