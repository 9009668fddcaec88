// The tasks of the server of tasks, as the extension has them ("Task Status").
import { type InputResponse, type Result, RpcError } from "./wire.ts";

type Status = "working" | "input_required" | "completed" | "failed" | "cancelled";

/** What the work of a task may do. */
export interface Work {
  readonly cancelled: AbortSignal;
  /** Asks the client several things at once, by key. */
  ask(questions: Readonly<Record<string, Result>>): Promise<Readonly<Record<string, InputResponse>>>;
}

class Task {
  readonly taskId = crypto.randomUUID();
  readonly createdAt = new Date().toISOString();
  readonly cancelled = new AbortController();
  status: Status = "working";
  /** The `result` or the `error` of a task that is over. */
  outcome: Result = {};
  questions: Record<string, Result> = {};
  answers: Record<string, InputResponse> = {};
  onAnswered: (answers: Readonly<Record<string, InputResponse>>) => void = () => {};

  get isOver(): boolean {
    return this.status !== "working" && this.status !== "input_required";
  }

  end(status: Status, outcome: Result = {}): void {
    if (this.isOver) return;
    this.status = status;
    this.outcome = outcome;
  }

  toResult(): Result {
    const { taskId, status, createdAt } = this;
    return { taskId, status, createdAt, lastUpdatedAt: createdAt, ttlMs: 60_000, pollIntervalMs: 100 };
  }
}

export class TaskStore {
  readonly #tasks = new Map<string, Task>();

  /** Begins a task. @returns the CreateTaskResult */
  create(run: (work: Work) => Promise<Result>): Result {
    const task = new Task();
    this.#tasks.set(task.taskId, task);
    const ask: Work["ask"] = (questions) => {
      task.questions = { ...questions };
      task.status = "input_required";
      return new Promise((resolve) => task.onAnswered = resolve);
    };
    run({ cancelled: task.cancelled.signal, ask }).then(
      (result) => task.end("completed", { result }),
      ({ code = -32603, message }) => task.end("failed", { error: { code, message } }),
    );
    return { resultType: "task", ...task.toResult() };
  }

  get(taskId: string | undefined): Result {
    const task = this.#find(taskId);
    const asked = task.status === "input_required" ? { inputRequests: task.questions } : {};
    return { ...task.toResult(), ...task.outcome, ...asked };
  }

  /** A part of the answers is kept until the others are there. */
  update(taskId: string | undefined, responses: Readonly<Record<string, InputResponse>>): Result {
    const task = this.#find(taskId);
    for (const [key, response] of Object.entries(responses)) {
      if (!Object.hasOwn(task.questions, key)) continue;
      delete task.questions[key];
      task.answers[key] = response;
    }
    if (task.status === "input_required" && Object.keys(task.questions).length === 0) {
      task.status = "working";
      task.onAnswered(task.answers);
    }
    return {};
  }

  cancel(taskId: string | undefined): Result {
    const task = this.#find(taskId);
    task.end("cancelled");
    task.cancelled.abort();
    return {};
  }

  #find(taskId: string | undefined): Task {
    const task = this.#tasks.get(taskId ?? "");
    if (task === undefined) throw new RpcError(-32602, "Task not found");
    return task;
  }
}
