// The caps over all keys of a pool, and who has to make room under them.
import type { KeyGroup, PoolCounters, PoolLists, PoolSession } from "./pool_entry.ts";

/** May a session be opened under the total cap, if need be in place of an idle one? 0 = no cap. */
export function hasRoom<S extends PoolSession, L>(lists: PoolLists<S, L>, maxTotalSessions: number): boolean {
  return maxTotalSessions === 0 || lists.occupied < maxTotalSessions || lists.idle.length > 0;
}

/** Make room for one more session, at the cost of the pool's coldest idle ones; false if there are none. */
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

/** Make room for one more key, at the cost of the one left alone for the longest; false if all are in use. */
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
 * The key that this one must cede a slot of its own to, because the total cap keeps it out. Only where its caller waits
 * longer than this key's own first, and has waited for `patienceMs`: each change of key costs a handshake.
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
    // The others stand behind it, and get their turn.
    return theirs < ours && nowMs - theirs >= patienceMs ? other : undefined;
  }
  return undefined;
}

/** The key whose last use is the longest ago among those that nobody uses or waits for. */
function coldestKey<S extends PoolSession, L>(lists: PoolLists<S, L>): KeyGroup<S, L> | undefined {
  for (const entry of lists.idle) {
    const { group } = entry;
    // Its warmest session is the first such that we meet: no key before it was left alone for longer.
    if (
      group.idle.at(-1) === entry && group.entries.size === group.idle.length && group.callers.length === 0
    ) {
      return group;
    }
  }
  return undefined;
}
