// What the parts of a worker ask of the supervisor.
import type { Answers, Question, SupervisorQuestion } from "./messages.ts";

export interface SupervisorLink {
  /** This worker should be replaced soon. */
  wantsRecycling(reason: string): void;
  /** Whole lines for standard output, each with its newline. */
  writeLog(lines: string): void;
  /** Ask every worker of this replica, this one too. A worker that dies meanwhile is missing in the answer. */
  askAll<Q extends Question | SupervisorQuestion>(question: Q): Promise<readonly Answers[Q["type"]][]>;
}
