// Which failures may be tried again, and how many such tries an upstream gets: retries must not become a second load.
import { isError } from "../../base/errors.ts";

/** Methods that change nothing at the upstream: asking twice is asking once. A tool may do anything. */
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

/** May the call be made again? Where nothing can have reached the upstream: any; where it may have: those that only read. */
export function isRepeatable(error: unknown, method: string): boolean {
  if (isError(error, "UPSTREAM_CONNECT_FAILED")) return true;
  if (!isError(error, "UPSTREAM_CLOSED")) return false;
  return error.params.sent === 0 || REPEATABLE.has(method);
}

/** A fifth of the calls may be repeated, with a small reserve for quiet times. */
const EARNED_PER_CALL = 0.2;
const MAX_SAVED = 10;

export class RetryBudget {
  #saved = MAX_SAVED;

  /** A call was made for the first time. */
  earn(): void {
    if (this.#saved < MAX_SAVED) this.#saved = Math.min(MAX_SAVED, this.#saved + EARNED_PER_CALL);
  }

  /** May one more be repeated? */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}
