// What an upstream answered in place of a valid answer, as the cause of an error. Operators read it, clients never do: it can name
// internal addresses, and holds words of pages that were not made for them.
import { reasonOf, SluiceError } from "./errors.ts";

/** The message is one line, without secrets and control characters. */
export class SeenAnswer extends Error {
  override name = "SeenAnswer";
  /** The place where the gateway noticed it says nothing to operators. */
  override stack = undefined;
}

const MARK = "; it answered: ";

/** The text of a failure for operators: registration, `lastError`, log. */
export function operatorText(error: unknown): string {
  if (!(error instanceof SluiceError) || !(error.cause instanceof SeenAnswer)) return reasonOf(error);
  return `${error.message}${MARK}${error.cause.message}`;
}

/** The part of an operator's text that everybody may read who sees the upstream. */
export function publicPart(text: string): string {
  const end = text.indexOf(MARK);
  return end < 0 ? text : text.slice(0, end);
}
