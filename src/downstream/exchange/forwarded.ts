// The span of a request that another worker or replica serves. What is done there belongs to the same trace.
import type { McpReply, McpRequest } from "./mcp_exchange.ts";

export async function forwarded(
  request: McpRequest,
  forward: (request: McpRequest) => Promise<McpReply>,
): Promise<McpReply> {
  const span = request.trace?.begin("forward", "client");
  if (span === undefined) return await forward(request);
  try {
    return await forward({ ...request, trace: span });
  } finally {
    span.end();
  }
}
