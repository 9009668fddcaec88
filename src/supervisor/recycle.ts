// Replaces a worker without losing a request (DESIGN, "Recycling without loss"): the successor is made and given the sessions
// before it listens, then the old one asks its clients to leave, takes no new ones, and ends.
import type { Clock } from "../base/clock.ts";
import { sleep } from "../base/clock.ts";
import type { ListeningSockets } from "./kernel/listening_sockets.ts";
import type { WorkerHandle } from "./worker_handle.ts";

export interface RecycleDeps {
  readonly clock: Clock;
  /** Makes the successor, and connects it to the other workers when `introduce` is called. */
  readonly makeSuccessor: () => WorkerHandle;
  /** Let every worker, the old one too, send the slot's requests to the successor. */
  readonly introduce: (successor: WorkerHandle) => void;
  readonly listen: (successor: WorkerHandle) => Promise<void>;
  readonly sockets: ListeningSockets | null;
  /** How long the clients have to leave, ms. */
  readonly leaveMs: number;
  /** Does the kernel give a closing listener's connections to its neighbours (net.ipv4.tcp_migrate_req)? */
  readonly migratesConnections: boolean;
}

/** What was connecting when the old listener closed itself to new ones arrives within this, and no client has tried twice by then. */
export const LAST_ARRIVALS_MS = 600;

/** @throws {SluiceError} why the successor cannot start; the old worker goes on then */
export async function recycle(old: WorkerHandle, deps: RecycleDeps): Promise<void> {
  const { clock, makeSuccessor, introduce, listen, leaveMs, sockets, migratesConnections } = deps;
  const successor = makeSuccessor();
  await successor.prepared;
  // From here on the old worker forwards what comes for its sessions, and the successor queues it until it has them.
  introduce(successor);
  // One that dies over it leaves the records of its sessions: the successor serves in any case.
  const sessions = await old.ask({ type: "hand_over" }).catch(() => []);
  await successor.ask({ type: "take_over", sessions }).catch(() => {});
  await listen(successor);
  // Whether or not it can: it is drained in any case, and two in one place would not do.
  await old.ask({ type: "retire" }).catch(() => {});
  await sleep(clock, leaveMs);
  // They keep the listener open to their end: nobody may be turned away from it so long.
  await old.ask({ type: "end_channels" });
  if (leaveMs > 0 && !migratesConnections && sockets !== null) {
    sockets.ignoreNewConnections(old.listeners);
    await sleep(clock, LAST_ARRIVALS_MS);
  }
  old.drain();
}
