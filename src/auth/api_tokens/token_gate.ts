// Decides whether a token may be used here and now: from the client's address, at this time, and for one more request.
import type { Clock } from "../../base/clock.ts";
import { SluiceError } from "../../base/errors.ts";
import { parseAddress, parseNetwork } from "../../base/egress/egress_guard_address.ts";
import type { TokenCounts } from "../../store/tokens/token_uses.ts";
import type { Count } from "../../telemetry/metrics.ts";
import type { AllowedTimes, Principal, TokenLimits, UsageLimits } from "../principal.ts";
import { timesText } from "../token_limits.ts";
import { isAllowedTime } from "./time_check.ts";
import type { TokenCounter, TokenCounters } from "./token_counters.ts";

export interface TokenGateDeps {
  readonly counters: TokenCounters;
  readonly clock: Clock;
  /** Counts refusals by reason: "address", "time", "hour", "day", "total". */
  readonly countRefused: Count;
}

/** Requests left below which the other workers are told of messages at once. */
const TELL_BELOW = 20;

/** Counts of the database that a refusal goes by, without asking again, ms. */
const RECENT_MS = 1_000;

/** Stands for the endpoint of messages without an HTTP request of their own. */
const MESSAGES = "messages";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The address that was last looked at, and the second, of the limits of one token. */
interface Verdicts {
  address: string;
  isAllowedAddress: boolean;
  second: number;
  isAllowedSecond: boolean;
}

export class TokenGate {
  readonly #deps: TokenGateDeps;
  readonly #verdicts = new WeakMap<TokenLimits, Verdicts>();

  constructor(deps: TokenGateDeps) {
    this.#deps = deps;
  }

  /**
   * Allows and counts an HTTP request. With a limit of requests the database grants it, some requests ahead, so that all workers
   * together allow no more.
   * @param address of the client, an IP address
   * @param endpoint its name; undefined: the path has none
   * @throws {SluiceError} TOKEN_RESTRICTED, TOKEN_LIMIT_REACHED
   */
  admit(principal: Principal, address: string, endpoint: string): void | Promise<void> {
    const { apiToken, limits } = principal;
    const counter = apiToken === null ? null : this.#counterOf(apiToken.id);
    const now = this.#deps.clock.now();
    if (counter !== null) {
      counter.lastUsed = now;
      counter.from(address);
      counter.at(endpoint).requests++;
    }
    try {
      if (limits !== null) {
        this.#requireAddress(limits, address);
        this.#requireTime(limits, now);
      }
      if (counter === null) return;
      const usage = limits?.usage ?? null;
      if (usage !== null) {
        if (counter.useAhead(1, now) === 1) return;
        const { isAlone } = this.#deps.counters;
        // Older counts may have what other workers gave back since.
        if (isAlone || now - counter.countsAt < RECENT_MS) this.#requireLeft(counter, usage, { now });
        if (!isAlone) return this.#ask(counter, { usage, endpoint });
      }
      counter.untold++;
    } catch (error) {
      if (counter !== null) counter.at(endpoint).refused++;
      throw error;
    }
  }

  /**
   * Allows and counts messages that no HTTP request of their own brings: the further ones of a batch, and those of a WebSocket.
   * @throws {SluiceError} TOKEN_RESTRICTED, TOKEN_LIMIT_REACHED, which use up nothing
   */
  take({ apiToken, limits }: Principal, messages: number): void {
    if (messages === 0 || (apiToken === null && limits === null)) return;
    const now = this.#deps.clock.now();
    if (limits !== null) this.#requireTime(limits, now);
    if (apiToken === null) return;
    const counter = this.#counterOf(apiToken.id);
    counter.lastUsed = now;
    const use = counter.at(MESSAGES);
    use.requests += messages;
    const usage = limits?.usage ?? null;
    try {
      if (usage !== null) this.#requireLeft(counter, usage, { now, requests: messages });
      counter.untold += messages - counter.useAhead(messages, now);
      if (usage !== null && leftOf(counter, usage, now) < TELL_BELOW) void this.#deps.counters.tell();
    } catch (error) {
      use.refused += messages;
      throw error;
    }
  }

  /** Notes the answer to a request that was allowed. */
  answered(
    { apiToken }: Principal,
    endpoint: string,
    answer: { readonly status: number; readonly ms: number },
  ) {
    if (apiToken === null) return;
    const use = this.#counterOf(apiToken.id).at(endpoint);
    use.ms += answer.ms;
    if (answer.status >= 400) use.failed++;
  }

  #counterOf(id: string): TokenCounter {
    const { counters } = this.#deps;
    const counter = counters.of(id);
    counters.changed(counter);
    return counter;
  }

  async #ask(
    counter: TokenCounter,
    { usage, endpoint }: { readonly usage: UsageLimits; readonly endpoint: string },
  ): Promise<void> {
    const { counters, clock } = this.#deps;
    const waiting = counter.wait(usage);
    void counters.tell();
    const isAllowed = await waiting;
    if (isAllowed) return;
    try {
      this.#requireLeft(counter, usage, { now: clock.now() });
      // The database does not answer, or the clock has come to the next hour.
      counter.untold++;
    } catch (error) {
      counter.at(endpoint).refused++;
      throw error;
    } finally {
      counters.changed(counter);
    }
  }

  #requireAddress(limits: TokenLimits, address: string): void {
    const { networks } = limits;
    if (networks === null) return;
    const verdicts = this.#verdictsOf(limits);
    if (verdicts.address !== address) {
      const parsed = parseAddress(address);
      verdicts.address = address;
      verdicts.isAllowedAddress = parsed !== null &&
        networks.some((network) => parseNetwork(network)!.contains(parsed));
    }
    if (verdicts.isAllowedAddress) return;
    this.#deps.countRefused("address");
    throw new SluiceError("TOKEN_RESTRICTED", {
      reason: `from ${address}: its ip_restrictions do not contain this address`,
    });
  }

  #requireTime(limits: TokenLimits, now: number): void {
    const { times } = limits;
    if (times === null || this.#isAllowedNow(limits, times, now)) return;
    this.#deps.countRefused("time");
    throw new SluiceError("TOKEN_RESTRICTED", { reason: `now, only ${timesText(times)}` });
  }

  #isAllowedNow(limits: TokenLimits, times: AllowedTimes, now: number): boolean {
    const verdicts = this.#verdictsOf(limits);
    const second = Math.floor(now / 1000);
    if (verdicts.second !== second) {
      verdicts.second = second;
      verdicts.isAllowedSecond = isAllowedTime(times, now);
    }
    return verdicts.isAllowedSecond;
  }

  #verdictsOf(limits: TokenLimits): Verdicts {
    let verdicts = this.#verdicts.get(limits);
    if (verdicts === undefined) {
      verdicts = { address: "", isAllowedAddress: false, second: 0, isAllowedSecond: false };
      this.#verdicts.set(limits, verdicts);
    }
    return verdicts;
  }

  #requireLeft(
    counter: TokenCounter,
    { perHour, perDay, inAll: total }: UsageLimits,
    { now, requests = 1 }: { readonly now: number; readonly requests?: number },
  ): void {
    const { inHour, inDay, inAll } = usedOf(counter, now);
    const { countRefused } = this.#deps;
    const exceeded = total !== null && inAll + requests > total
      ? "total"
      : perDay !== null && inDay + requests > perDay
      ? "day"
      : perHour !== null && inHour + requests > perHour
      ? "hour"
      : null;
    if (exceeded === null) return;
    countRefused(exceeded);
    if (exceeded === "total") {
      throw new SluiceError("TOKEN_RESTRICTED", {
        reason: `any more: its ${total} requests in all are used up`,
      });
    }
    const [limit, ms] = exceeded === "day" ? [perDay!, DAY_MS] : [perHour!, HOUR_MS];
    throw new SluiceError("TOKEN_LIMIT_REACHED", {
      limit,
      period: exceeded === "day" ? "in a day (UTC)" : "in an hour",
      waitS: Math.max(1, Math.ceil((ms - now % ms) / 1000)),
    });
  }
}

/** With the requests that only this worker knows. */
function usedOf(counter: TokenCounter, now: number): Pick<TokenCounts, "inHour" | "inDay" | "inAll"> {
  const { counts } = counter;
  const untold = counter.untold - counter.aheadAt(now);
  if (counts === null) return { inHour: untold, inDay: untold, inAll: untold };
  const [hour, day] = [Math.floor(now / HOUR_MS), Math.floor(now / DAY_MS)];
  return {
    inHour: untold + (counts.hour >= hour ? counts.inHour : 0),
    inDay: untold + (counts.day >= day ? counts.inDay : 0),
    inAll: untold + counts.inAll,
  };
}

function leftOf(counter: TokenCounter, { perHour, perDay, inAll }: UsageLimits, now: number): number {
  const used = usedOf(counter, now);
  return Math.min(
    perHour === null ? Infinity : perHour - used.inHour,
    perDay === null ? Infinity : perDay - used.inDay,
    inAll === null ? Infinity : inAll - used.inAll,
  );
}
