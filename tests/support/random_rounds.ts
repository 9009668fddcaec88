// What contracts of changes have in common: stores write at random, and readers who read only what has changed read meanwhile.
import type { Prng } from "./prng.ts";

interface Rounds<Store, Reader> {
  readonly rounds: number;
  /** The most writes of a round, which are made at once. */
  readonly writes: number;
  readonly stores: readonly Store[];
  readonly readers: readonly Reader[];
  readonly write: (store: Store) => Promise<unknown>;
  /** Is the error the store's answer to a write that makes no sense? */
  readonly isRefusal: (error: unknown) => boolean;
  /** Compares what a reader has with all there is, after the writes of a round. */
  readonly check: (reader: Reader, round: number) => Promise<void>;
}

/** @throws what a write throws that is no refusal; what `check` throws */
export async function inRandomRounds<Store, Reader extends { read(): Promise<unknown> }>(
  prng: Prng,
  { rounds, writes, stores, readers, write, isRefusal, check }: Rounds<Store, Reader>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const writing = Promise.allSettled(
      Array.from({ length: 1 + prng.int(writes) }, () => write(prng.pick(stores))),
    );
    await Promise.all(readers.filter(() => prng.chance(0.3)).map((reader) => reader.read()));
    for (const written of await writing) {
      if (written.status === "rejected" && !isRefusal(written.reason)) throw written.reason;
    }
    for (const reader of readers.filter(() => prng.chance(0.6))) await check(reader, round);
  }
}
