// When this worker should be replaced: after so many requests, or near the end of its heap.
import v8 from "node:v8";
import type { Config } from "../../config/schema.ts";
import type { SupervisorLink } from "../protocol/supervisor_link.ts";

const LOOK_EVERY_MS = 2_000;

/** Beyond this part of WORKER_MAX_HEAP_MB, what is left is needed for the time until the successor serves. */
const HEAP_SHARE = 0.8;

export class Retirement {
  /** How many requests this worker serves; jittered, so that the workers do not all end at once. */
  readonly #maxRequests: number;
  readonly #link: Pick<SupervisorLink, "wantsRecycling">;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #served = 0;
  #asked = false;

  constructor(
    { maxRequests, maxRequestsJitter, workerMaxHeapMb }: Pick<
      Config,
      "maxRequests" | "maxRequestsJitter" | "workerMaxHeapMb"
    >,
    link: Pick<SupervisorLink, "wantsRecycling">,
  ) {
    this.#link = link;
    this.#maxRequests = maxRequests === 0
      ? Infinity
      : maxRequests + Math.floor(Math.random() * (maxRequestsJitter + 1));
    if (workerMaxHeapMb > 0) this.#timer = setInterval(() => this.#look(workerMaxHeapMb), LOOK_EVERY_MS);
  }

  served(): void {
    if (++this.#served >= this.#maxRequests) this.#ask(`it served ${this.#served} requests (MAX_REQUESTS)`);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(maxHeapMb: number): void {
    const usedMb = Math.round(v8.getHeapStatistics().used_heap_size / 1024 / 1024);
    if (usedMb >= maxHeapMb * HEAP_SHARE) {
      this.#ask(`its heap has grown to ${usedMb} MiB (WORKER_MAX_HEAP_MB)`);
    }
  }

  #ask(reason: string): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#link.wantsRecycling(reason);
  }
}
