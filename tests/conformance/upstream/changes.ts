// The tool and the prompt that come and go, the tools that make them, and the news of it to a server with a session.
import type { McpServer } from "@modelcontextprotocol/server";
import { type SharedState, WATCHED_URI } from "./shared_state.ts";

/** @returns has the server follow the state, and tell its client of it: @returns what ends that */
export function registerChanges(server: McpServer, state: SharedState): () => () => void {
  const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] });

  const extraTool = server.registerTool(
    "test_extra_tool",
    { description: "Comes and goes with test_trigger_tool_change" },
    () => text("Here for now."),
  );
  const extraPrompt = server.registerPrompt(
    "test_extra_prompt",
    { description: "Comes and goes with test_trigger_prompt_change" },
    () => ({ messages: [{ role: "user", content: { type: "text", text: "Here for now." } }] }),
  );
  if (!state.hasExtraTool) extraTool.disable();
  if (!state.hasExtraPrompt) extraPrompt.disable();

  const changing = (name: string, description: string, change: () => void) =>
    server.registerTool(name, { description }, () => {
      change();
      return text("Changed.");
    });
  changing("test_trigger_tool_change", "Changes the list of tools", () => state.toggleTool());
  changing("test_trigger_prompt_change", "Changes the list of prompts", () => state.togglePrompt());
  changing("test_update_watched_resource", `Changes ${WATCHED_URI}`, () => state.updateWatched());

  return () => {
    const subscribed = new Set<string>();
    server.server.setRequestHandler("resources/subscribe", ({ params }) => {
      subscribed.add(params.uri);
      return {};
    });
    server.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
      subscribed.delete(params.uri);
      return {};
    });
    // Enabling and disabling sends the client notifications/.../list_changed.
    return state.onChange((change) => {
      if (change === "tools") extraTool[state.hasExtraTool ? "enable" : "disable"]();
      if (change === "prompts") extraPrompt[state.hasExtraPrompt ? "enable" : "disable"]();
      if (change === "watched" && subscribed.has(WATCHED_URI)) {
        // Nobody to tell is no fault: the client may be gone.
        server.server.sendResourceUpdated({ uri: WATCHED_URI }).catch(() => {});
      }
    });
  };
}
