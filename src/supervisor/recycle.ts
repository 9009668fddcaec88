// Replaces a worker without losing a request. The successor starts and takes over the sessions before it listens. Then the old worker
// asks its clients to reconnect, accepts no new connections, and ends. To end it at once would reset idle connections on which a
// client is about to send, and connections that wait to be accepted.
import type { Clock } from "../base/clock.ts";
import { sleep } from "../base/clock.ts";
import { SluiceError } from "../base/errors.ts";
import type { ListeningSockets } from "./kernel/listening_sockets.ts";
import type { WorkerHandle } from "./worker_handle.ts";

export interface RecycleDeps {
  readonly clock: Clock;
  /** Makes the successor. `introduce` connects it to the other workers. */
  readonly makeSuccessor: () => WorkerHandle;
  /** Makes every worker, also the old one, forward the slot's requests to the successor. */
  readonly introduce: (successor: WorkerHandle) => void;
  readonly listen: (successor: WorkerHandle) => Promise<void>;
  readonly sockets: ListeningSockets | null;
  /** How long the clients have to reconnect, ms. */
  readonly leaveMs: number;
  /** Does the kernel pass a closing listener's queue to the other listeners of the port (net.ipv4.tcp_migrate_req)? */
  readonly migratesConnections: boolean;
}

/** Connections that were being opened when the old listener stopped arrive within this; no client has tried twice by then. */
export const LAST_ARRIVALS_MS = 600;

/** @throws {SluiceError} why the successor cannot start; the old worker serves on. WORKER_GONE: the old worker died before the successor could */
export async function recycle(old: WorkerHandle, deps: RecycleDeps): Promise<void> {
  const { clock, makeSuccessor, introduce, listen, leaveMs, sockets, migratesConnections } = deps;
  const successor = makeSuccessor();
  await successor.prepared;
  if (old.state === "dead") {
    // The death of a worker that holds its slot is dealt with as any other: the slot gets a new worker, and needs no second one.
    successor.terminate();
    throw new SluiceError("WORKER_GONE");
  }
  // From here on the old worker forwards requests for its sessions, and the successor queues them until it has the sessions.
  introduce(successor);
  // An old worker that dies during the hand-over leaves the stored records of its sessions, so the successor can serve them.
  const handover = await old.ask({ type: "hand_over" }).catch(() => ({ sessions: [], callers: [] }));
  await successor.ask({ type: "take_over", handover }).catch(() => {});
  await listen(successor);
  // A failure changes nothing: the old worker is drained in any case, because a slot has one worker.
  await old.ask({ type: "retire" }).catch(() => {});
  await sleep(clock, leaveMs);
  // These channels keep the listener open until they end, so that the listener must accept connections as long.
  await old.ask({ type: "end_channels" }).catch(() => {});
  if (leaveMs > 0 && !migratesConnections && sockets !== null) {
    sockets.ignoreNewConnections(old.listeners);
    await sleep(clock, LAST_ARRIVALS_MS);
  }
  old.drain();
}
