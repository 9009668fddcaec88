// The tools that the suite's tasks-* scenarios ask for by name.
import type { TaskStore, Work } from "./task_store.ts";
import { type InputResponse, type Params, question, type Result, RpcError, text } from "./wire.ts";

interface Tool {
  readonly name: string;
  /** What it does; in a task where the client takes tasks. */
  readonly run: (args: Readonly<Record<string, unknown>>, work: Work) => Promise<Result>;
  readonly tasks: "never" | "optional" | "required";
  /** Asked before the task is made, by MRTR: the answer becomes an argument. */
  readonly askFirst?: { readonly key: string; readonly question: Result };
}

export const TOOLS: readonly Tool[] = [
  {
    name: "greet",
    tasks: "never",
    run: (args) => Promise.resolve(text(`Hello, ${args.name}!`)),
  },
  {
    name: "slow_compute",
    tasks: "optional",
    run: async ({ seconds, label }, { cancelled }) => {
      await pause(Number(seconds ?? 0) * 1_000, cancelled);
      return text(`Computed ${label ?? "nothing"}.`);
    },
  },
  {
    name: "failing_job",
    tasks: "required",
    run: async (_, { cancelled }) => {
      await pause(1_000, cancelled);
      return text("It could not be done.", true);
    },
  },
  {
    name: "protocol_error_job",
    tasks: "optional",
    run: () => Promise.reject(new RpcError(-32603, "It fell over.")),
  },
  {
    name: "confirm_delete",
    tasks: "required",
    run: async ({ filename }, { ask }) => {
      const { confirm } = await ask({ confirm: question(`Delete ${filename}?`, "confirm", "boolean") });
      return text(`Deleted ${filename}: ${confirm?.content?.confirm}`);
    },
  },
  {
    name: "multi_input",
    tasks: "required",
    run: async (_, { ask }) => {
      const both = { one: question("One?", "value", "string"), two: question("Two?", "value", "string") };
      return text(JSON.stringify(await ask(both)));
    },
  },
  {
    name: "test_tool_with_task",
    tasks: "required",
    askFirst: { key: "user_name", question: question("What is your name?", "name", "string") },
    run: ({ user_name }) => Promise.resolve(text(`Hello, ${(user_name as InputResponse).content?.name}!`)),
  },
];

export function callTool(
  store: TaskStore,
  { name, arguments: args = {}, inputResponses = {} }: Params,
  takesTasks: boolean,
  missingExtension: () => RpcError,
): Result | Promise<Result> {
  const tool = TOOLS.find((tool) => tool.name === name);
  if (tool === undefined) throw new RpcError(-32602, `Unknown tool: ${name}`);
  if (tool.tasks === "required" && !takesTasks) throw missingExtension();
  const { askFirst } = tool;
  if (askFirst !== undefined && !Object.hasOwn(inputResponses, askFirst.key)) {
    return { resultType: "input_required", inputRequests: { [askFirst.key]: askFirst.question } };
  }
  const run = (work: Work) => tool.run({ ...args, ...inputResponses }, work);
  if (tool.tasks !== "never" && takesTasks) return store.create(run);
  return run({ cancelled: new AbortController().signal, ask: () => Promise.resolve({}) });
}

function pause(ms: number, cancelled: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    cancelled.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
