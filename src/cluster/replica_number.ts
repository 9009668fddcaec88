// The number of this process among the replicas. Session ids name it, so that every replica knows who owns a session.
import { createHash } from "node:crypto";
import { Emitter } from "../base/emitter.ts";

/**
 * A number that others have declared gone is never used again: the process goes on under its next one. The numbers follow from the
 * seed, so all workers of a process have the same ones in the same order.
 */
export class ReplicaNumber {
  readonly seed: string;
  readonly #losses = new Emitter<[]>();
  #generation = 0;
  #now: number;

  constructor(seed: string) {
    this.seed = seed;
    this.#now = numberOf(seed, 0);
  }

  get now(): number {
    return this.#now;
  }

  /** Adds a listener for the loss of the number: other replicas may own the sessions that name it from then on. */
  onLost(listener: () => void): void {
    this.#losses.add(listener);
  }

  /** Give the number up and go on under the next one. */
  advance(): void {
    this.#now = numberOf(this.seed, ++this.#generation);
    this.#losses.emit();
  }
}

/** 32 bits: two processes share a number by a chance of one in four thousand million. */
function numberOf(seed: string, generation: number): number {
  return createHash("sha256").update(`${seed}:${generation}`).digest().readUInt32BE(0);
}
