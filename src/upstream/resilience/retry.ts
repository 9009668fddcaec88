// Retries: which failed calls may be repeated, and how many repetitions an upstream gets. The budget keeps retries from becoming
// a second load.
import { isError } from "../../base/errors.ts";

/** Methods that only read, so that a repetition has no effect. A tool may have any effect. */
const REPEATABLE: ReadonlySet<string> = new Set([
  "ping",
  "tools/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "prompts/list",
  "prompts/get",
  "completion/complete",
  "tasks/get",
  "tasks/result",
  "tasks/list",
]);

/** Whether the call may be repeated: any call that has not reached the upstream, else only methods that read. */
export function isRepeatable(error: unknown, method: string): boolean {
  if (isError(error, "UPSTREAM_CONNECT_FAILED")) return true;
  if (!isError(error, "UPSTREAM_CLOSED")) return false;
  return error.params.sent === 0 || REPEATABLE.has(method);
}

/** One fifth of the calls may be repeated. A small reserve serves quiet times. */
const EARNED_PER_CALL = 0.2;
const MAX_SAVED = 10;

export class RetryBudget {
  #saved = MAX_SAVED;

  /** Counts a call that is no repetition. */
  earn(): void {
    if (this.#saved < MAX_SAVED) this.#saved = Math.min(MAX_SAVED, this.#saved + EARNED_PER_CALL);
  }

  /** Takes one repetition from the budget. @returns false if none is left */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}
