// What a caller of the pool holds while it uses a session.
import type { PoolEntry, PoolSession } from "./pool_entry.ts";

/** A session that is its holder's alone until it is released. */
export interface Lease<S> extends Disposable {
  readonly session: S;
  /** It lay in the pool or served another call before: the upstream may have forgotten it meanwhile. */
  readonly reused: boolean;
  /** Give it back, `broken` if it must not serve again. Only the first call counts. */
  release(outcome?: "ok" | "broken"): void;
}

/** Gives its session back once, however often it is released. */
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
