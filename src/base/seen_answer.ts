// What an upstream said in place of a valid answer, as the cause of an error. Operators read it, clients never do: it can name
// internal addresses, and holds words that were not made for them.
import { reasonOf, SluiceError } from "./errors.ts";

/** The message is one line, without secrets and control characters. */
export class SeenAnswer extends Error {
  /** The place where the gateway noticed it says nothing to operators. */
  override stack = undefined;

  constructor(message: string, readonly where: keyof typeof MARKS = "answer") {
    super(message);
    // The log writes it before the message.
    this.name = `seen ${where}`;
  }
}

/** What stands before the upstream's words in an operator's text, by where the gateway found them. */
const MARKS = {
  answer: "; it answered: ",
  stderr: "; the end of its stderr: ",
  stdout: "; it wrote something else than MCP messages to its stdout: ",
  messages: "; it sent something else than MCP messages: ",
};

/** What a process wrote to its stdout, or a server sent, in place of messages; and the end of the stderr, "": nothing. */
export function seenForeign(words: string, where: "stdout" | "messages", stderr: string): SeenAnswer {
  const quoted = `"${words}"`;
  return new SeenAnswer(stderr === "" ? quoted : `${quoted}${MARKS.stderr}${stderr}`, where);
}

/** The text of a failure for operators: registration, `lastError`, log. */
export function operatorText(error: unknown): string {
  if (!(error instanceof SluiceError) || !(error.cause instanceof SeenAnswer)) return reasonOf(error);
  return `${error.message}${MARKS[error.cause.where]}${error.cause.message}`;
}

/** The part of an operator's text that everybody may read who sees the upstream. */
export function publicPart(text: string): string {
  const ends = Object.values(MARKS).map((mark) => text.indexOf(mark)).filter((at) => at >= 0);
  return ends.length === 0 ? text : text.slice(0, Math.min(...ends));
}
