// Tools that say something before they answer, or let go of the stream on the way.
import { inputRequired, type McpServer, type ServerContext } from "@modelcontextprotocol/server";
import { isMissing, NAME_QUESTION } from "./input_questions.ts";

/** Between two messages, so that they are seen to arrive one by one. */
const STEP_MS = 50;

export function registerStreamingTools(server: McpServer): void {
  server.registerTool("test_tool_with_logging", { description: "Logs three times" }, async (ctx) => {
    await ctx.mcpReq.log("info", "Tool execution started");
    await pause(STEP_MS);
    await ctx.mcpReq.log("info", "Tool processing data");
    await pause(STEP_MS);
    await ctx.mcpReq.log("info", "Tool execution completed");
    return text("Logged three times.");
  });

  // Logs whatever the request says: the SDK drops it where the request asked for no log level.
  server.registerTool("test_logging_tool", { description: "Logs once" }, async (ctx) => {
    await ctx.mcpReq.log("info", "A message for whoever asked for messages");
    return text("Logged.");
  });

  server.registerTool("test_tool_with_progress", { description: "Reports progress" }, async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    if (progressToken !== undefined) {
      for (const progress of [0, 50, 100]) {
        await report(ctx, progressToken, progress);
        await pause(STEP_MS);
      }
    }
    return text(`Progress was reported for ${String(progressToken)}.`);
  });

  // With sessions the stream of the call ends before the answer, which waits in the event store (SEP-1699).
  server.registerTool(
    "test_reconnection",
    { description: "Closes its stream, then answers" },
    async (ctx) => {
      ctx.http?.closeSSE?.();
      await pause(STEP_MS);
      return text("The stream was closed in the middle of this call.");
    },
  );

  // Its stream is open when it finds that it needs the user (2026-07-28: no request may travel on it).
  server.registerTool("test_streaming_elicitation", { description: "Streams, then asks" }, async (ctx) => {
    await report(ctx, ctx.mcpReq._meta?.progressToken ?? "streaming", 50);
    if (isMissing(ctx, "user_name")) return inputRequired({ inputRequests: { user_name: NAME_QUESTION } });
    return text("Asked and answered.");
  });
}

function report(ctx: ServerContext, progressToken: string | number, progress: number): Promise<void> {
  return ctx.mcpReq.notify({
    method: "notifications/progress",
    params: { progressToken, progress, total: 100, message: `${progress} of 100` },
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function text(value: string) {
  return { content: [{ type: "text" as const, text: value }] };
}
