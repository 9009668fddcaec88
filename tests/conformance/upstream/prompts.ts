// The prompts of the suite, one of which asks the user before it answers.
import { completable, inputRequired, type McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { field, isMissing, question } from "./input_questions.ts";
import { PNG } from "./media.ts";

/** What the first argument is completed from. */
const WORDS = ["paris", "park", "party", "test", "text"];

export function registerPrompts(server: McpServer): void {
  const said = (text: string) => ({ role: "user" as const, content: { type: "text" as const, text } });

  server.registerPrompt("test_simple_prompt", { description: "Has no arguments" }, () => ({
    messages: [said("This is a simple prompt for testing.")],
  }));

  server.registerPrompt("test_prompt_with_arguments", {
    description: "Has two arguments, both completed",
    argsSchema: z.object({
      arg1: completable(z.string().describe("First test argument"), startingWith),
      arg2: completable(z.string().describe("Second test argument"), startingWith),
    }),
  }, ({ arg1, arg2 }) => ({ messages: [said(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }));

  server.registerPrompt("test_prompt_with_embedded_resource", {
    description: "Embeds the resource that it is given",
    argsSchema: z.object({ resourceUri: z.string().describe("URI of the resource to embed") }),
  }, ({ resourceUri }) => ({
    messages: [
      {
        role: "user",
        content: {
          type: "resource",
          resource: {
            uri: resourceUri,
            mimeType: "text/plain",
            text: "Embedded resource content for testing.",
          },
        },
      },
      said("Please process the embedded resource above."),
    ],
  }));

  server.registerPrompt("test_prompt_with_image", { description: "Has a picture" }, () => ({
    messages: [
      { role: "user", content: { type: "image", data: PNG, mimeType: "image/png" } },
      said("Please analyze the image above."),
    ],
  }));

  const context = question("What context should the prompt use?", "context", { type: "string" });
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "Asks for its context" },
    (ctx) => {
      if (isMissing(ctx, "user_context")) return inputRequired({ inputRequests: { user_context: context } });
      return { messages: [said(`Use this context: ${field(ctx, "user_context", "context")}`)] };
    },
  );
}

function startingWith(value: string | undefined): string[] {
  return WORDS.filter((word) => word.startsWith(value ?? ""));
}
