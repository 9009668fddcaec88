// Room `sharing`: what a worker shares out between its callers.
//
// This file: what a worker keeps for its clients before, between and after their requests. One budget covers every kind of it, and is shared out between
// callers: a caller may keep as much as is still free (a "dynamic threshold", Choudhury and Hahne 1998). A caller alone gets half of
// the budget, each of two greedy ones a third, and a newcomer always finds room.

import { type CallerIdentity, callerKey } from "./caller_identity.ts";

export interface HoldingOptions {
  /** Ends what is kept. Called if memory is short and no other caller keeps as much. */
  readonly end?: () => void;
  /** Drops what the client can do without. Called before something else of the same caller is refused. */
  readonly spare?: () => void;
}

/** One caller, as what is kept for it is counted. */
export interface MemoryOwner {
  /** Begins to count something that is kept. It has to be closed. */
  hold(options?: HoldingOptions): Holding;
}

/** What was ended for one caller. */
export interface Shed {
  readonly subject: string;
  readonly chars: number;
}

/** What all callers share. */
interface Budget {
  readonly maxChars: number;
  /** Called when a caller is refused more memory. */
  readonly onRefused: () => void;
  chars: number;
}

/** The memory of one caller. */
class Account {
  chars = 0;
  readonly holdings = new Set<Holding>();
  /** Holdings that can be spared, the oldest first. */
  readonly sparable = new Set<Holding>();

  constructor(
    readonly subject: string,
    readonly budget: Budget,
    readonly onEmpty: () => void,
  ) {}

  /** Drops what can be spared, if need be. */
  mayGrow(by: number): boolean {
    if (this.#fits(by)) return true;
    for (const holding of [...this.sparable]) {
      holding.spare();
      if (this.#fits(by)) return true;
    }
    this.budget.onRefused();
    return false;
  }

  grow(by: number): void {
    this.chars += by;
    this.budget.chars += by;
  }

  #fits(by: number): boolean {
    const { maxChars, chars } = this.budget;
    return this.chars + by <= maxChars - chars - by;
  }
}

export class ClientMemory {
  readonly #budget: Budget;
  readonly #accounts = new Map<string, Account>();

  /** @param onRefused called when a caller is refused more memory */
  constructor(maxChars: number, onRefused: () => void = () => {}) {
    this.#budget = { maxChars, onRefused, chars: 0 };
  }

  /** @param mebibytes MAX_CLIENT_MEMORY_MB */
  static ofMebibytes(mebibytes: number, onRefused?: () => void): ClientMemory {
    return new ClientMemory(mebibytes * 1024 * 1024, onRefused);
  }

  /** Characters and bytes kept for all callers. */
  get chars(): number {
    return this.#budget.chars;
  }

  /** Begins to count something that is kept. It has to be closed. */
  hold(owner: CallerIdentity, options: HoldingOptions = {}): Holding {
    const key = callerKey(owner);
    let account = this.#accounts.get(key);
    if (account === undefined) {
      account = new Account(owner.subject, this.#budget, () => this.#accounts.delete(key));
      this.#accounts.set(key, account);
    }
    return new Holding(account, options);
  }

  /** The memory of one caller, to be kept with it. */
  ownerFor(caller: CallerIdentity): MemoryOwner {
    return { hold: (options) => this.hold(caller, options) };
  }

  /**
   * Memory is short: ends everything of the caller for whom the most is kept, then of the next one, until the others keep `maxChars`
   * together.
   * @returns what was ended, by caller
   */
  shed(maxChars: number): Shed[] {
    const greediestFirst = [...this.#accounts.values()].sort((one, other) => other.chars - one.chars);
    const shed: Shed[] = [];
    for (const { subject, chars, holdings } of greediestFirst) {
      if (this.chars <= maxChars) break;
      for (const holding of [...holdings]) holding.end();
      shed.push({ subject, chars });
    }
    return shed;
  }
}

/** One thing that is kept for a caller. */
export class Holding {
  readonly #account: Account;
  readonly #options: HoldingOptions;
  #chars = 0;
  #isOpen = true;

  constructor(account: Account, options: HoldingOptions) {
    this.#account = account;
    this.#options = options;
    account.holdings.add(this);
  }

  get chars(): number {
    return this.#chars;
  }

  /** Whether so many more characters fit into the caller's share. */
  mayGrow(by: number): boolean {
    return this.#isOpen && this.#account.mayGrow(by);
  }

  /** Counts more, or less, whatever the caller's share is. */
  grow(by: number): void {
    if (!this.#isOpen || by === 0) return;
    this.#chars += by;
    if (this.#options.spare !== undefined) {
      if (this.#chars > 0) this.#account.sparable.add(this);
      else this.#account.sparable.delete(this);
    }
    this.#account.grow(by);
  }

  /** @returns false if the caller's share does not allow it; nothing is counted then */
  tryGrow(by: number): boolean {
    if (!this.mayGrow(by)) return false;
    this.grow(by);
    return true;
  }

  spare(): void {
    this.#options.spare?.();
  }

  /** Ends what is kept, and its count. */
  end(): void {
    this.close();
    this.#options.end?.();
  }

  /** Nothing of it is kept any more. */
  close(): void {
    if (!this.#isOpen) return;
    const { sparable, holdings, onEmpty } = this.#account;
    this.grow(-this.#chars);
    this.#isOpen = false;
    sparable.delete(this);
    holdings.delete(this);
    if (holdings.size === 0) onEmpty();
  }
}
