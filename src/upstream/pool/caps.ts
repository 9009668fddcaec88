// The caps over all keys of a pool, and the choice of the session or key that makes room.
import type { KeyGroup, PoolCounters, PoolLists, PoolSession } from "./pool_entry.ts";

/** Whether the total cap allows another session, possibly in place of an idle one. 0 = no cap. */
export function hasRoom<S extends PoolSession, L>(lists: PoolLists<S, L>, maxTotalSessions: number): boolean {
  return maxTotalSessions === 0 || lists.occupied < maxTotalSessions || lists.idle.length > 0;
}

/** Makes room for one more session by closing the coldest idle ones. False: there is none. */
export function makeRoom<S extends PoolSession, L>(
  lists: PoolLists<S, L>,
  maxTotalSessions: number,
  counters: PoolCounters,
): boolean {
  while (maxTotalSessions > 0 && lists.occupied >= maxTotalSessions) {
    const coldest = lists.idle.first;
    if (coldest === undefined) return false;
    counters.evictions++;
    lists.discard(coldest);
    lists.dropIfEmpty(coldest.group);
  }
  return true;
}

/** Makes room for one more key by dropping the one unused for the longest time. False: all keys are in use. */
export function makeKeyRoom<S extends PoolSession, L>(
  lists: PoolLists<S, L>,
  maxTotalKeys: number,
  counters: PoolCounters,
): boolean {
  while (maxTotalKeys > 0 && lists.groups.size >= maxTotalKeys) {
    const coldest = coldestKey(lists);
    if (coldest === undefined) return false;
    counters.evictions += coldest.idle.length;
    counters.pool_keys_evicted++;
    for (const entry of coldest.entries) lists.discard(entry);
    lists.dropIfEmpty(coldest);
  }
  return true;
}

/**
 * Returns the key that must receive one of this key's slots under the total cap. Its caller must have waited longer than this
 * key's first caller, and at least `patienceMs`, because each change of key costs a handshake.
 */
export function heirOf<S extends PoolSession, L>(
  lists: PoolLists<S, L>,
  group: KeyGroup<S, L>,
  nowMs: number,
  patienceMs: number,
): KeyGroup<S, L> | undefined {
  for (const other of lists.starved) {
    if (other === group) continue;
    const theirs = other.callers.at(other.preparing)?.sinceMs ?? Infinity;
    const ours = group.callers.at(0)?.sinceMs ?? -Infinity;
    // Later keys in the queue get their turn.
    return theirs < ours && nowMs - theirs >= patienceMs ? other : undefined;
  }
  return undefined;
}

/** Returns the key with the oldest last use among those without leases and callers. */
function coldestKey<S extends PoolSession, L>(lists: PoolLists<S, L>): KeyGroup<S, L> | undefined {
  for (const entry of lists.idle) {
    const { group } = entry;
    // Keys are found in the order of their warmest session, so the first match was unused for the longest time.
    if (
      group.idle.at(-1) === entry && group.entries.size === group.idle.length && group.callers.length === 0
    ) {
      return group;
    }
  }
  return undefined;
}
