// Runs a load: sends requests at the times of a schedule, or after the pauses of users, and measures the answers.
import type { Clock } from "../../base/clock.ts";
import { type Linked, LinkedList } from "../../base/linked_list.ts";
import { type Measurement, OPENING, type Point } from "./measurement.ts";
import type { Pace } from "./load_plan.ts";
import { arrivedBy, type Schedule, scheduleOf } from "./schedule.ts";
import type { User } from "./load_user.ts";
import type { RequestForm } from "./wire.ts";

/** A request of the load, and how often it is chosen. */
export interface WeightedForm {
  readonly form: RequestForm;
  readonly weight: number;
}

/** The part of a user that the load needs. */
export interface LoadUser extends Linked<LoadUser>, Pick<User, "request" | "sent" | "openSession"> {}

export interface LoadOptions {
  readonly users: readonly LoadUser[];
  readonly forms: readonly WeightedForm[];
  readonly pace: Pace;
  readonly durationMs: number;
  readonly intervalMs: number;
  /** Requests in a session; 0: no limit. */
  readonly churn: number;
  /** A lost session is opened again. */
  readonly reopens: boolean;
  readonly measurement: Measurement;
  /** Its time never goes back: `performance.now()`. */
  readonly clock: Clock;
  /** Ends the load early. Requests without an answer are not counted. */
  readonly signal: AbortSignal;
  readonly onInterval?: (point: Point, inFlight: number) => void;
  readonly random?: () => number;
}

/**
 * The resolution of timers, ms: a timer fires up to so much late. A request that a free user sends within it counts as sent in time, so
 * that the timer is not measured as latency. Every later moment counts from the schedule.
 */
const TIMER_MS = 2;
/** Limit of arrivals that are counted as not sent at the end. */
const MAX_UNSENT = 10_000_000;

/** A load that is over. */
export interface LoadEnd {
  readonly elapsedMs: number;
  /** The latest that a request was sent although a user was free, ms. */
  readonly lagMs: number;
}

export function runLoad(options: LoadOptions): Promise<LoadEnd> {
  return new Load(options).run();
}

/** All times of this class are ms since its start. */
class Load {
  readonly #options: LoadOptions;
  readonly #start: number;
  readonly #schedule: Schedule | null;
  readonly #weights: number;
  readonly #ended = Promise.withResolvers<void>();
  /** Users without a request. The one that has waited longest comes first. */
  readonly #idle = new LinkedList<LoadUser>();
  readonly #timers = new Set<number>();
  #wakeTimer: number | undefined;
  /** The next arrival. */
  #due = Infinity;
  #intervalStart = 0;
  #inFlight = 0;
  #lagMs = 0;
  /** Infinity: it goes on. */
  #endedAt = Infinity;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#start = options.clock.now();
    const { pace, durationMs, random } = options;
    this.#schedule = pace.kind === "rate" ? scheduleOf(pace.rate, durationMs, random) : null;
    this.#weights = options.forms.reduce((sum, { weight }) => sum + weight, 0);
  }

  async run(): Promise<LoadEnd> {
    const { durationMs, intervalMs, signal, users } = this.#options;
    const onAbort = () => this.#stop(true);
    signal.addEventListener("abort", onAbort);
    this.#after(durationMs, () => this.#stop(false));
    this.#everyInterval(intervalMs);
    if (signal.aborted) onAbort();
    else if (this.#schedule === null) { for (const user of users) this.#think(user); }
    else {
      for (const user of users) this.#idle.push(user);
      this.#awaitNext();
      this.#release();
    }
    await this.#ended.promise;
    signal.removeEventListener("abort", onAbort);
    this.#countUnsent();
    this.#options.measurement.mergeInterval();
    return { elapsedMs: this.#endedAt, lagMs: this.#lagMs };
  }

  get #isOver(): boolean {
    return this.#endedAt !== Infinity;
  }

  get #now(): number {
    return this.#options.clock.now() - this.#start;
  }

  /** Sends what is due, as far as users are free, and waits for the next arrival. */
  #release(): void {
    if (this.#isOver) return;
    const now = this.#now;
    while (this.#due <= now) {
      const user = this.#idle.first;
      // The next user that gets its answer goes on.
      if (user === undefined) return;
      this.#idle.remove(user);
      this.#lagMs = Math.max(this.#lagMs, now - this.#due);
      this.#send(user, Math.min(now, this.#due + TIMER_MS));
      this.#awaitNext();
    }
    if (this.#wakeTimer !== undefined || this.#due === Infinity) return;
    this.#wakeTimer = this.#after(Math.floor(this.#due - now), () => {
      this.#wakeTimer = undefined;
      this.#release();
    });
  }

  /** Nothing arrives after the end. */
  #awaitNext(): void {
    const next = this.#schedule!.next();
    this.#due = next < this.#options.durationMs ? next : Infinity;
  }

  /** The user is free. If an arrival has waited for it, that one counts from the schedule. */
  #takeNext(user: LoadUser): void {
    if (this.#schedule === null) return this.#think(user);
    if (this.#due > this.#now) {
      this.#idle.push(user);
      return this.#release();
    }
    const due = this.#due;
    this.#awaitNext();
    this.#send(user, due);
  }

  /** Exponential pauses have no memory: the users' first requests come at the rate of all others. */
  #think(user: LoadUser): void {
    const { pace, random = Math.random } = this.#options;
    const pause = pace.kind === "think" ? -Math.log(1 - random()) * pace.meanMs : 0;
    const due = this.#now + pause;
    if (pause === 0) return this.#send(user, due);
    this.#after(pause, () => {
      const now = this.#now;
      this.#lagMs = Math.max(this.#lagMs, now - due);
      this.#send(user, Math.min(now, due + TIMER_MS));
    });
  }

  /** @param arrived when the request was to be sent */
  #send(user: LoadUser, arrived: number): void {
    const { measurement } = this.#options;
    const form = this.#choose();
    this.#inFlight++;
    user.request(form).then(({ outcome, at, isSessionLost = false }) => {
      this.#inFlight--;
      if (!this.#options.signal.aborted) {
        const now = at - this.#start;
        measurement.record(form.method, outcome, now - arrived, now);
      }
      if (this.#isOver) return this.#end();
      const { churn, reopens } = this.#options;
      const isWornOut = churn > 0 && user.sent >= churn;
      if (isWornOut || (isSessionLost && reopens)) void this.#renew(user);
      else this.#takeNext(user);
    });
  }

  async #renew(user: LoadUser): Promise<void> {
    const begun = this.#now;
    this.#inFlight++;
    const { outcome, at } = await user.openSession();
    this.#inFlight--;
    const now = at - this.#start;
    if (!this.#options.signal.aborted) {
      this.#options.measurement.record(OPENING, outcome, now - begun, now);
    }
    if (this.#isOver) this.#end();
    else this.#takeNext(user);
  }

  #choose(): RequestForm {
    const { forms, random = Math.random } = this.#options;
    if (forms.length === 1) return forms[0]!.form;
    let left = random() * this.#weights;
    for (const { form, weight } of forms) if ((left -= weight) < 0) return form;
    return forms[0]!.form;
  }

  #everyInterval(ms: number): void {
    this.#after(ms, () => {
      this.#closeInterval();
      this.#everyInterval(ms);
    });
  }

  #closeInterval(): void {
    const { measurement, onInterval, pace, durationMs } = this.#options;
    const now = this.#now;
    const due = pace.kind === "think"
      ? null
      : arrivedBy(now, pace.rate, durationMs) - arrivedBy(this.#intervalStart, pace.rate, durationMs);
    this.#intervalStart = now;
    const point = measurement.closeInterval(now, due);
    onInterval?.(point, this.#inFlight);
  }

  /** @param atOnce without the answers of requests under way */
  #stop(atOnce: boolean): void {
    if (!this.#isOver) {
      this.#endedAt = this.#now;
      // A shorter interval would have a rate of chance.
      if (this.#endedAt - this.#intervalStart >= this.#options.intervalMs / 2) this.#closeInterval();
    }
    for (const timer of this.#timers) this.#options.clock.clearTimeout(timer);
    this.#timers.clear();
    if (atOnce) this.#ended.resolve();
    else this.#end();
  }

  #end(): void {
    if (this.#inFlight === 0) this.#ended.resolve();
  }

  #countUnsent(): void {
    const end = Math.min(this.#options.durationMs, this.#endedAt);
    for (let count = 0; this.#due < end && count < MAX_UNSENT; count++) {
      this.#options.measurement.unsent(this.#choose().method, end - this.#due);
      this.#awaitNext();
    }
  }

  #after(ms: number, run: () => void): number {
    const { clock } = this.#options;
    const timer = clock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, Math.max(0, ms));
    this.#timers.add(timer);
    return timer;
  }
}
