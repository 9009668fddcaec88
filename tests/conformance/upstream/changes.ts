// The tool, the prompt and the resource that change, the tools that change them, and the news of it to a server with a session.
import type { McpServer } from "@modelcontextprotocol/server";
import { type Change, type SharedState, WATCHED_URI } from "./shared_state.ts";

/** @returns has the server follow the state and tell its client of it; what that returns ends it */
export function registerChanges(server: McpServer, state: SharedState): () => () => void {
  const said = (text: string) => ({ type: "text" as const, text });
  const version = (of: Change) => `Version ${state.version(of)}`;

  // A list changes by a definition in it, so that it does so too for who has chosen some of its entries.
  const tool = server.registerTool(
    "test_changing_tool",
    { description: version("tool") },
    () => ({ content: [said(version("tool"))] }),
  );
  const prompt = server.registerPrompt(
    "test_changing_prompt",
    { description: version("prompt") },
    () => ({ messages: [{ role: "user", content: said(version("prompt")) }] }),
  );
  server.registerResource("watched-resource", WATCHED_URI, {
    description: "Changes with every call of test_update_watched_resource",
    mimeType: "text/plain",
  }, () => ({ contents: [{ uri: WATCHED_URI, mimeType: "text/plain", text: version("watched") }] }));

  const changing = (name: string, what: Change, description: string) =>
    server.registerTool(name, { description }, () => {
      state.change(what);
      return { content: [said(version(what))] };
    });
  changing("test_trigger_tool_change", "tool", "Changes test_changing_tool");
  changing("test_trigger_prompt_change", "prompt", "Changes test_changing_prompt");
  changing("test_update_watched_resource", "watched", `Changes ${WATCHED_URI}`);

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
    return state.onChange((change) => {
      // An update sends the client notifications/.../list_changed.
      if (change === "tool") tool.update({ description: version("tool") });
      if (change === "prompt") prompt.update({ description: version("prompt") });
      if (change === "watched" && subscribed.has(WATCHED_URI)) {
        // Nobody to tell is no fault: the client may be gone.
        server.server.sendResourceUpdated({ uri: WATCHED_URI }).catch(() => {});
      }
    });
  };
}
