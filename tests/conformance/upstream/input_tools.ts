// Tools that need the user, the model or the roots of the client before they can answer.
//
// Each is written once, as the revision 2026-07-28 has it: it returns an input-required result and is called again with the
// answers. On a connection with a session the SDK turns that into requests to the client, on the stream of the call.
import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  inputRequired,
  type McpServer,
  type RequestStateCodec,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { DEFAULTS_FORM, ENUMS_FORM, PERSON_FORM } from "./forms.ts";
import {
  answer,
  field,
  type InputQuestion,
  isMissing,
  NAME_QUESTION,
  question,
  samplingQuestion,
  unanswered,
} from "./input_questions.ts";

/** What a tool remembers between two rounds. */
export interface RoundState {
  readonly tool: string;
  readonly round: number;
  readonly name?: string;
}

export function registerInputTools(server: McpServer, codec: RequestStateCodec<RoundState>): void {
  /** A tool that asks everything at once and shows what it was answered. */
  const asking = (
    name: string,
    questions: Readonly<Record<string, InputQuestion>>,
    result: (ctx: ServerContext) => string,
    { isStateful = false } = {},
  ) =>
    server.registerTool(
      name,
      { description: `Asks for ${Object.keys(questions).join(", ")}` },
      async (ctx) => {
        const inputRequests = unanswered(ctx, questions);
        const state = ctx.mcpReq.requestState<RoundState>();
        if (inputRequests !== null || (isStateful && state?.tool !== name)) {
          const requestState = isStateful ? await codec.mint({ tool: name, round: 1 }) : undefined;
          return inputRequired({ inputRequests: inputRequests ?? { ...questions }, requestState });
        }
        return text(result(ctx));
      },
    );

  const confirmation = question("Please confirm", "ok", { type: "boolean" });

  server.registerTool("test_sampling", {
    description: "Asks the client's model",
    inputSchema: z.object({ prompt: z.string() }),
  }, ({ prompt }, ctx) => {
    if (isMissing(ctx, "reply")) {
      return inputRequired({ inputRequests: { reply: samplingQuestion(prompt, 100) } });
    }
    return text(`LLM response: ${answer(ctx, "reply")}`);
  });
  server.registerTool("test_elicitation", {
    description: "Asks the user",
    inputSchema: z.object({ message: z.string() }),
  }, ({ message }, ctx) => {
    if (isMissing(ctx, "user")) {
      const user = inputRequired.elicit({ message, requestedSchema: PERSON_FORM });
      return inputRequired({ inputRequests: { user } });
    }
    return text(`User response: ${answer(ctx, "user")}`);
  });
  asking("test_elicitation_sep1034_defaults", {
    form: inputRequired.elicit({ message: "Please review the defaults", requestedSchema: DEFAULTS_FORM }),
  }, (ctx) => `Elicitation completed: ${answer(ctx, "form")}`);
  asking("test_elicitation_sep1330_enums", {
    form: inputRequired.elicit({ message: "Please choose", requestedSchema: ENUMS_FORM }),
  }, (ctx) => `Elicitation completed: ${answer(ctx, "form")}`);

  asking(
    "test_input_required_result_elicitation",
    { user_name: NAME_QUESTION },
    (ctx) => `Hello, ${field(ctx, "user_name", "name")}!`,
  );
  asking(
    "test_input_required_result_sampling",
    { capital_question: samplingQuestion("What is the capital of France?", 100) },
    (ctx) => answer(ctx, "capital_question"),
  );
  asking(
    "test_input_required_result_list_roots",
    { client_roots: inputRequired.listRoots() },
    (ctx) => `Roots: ${answer(ctx, "client_roots")}`,
  );
  asking(
    "test_input_required_result_request_state",
    { confirm: confirmation },
    (ctx) => `state-ok, ok=${field(ctx, "confirm", "ok")}`,
    { isStateful: true },
  );
  asking(
    "test_input_required_result_tampered_state",
    { confirm: confirmation },
    (ctx) => `untampered, ok=${field(ctx, "confirm", "ok")}`,
    { isStateful: true },
  );
  asking(
    "test_input_required_result_multiple_inputs",
    {
      user_name: NAME_QUESTION,
      greeting: samplingQuestion("Generate a greeting", 50),
      client_roots: inputRequired.listRoots(),
    },
    (ctx) =>
      `${answer(ctx, "greeting")} ${field(ctx, "user_name", "name")}; roots: ${answer(ctx, "client_roots")}`,
    { isStateful: true },
  );

  registerMultiRound(server, codec);

  // Asks of the client only what it can give.
  server.registerTool(
    "test_input_required_result_capabilities",
    { description: "Asks for what the client declares" },
    (ctx) => {
      const { elicitation, sampling, roots } = capabilitiesOf(server, ctx);
      const questions: Record<string, InputQuestion> = {
        ...(elicitation ? { user_name: NAME_QUESTION } : {}),
        ...(sampling ? { greeting: samplingQuestion("Generate a greeting", 50) } : {}),
        ...(roots ? { client_roots: inputRequired.listRoots() } : {}),
      };
      const inputRequests = unanswered(ctx, questions);
      if (inputRequests !== null) return inputRequired({ inputRequests });
      return text(Object.keys(questions).map((key) => answer(ctx, key)).join("; ") || "nothing to ask");
    },
  );

  // Asks without looking: the SDK answers a client that did not declare sampling with -32021.
  asking(
    "test_missing_capability",
    { reply: samplingQuestion("Say something", 10) },
    (ctx) => answer(ctx, "reply"),
  );
}

/** A second question, which depends on the first answer. */
function registerMultiRound(server: McpServer, codec: RequestStateCodec<RoundState>): void {
  const tool = "test_input_required_result_multi_round";
  const first = question("Step 1: What is your name?", "name", { type: "string" });
  const second = question("Step 2: What is your favorite color?", "color", { type: "string" });

  server.registerTool(tool, { description: "Asks twice" }, async (ctx) => {
    const state = ctx.mcpReq.requestState<RoundState>();
    if (state?.tool === tool && state.round === 2 && !isMissing(ctx, "step2")) {
      return text(`${state.name} likes ${field(ctx, "step2", "color")}.`);
    }
    if (state?.tool === tool && !isMissing(ctx, "step1")) {
      const requestState = await codec.mint({ tool, round: 2, name: field(ctx, "step1", "name") });
      return inputRequired({ inputRequests: { step2: second }, requestState });
    }
    return inputRequired({
      inputRequests: { step1: first },
      requestState: await codec.mint({ tool, round: 1 }),
    });
  });
}

/** What the client can do: said with every request, or at the start of the session. */
function capabilitiesOf(server: McpServer, ctx: ServerContext): ClientCapabilities {
  // The SDK declares the envelope as an empty type.
  const envelope = ctx.mcpReq.envelope as Readonly<Record<string, ClientCapabilities>> | undefined;
  return envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? server.server.getClientCapabilities() ?? {};
}

function text(value: string) {
  return { content: [{ type: "text" as const, text: value }] };
}
