// Notices clients that have left while their request is under way. Deno 2.9 does not, where a request's body came apart from its
// head (2.7 does): its server reads nothing more before the answer, and only a read, or a write, tells of the end.
import { type Clock, repeat, systemClock } from "../base/clock.ts";
import { peerName } from "../worker/listen/requests_under_way.ts";
import { openLibc, SocketScan } from "./kernel/libc.ts";
import type { Supervisor } from "./supervisor.ts";

export interface DepartedClientsOptions {
  /** The clients that have closed their end of a connection whose other end a worker still holds. */
  readonly departed: () => readonly string[];
  readonly tell: (peers: readonly string[]) => Promise<unknown>;
  readonly clock: Clock;
}

/** A look at 13,000 descriptors takes 2 to 8 ms. */
const LOOK_EVERY_MS = 1_000;

/**
 * A client that has closed its half has left, as for nginx and for Deno itself where it sees it: whether it would still read an
 * answer cannot be told. It gets the time from one look to the next, so that what its worker is about to close by itself is
 * left alone.
 */
export class DepartedClients {
  readonly #options: DepartedClientsOptions;
  #before: ReadonlySet<string> = new Set();
  /** Ends the looks. */
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

/** @returns null where this system has no way to see the workers' connections */
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
