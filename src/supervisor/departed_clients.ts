// Notices clients that disconnect while their request is under way. Deno 2.9 misses this if a request's body arrived after its head
// (2.7 does not): its server reads nothing more before the answer, and only a read or a write shows the end of a connection.
import { type Clock, repeat, systemClock } from "../base/clock.ts";
import { peerName } from "../worker/listen/requests_under_way.ts";
import { openLibc, SocketScan } from "./kernel/libc.ts";
import type { Supervisor } from "./supervisor.ts";

export interface DepartedClientsOptions {
  /** The clients that have closed their end of a connection which a worker still holds open. */
  readonly departed: () => readonly string[];
  readonly tell: (peers: readonly string[]) => Promise<unknown>;
  readonly clock: Clock;
}

/** One check of 13,000 descriptors takes 2 to 8 ms. */
const LOOK_EVERY_MS = 1_000;

/**
 * A half-close counts as a disconnect, as in nginx and in Deno itself: nobody can tell whether the client would still read an
 * answer. A client is reported at the second check that finds it, so that a connection which its worker is about to close is left
 * alone.
 */
export class DepartedClients {
  readonly #options: DepartedClientsOptions;
  #before: ReadonlySet<string> = new Set();
  /** Stops the checks. */
  readonly stop: () => void;

  constructor(options: DepartedClientsOptions) {
    this.#options = options;
    this.stop = repeat(options.clock, LOOK_EVERY_MS, () => this.look());
  }

  async look(): Promise<void> {
    const departed = this.#options.departed();
    const still = departed.filter((peer) => this.#before.has(peer));
    this.#before = new Set(departed);
    if (still.length > 0) await this.#options.tell(still);
  }
}

/** @returns null if this system cannot list the workers' connections */
export function noticeDepartedClients(
  port: number,
  supervisor: Pick<Supervisor, "askAll">,
): DepartedClients | null {
  const libc = openLibc();
  if (libc === null) return null;
  const scan = new SocketScan(port, libc);
  return new DepartedClients({
    departed: () => scan.hungUp().map((fd) => scan.peerOf(fd)).filter((peer) => peer !== null).map(peerName),
    tell: (peers) => supervisor.askAll({ type: "clients_gone", peers }),
    clock: systemClock,
  });
}
