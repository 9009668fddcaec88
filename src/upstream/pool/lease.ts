// The lease that a caller holds while it uses a pooled session.
import type { PoolEntry, PoolSession } from "./pool_entry.ts";

/** A session for exclusive use until it is released. */
export interface Lease<S> extends Disposable {
  readonly session: S;
  /** The session was idle or served another call before, so the upstream may have dropped it. */
  readonly reused: boolean;
  /** Returns the session; `broken`: it must not be used again. Only the first call counts. */
  release(outcome?: "ok" | "broken"): void;
}

/** Returns its session once, however often it is released. */
export class PoolLease<S extends PoolSession> implements Lease<S> {
  readonly session: S;
  readonly reused: boolean;
  #entry: PoolEntry<S, Lease<S>> | undefined;
  readonly #giveBack: (entry: PoolEntry<S, Lease<S>>, broken: boolean) => void;

  constructor(
    entry: PoolEntry<S, Lease<S>>,
    reused: boolean,
    giveBack: (entry: PoolEntry<S, Lease<S>>, broken: boolean) => void,
  ) {
    this.session = entry.session!;
    this.reused = reused;
    this.#entry = entry;
    this.#giveBack = giveBack;
  }

  release(outcome: "ok" | "broken" = "ok"): void {
    const entry = this.#entry;
    if (entry === undefined) return;
    this.#entry = undefined;
    this.#giveBack(entry, outcome === "broken");
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
