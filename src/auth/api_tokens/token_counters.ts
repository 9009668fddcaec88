// Counts what API tokens are used for. A call only adds to numbers in memory; once a second a worker tells the database, whose answer
// has the counts of all workers and replicas.
import { type Clock, repeat } from "../../base/clock.ts";
import { BoundedMap } from "../../base/bounded_map.ts";
import { reasonOf } from "../../base/errors.ts";
import type { RequestLimits, TokenAnswer, TokenCounts, TokenUse } from "../../store/tokens/token_uses.ts";
import type { Log } from "../../telemetry/log.ts";

export interface TokenCountersDeps {
  /** @throws {SluiceError} STORE_UNAVAILABLE */
  readonly add: (uses: readonly TokenUse[], now: number) => Promise<ReadonlyMap<string, TokenAnswer>>;
  readonly clock: Clock;
  readonly log: Pick<Log, "warning" | "info">;
  /** Counts tokens whose counts were lost, because the database did not answer for long. */
  readonly countLost: () => void;
  readonly maxTokens?: number;
}

/** What one endpoint has done with a token since the worker last told the database. */
interface EndpointUse {
  readonly endpoint: string;
  requests: number;
  refused: number;
  failed: number;
  ms: number;
}

/** What this worker knows of one token. */
export class TokenCounter {
  readonly id: string;
  /** Allowed requests that the database does not know yet. */
  untold = 0;
  lastUsed = 0;
  /** The client of the last request. */
  address = "";
  /** null: the database has not been asked. */
  counts: TokenCounts | null = null;
  /** When the database told the counts, ms since the epoch. */
  countsAt = 0;
  readonly endpoints: EndpointUse[] = [];
  /** The requests that wait for the database, the first first. Null is its answer if it does not answer. */
  readonly #waiting: ((isAllowed: boolean | null) => void)[] = [];
  #limits: RequestLimits = NO_LIMITS;
  /** Requests that the database has granted ahead, and the hour it counts them in. */
  #ahead = 0;
  #aheadIn = 0;
  readonly #toldAddresses: string[] = [];
  readonly #newAddresses = new Set<string>();

  constructor(id: string) {
    this.id = id;
  }

  at(endpoint: string): EndpointUse {
    let use = this.endpoints.find((each) => each.endpoint === endpoint);
    if (use === undefined) {
      this.endpoints.push(use = { endpoint, requests: 0, refused: 0, failed: 0, ms: 0 });
    }
    return use;
  }

  from(address: string): void {
    if (address === this.address) return;
    this.address = address;
    if (!this.#toldAddresses.includes(address) && this.#newAddresses.size < KEPT_ADDRESSES) {
      this.#newAddresses.add(address);
    }
  }

  /** Requests that may be allowed without asking. What was granted in a former hour counts there, and is no longer of use. */
  aheadAt(now: number): number {
    if (this.#ahead > 0 && hourOf(now) !== this.#aheadIn && !this.#isInAllOnly) this.#ahead = 0;
    return this.#ahead;
  }

  /** Allows up to so many requests that were granted ahead. @returns how many */
  useAhead(requests: number, now: number): number {
    const used = Math.min(requests, this.aheadAt(now));
    this.#ahead -= used;
    return used;
  }

  /** Is there something to tell? @param isLast nothing is told afterwards */
  hasNews(now: number, isLast: boolean): boolean {
    return this.untold !== 0 || this.endpoints.length > 0 || this.#newAddresses.size > 0 ||
      this.#waiting.length > 0 || this.#toGiveBack(now, isLast) > 0;
  }

  #toGiveBack(now: number, isLast: boolean): number {
    const isUnused = this.#waiting.length === 0 && now - this.lastUsed >= KEEP_AHEAD_MS;
    return isLast || isUnused ? this.aheadAt(now) : 0;
  }

  get #isInAllOnly(): boolean {
    return this.#limits.perHour === null && this.#limits.perDay === null;
  }

  /** Waits for the next round with the database. @returns null: the database does not answer */
  wait(limits: RequestLimits): Promise<boolean | null> {
    this.#limits = limits;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The numbers start again from zero, but for `untold`: limits count what is on its way. @returns what to tell, and what to do with the answer; null: there is none */
  take(
    now: number,
    isLast: boolean,
  ): { readonly use: TokenUse; readonly answered: (answer: TokenAnswer | null) => void } {
    const givenBack = this.useAhead(this.#toGiveBack(now, isLast), now);
    const waiting = this.#waiting.splice(0);
    const told = this.untold;
    const use: TokenUse = {
      tokenId: this.id,
      lastUsed: this.lastUsed,
      allowed: told - givenBack,
      asked: waiting.length,
      limits: this.#limits,
      endpoints: this.endpoints.map((each) => ({ ...each })),
      addresses: [...this.#newAddresses],
    };
    this.endpoints.length = 0;
    this.#toldAddresses.push(...this.#newAddresses);
    this.#toldAddresses.splice(0, this.#toldAddresses.length - KEPT_ADDRESSES);
    this.#newAddresses.clear();
    const answered = (answer: TokenAnswer | null) => {
      if (answer === null) {
        this.#putBack(use);
        this.#ahead += givenBack;
      } else {
        this.untold -= told;
        this.counts = answer.counts;
        this.countsAt = now;
        this.#ahead = this.aheadAt(now) + answer.ahead;
        this.#aheadIn = hourOf(now);
      }
      waiting.forEach((settle, i) => settle(answer === null ? null : i < answer.granted));
    };
    return { use, answered };
  }

  #putBack({ endpoints, addresses }: TokenUse): void {
    for (const { endpoint, requests, refused, failed, ms } of endpoints) {
      const use = this.at(endpoint);
      use.requests += requests;
      use.refused += refused;
      use.failed += failed;
      use.ms += ms;
    }
    for (const address of addresses.slice(0, KEPT_ADDRESSES)) this.#newAddresses.add(address);
  }
}

const NO_LIMITS: RequestLimits = { perHour: null, perDay: null, inAll: null };

/** Time between two writes, ms. */
const TELL_EVERY_MS = 1_000;

/** Tokens of one write, so that other statements of the connection do not wait long. */
const TOKENS_AT_ONCE = 500;

const MAX_TOKENS = 10_000;

const KEPT_ADDRESSES = 10;

/** Requests that were granted ahead are given back if the token is not used for this time. */
const KEEP_AHEAD_MS = 2_000;

const HOUR_MS = 3_600_000;

function hourOf(now: number): number {
  return Math.floor(now / HOUR_MS);
}

export class TokenCounters {
  readonly #deps: TokenCountersDeps;
  readonly #known: BoundedMap<string, TokenCounter>;
  /** Counters with uses that the database does not have yet. */
  readonly #dirty = new Map<string, TokenCounter>();
  readonly #stop: () => void;
  #telling: Promise<void> = Promise.resolve();
  /** The round that has not begun to write: a caller of now takes part in it. */
  #next: Promise<void> | null = null;
  #isAlone = false;
  #isClosing = false;

  constructor(deps: TokenCountersDeps) {
    this.#deps = deps;
    this.#known = new BoundedMap({ maxEntries: deps.maxTokens ?? MAX_TOKENS, ageFrom: "get" });
    this.#stop = repeat(deps.clock, TELL_EVERY_MS, () => this.tell());
  }

  get size(): number {
    return this.#known.size;
  }

  /** Has the database not answered the last time? */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  of(id: string): TokenCounter {
    let counter = this.#known.get(id);
    if (counter === undefined) {
      counter = this.#dirty.get(id) ?? new TokenCounter(id);
      this.#known.set(id, counter);
    }
    return counter;
  }

  /** Something of the counter is to be told. */
  changed(counter: TokenCounter): void {
    if (this.#dirty.has(counter.id)) return;
    if (this.#dirty.size >= (this.#deps.maxTokens ?? MAX_TOKENS)) return this.#deps.countLost();
    this.#dirty.set(counter.id, counter);
  }

  /** Writes what there is to tell. Never rejects: without the database, a worker goes on with what it knows. */
  tell(): Promise<void> {
    if (this.#dirty.size === 0 && this.#next === null) return this.#telling;
    if (this.#next === null) {
      const next = this.#telling.then(() => {
        this.#next = null;
        return this.#tell();
      });
      this.#next = this.#telling = next;
    }
    return this.#next;
  }

  /** Writes what there is to tell for the last time. */
  async close(): Promise<void> {
    this.#stop();
    this.#isClosing = true;
    await this.tell();
  }

  /** Counters with requests ahead stay, until these are used or given back. */
  async #tell(): Promise<void> {
    const { add, clock } = this.#deps;
    const now = clock.now();
    const due = [...this.#dirty.values()].filter((counter) => counter.hasNews(now, this.#isClosing));
    for (let from = 0; from < due.length; from += TOKENS_AT_ONCE) {
      const counters = due.slice(from, from + TOKENS_AT_ONCE);
      for (const { id } of counters) this.#dirty.delete(id);
      const taken = counters.map((counter) => counter.take(now, this.#isClosing));
      try {
        const answers = await add(taken.map(({ use }) => use), now);
        for (const { use, answered } of taken) answered(answers.get(use.tokenId) ?? null);
        for (const counter of counters) if (counter.aheadAt(now) > 0) this.changed(counter);
        this.#isShared(true);
      } catch (error) {
        counters.forEach((counter, i) => {
          taken[i]!.answered(null);
          this.changed(counter);
        });
        return this.#isShared(false, reasonOf(error));
      }
    }
    for (const counter of this.#dirty.values()) {
      if (!counter.hasNews(now, false) && counter.aheadAt(now) === 0) this.#dirty.delete(counter.id);
    }
  }

  #isShared(isShared: boolean, reason?: string): void {
    if (isShared !== this.#isAlone) return;
    this.#isAlone = !isShared;
    const { log } = this.#deps;
    if (isShared) log.info("the use of API tokens is written again");
    else log.warning("the use of API tokens is not written: each worker counts alone", { reason });
  }
}
