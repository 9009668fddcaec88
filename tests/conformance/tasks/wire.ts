// What the server of tasks reads and answers.

export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

type Meta = Readonly<Record<string, { readonly extensions?: Readonly<Record<string, unknown>> } | undefined>>;

export type Result = Readonly<Record<string, unknown>>;

export interface Params {
  readonly name?: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly taskId?: string;
  readonly inputResponses?: Readonly<Record<string, InputResponse>>;
  readonly _meta?: Meta;
}

export interface InputResponse {
  readonly content?: Readonly<Record<string, unknown>>;
}

export class RpcError extends Error {
  constructor(readonly code: number, message: string, readonly data?: unknown, readonly status = 200) {
    super(message);
  }
}

export function text(value: string, isError = false): Result {
  return { content: [{ type: "text", text: value }], isError };
}

/** A question with one field. */
export function question(message: string, field: string, type: "string" | "boolean"): Result {
  const requestedSchema = { type: "object", properties: { [field]: { type } }, required: [field] };
  return { method: "elicitation/create", params: { mode: "form", message, requestedSchema } };
}
