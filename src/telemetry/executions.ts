// Executions of tools, resources, prompts, virtual servers and upstreams, as a worker counts them between two writes to the database.
// On a warm call it allocates nothing.
import { SEPARATOR } from "./metric_values.ts";
import type { SharedNumbers } from "./shared_numbers.ts";

/** `server` is a virtual server, `gateway` an upstream. */
export const EXECUTED_KINDS = ["tool", "resource", "prompt", "server", "gateway"] as const;

export type ExecutedKind = typeof EXECUTED_KINDS[number];

/** What was executed in one hour, or a part of it. Times are in seconds. */
export interface ExecutionCounts {
  readonly kind: ExecutedKind;
  /** In the registry. */
  readonly id: string;
  /** Hours since the epoch. */
  readonly hour: number;
  readonly count: number;
  readonly failed: number;
  readonly seconds: number;
  readonly least: number;
  readonly greatest: number;
  /** When the last one ended, ms since the epoch. */
  readonly lastMs: number;
}

const HOUR_MS = 3_600_000;

/** The places of the numbers. All but the hour's least and greatest only grow. The count is written last. */
const [COUNT, FAILED, SECONDS, LAST_MS, HOUR, LEAST, GREATEST] = [0, 1, 2, 3, 4, 5, 6] as const;
const INITIAL: readonly number[] = new Array<number>(7).fill(0);

const PREFIX = `executions${SEPARATOR}`;

export class ExecutionMeter {
  readonly #shared: SharedNumbers;
  readonly #numbers: Readonly<Record<ExecutedKind, Map<string, Float64Array>>> = {
    ...{ tool: new Map(), resource: new Map(), prompt: new Map(), server: new Map(), gateway: new Map() },
  };
  readonly #countLost: () => void;

  /** @param countLost counts executions that nothing is kept of, because the memory is full */
  constructor(shared: SharedNumbers, countLost: () => void) {
    this.#shared = shared;
    this.#countLost = countLost;
  }

  /** @param at by performance.now() */
  ended(kind: ExecutedKind, id: string, seconds: number, at: number, isFailure: boolean): void {
    const numbers = this.#numbers[kind].get(id) ?? this.#begin(kind, id);
    if (numbers === null) return this.#countLost();
    const ms = performance.timeOrigin + at;
    const hour = Math.floor(ms / HOUR_MS);
    if (numbers[HOUR] !== hour) {
      numbers[HOUR] = hour;
      numbers[LEAST] = numbers[GREATEST] = seconds;
    } else if (seconds < numbers[LEAST]!) numbers[LEAST] = seconds;
    else if (seconds > numbers[GREATEST]!) numbers[GREATEST] = seconds;
    numbers[SECONDS]! += seconds;
    numbers[LAST_MS] = ms;
    if (isFailure) numbers[FAILED]!++;
    numbers[COUNT]!++;
  }

  #begin(kind: ExecutedKind, id: string): Float64Array | null {
    const numbers = this.#shared.add(`${PREFIX}${kind}${SEPARATOR}${id}`, INITIAL);
    if (numbers !== null) this.#numbers[kind].set(id, numbers);
    return numbers;
  }
}

interface Told {
  count: number;
  failed: number;
  seconds: number;
}

/** What was told already of each array. */
export type ToldExecutions = WeakMap<Float64Array, Told>;

/**
 * What a worker has counted since the last reading. A call that ends with an hour, and is read in the next one, may count there.
 * @param told is brought up to date
 */
export function newExecutions(shared: SharedNumbers, told: ToldExecutions): ExecutionCounts[] {
  const found: ExecutionCounts[] = [];
  for (const [name, numbers] of shared.read()) {
    if (!name.startsWith(PREFIX)) continue;
    let before = told.get(numbers);
    if (before === undefined) told.set(numbers, before = { count: 0, failed: 0, seconds: 0 });
    const count = numbers[COUNT]!;
    if (count === before.count) continue;
    const [failed, seconds] = [numbers[FAILED]!, numbers[SECONDS]!];
    const [kind, id] = name.slice(PREFIX.length).split(SEPARATOR) as [ExecutedKind, string];
    found.push({
      ...{ kind, id, hour: numbers[HOUR]!, least: numbers[LEAST]!, greatest: numbers[GREATEST]! },
      ...{ count: count - before.count, failed: failed - before.failed, seconds: seconds - before.seconds },
      lastMs: numbers[LAST_MS]!,
    });
    Object.assign(before, { count, failed, seconds });
  }
  return found;
}

export function joinedExecutions(a: ExecutionCounts, b: ExecutionCounts): ExecutionCounts {
  return {
    ...a,
    count: a.count + b.count,
    failed: a.failed + b.failed,
    seconds: a.seconds + b.seconds,
    least: Math.min(a.least, b.least),
    greatest: Math.max(a.greatest, b.greatest),
    lastMs: Math.max(a.lastMs, b.lastMs),
  };
}
