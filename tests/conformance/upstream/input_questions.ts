// What tools and prompts ask the client for, and how they read the answers.
import { inputRequired, inputResponse, type ServerContext } from "@modelcontextprotocol/server";

export type InputQuestion = ReturnType<typeof inputRequired.elicit>;

/** A form with one required field. */
export function question(
  message: string,
  field: string,
  schema: { readonly type: "string" } | { readonly type: "boolean" },
): InputQuestion {
  return inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [field]: schema }, required: [field] },
  });
}

export const NAME_QUESTION = question("What is your name?", "name", { type: "string" });

export function samplingQuestion(prompt: string, maxTokens: number): InputQuestion {
  return inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: prompt } }],
    maxTokens,
  });
}

/** Whether the request carries no usable answer under this key. */
export function isMissing(ctx: ServerContext, key: string): boolean {
  return inputResponse(ctx.mcpReq.inputResponses, key).kind === "missing";
}

/** Of these questions, those that the request does not answer; null where it answers all. */
export function unanswered(
  ctx: ServerContext,
  questions: Readonly<Record<string, InputQuestion>>,
): Record<string, InputQuestion> | null {
  const open = Object.entries(questions).filter(([key]) => isMissing(ctx, key));
  return open.length === 0 ? null : Object.fromEntries(open);
}

/** The answer as text, for a result that shows what arrived. */
export function answer(ctx: ServerContext, key: string): string {
  const response = inputResponse(ctx.mcpReq.inputResponses, key);
  switch (response.kind) {
    case "elicit":
      return `action=${response.action}, content=${JSON.stringify(response.content ?? {})}`;
    case "sampling": {
      const { content } = response.result;
      const blocks = Array.isArray(content) ? content : [content];
      return blocks.map((block) => block.type === "text" ? block.text : block.type).join(" ");
    }
    case "roots":
      return response.roots.map(({ uri }) => uri).join(", ");
    case "missing":
      return "nothing";
  }
}

/** One field of an accepted form, or what was done instead of accepting. */
export function field(ctx: ServerContext, key: string, name: string): string {
  const response = inputResponse(ctx.mcpReq.inputResponses, key);
  if (response.kind !== "elicit") return response.kind;
  return response.action === "accept" ? String(response.content?.[name]) : response.action;
}
