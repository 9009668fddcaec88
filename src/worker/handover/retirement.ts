// Decides when this worker should be replaced: after MAX_REQUESTS requests, or near the end of its heap. Before the heap is full, the
// callers for whom the most is kept lose it, so that other callers and the successor do not bear the cost.
import v8 from "node:v8";
import type { Config } from "../../config/schema.ts";
import type { SupervisorLink } from "../protocol/supervisor_link.ts";

const LOOK_EVERY_MS = 1_000;

/** The share of WORKER_MAX_HEAP_MB in use at which callers lose what is kept for them, until KEPT_SHARE remains. */
const SHED_SHARE = 0.65;

/** The share of WORKER_MAX_HEAP_MB that may be kept then. The successor inherits as much. */
const KEPT_SHARE = 0.2;

/** The share in use at which a successor is needed: the rest must last until the successor serves. */
const RECYCLE_SHARE = 0.8;

export interface RetirementDeps {
  readonly link: Pick<SupervisorLink, "wantsRecycling">;
  /** Ends what is kept for callers, the greediest first, until this many characters remain. */
  readonly shed: (maxChars: number) => void;
  readonly usedHeapBytes?: () => number;
}

const MIB = 1024 * 1024;

export class Retirement {
  /** Jittered, so that the workers do not all end at once. */
  readonly #maxRequests: number;
  readonly #deps: RetirementDeps;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #served = 0;
  #asked = false;

  constructor(
    { maxRequests, maxRequestsJitter, workerMaxHeapMb }: Pick<
      Config,
      "maxRequests" | "maxRequestsJitter" | "workerMaxHeapMb"
    >,
    deps: RetirementDeps,
  ) {
    this.#deps = deps;
    this.#maxRequests = maxRequests === 0
      ? Infinity
      : maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1));
    if (workerMaxHeapMb > 0) this.#timer = setInterval(() => this.look(workerMaxHeapMb), LOOK_EVERY_MS);
  }

  served(): void {
    if (++this.#served >= this.#maxRequests) this.#ask(`it served ${this.#served} requests (MAX_REQUESTS)`);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Compares the heap with its limit; called by a timer. */
  look(maxHeapMb: number): void {
    const { usedHeapBytes = () => v8.getHeapStatistics().used_heap_size, shed } = this.#deps;
    const usedMb = Math.round(usedHeapBytes() / MIB);
    if (usedMb >= maxHeapMb * SHED_SHARE) shed(maxHeapMb * KEPT_SHARE * MIB);
    if (usedMb >= maxHeapMb * RECYCLE_SHARE) {
      this.#ask(`its heap has grown to ${usedMb} MiB (WORKER_MAX_HEAP_MB)`);
    }
  }

  #ask(reason: string): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#deps.link.wantsRecycling(reason);
  }
}
