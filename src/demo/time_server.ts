// The demo upstream: an MCP server that tells the time, built with the MCP SDK. It serves every revision, without sessions.

import {
  createMcpHandler,
  localhostAllowedOrigins,
  McpServer,
  originValidationResponse,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { sleep, systemClock } from "../base/clock.ts";
import { convertTime, timeIn } from "./time_zones.ts";

/** A running time server. */
export interface TimeServer {
  /** Address of the MCP endpoint, with the real port. */
  readonly url: string;
  /** Stops listening and ends the calls that wait. */
  close(): Promise<void>;
}

/** Starts the time server. Port 0 takes a free port. @throws {Deno.errors.AddrInUse} and the other errors of listening */
export function startTimeServer({ hostname, port }: { hostname: string; port: number }): TimeServer {
  const closing = new AbortController();
  const handler = createMcpHandler(() => timeServer(closing.signal));
  const server = Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
    if (new URL(request.url).pathname !== "/mcp") {
      return new Response("The MCP endpoint is /mcp\n", { status: 404 });
    }
    // A web page must not reach this server through the browser of a visitor.
    return originValidationResponse(request, localhostAllowedOrigins()) ?? handler.fetch(request);
  });
  const host = server.addr.hostname.includes(":") ? `[${server.addr.hostname}]` : server.addr.hostname;
  return {
    url: `http://${host}:${server.addr.port}/mcp`,
    close: async () => {
      closing.abort(new Error("The server is stopping"));
      await handler.close();
      await server.shutdown();
    },
  };
}

/** A server for one request, as the SDK wants it. */
function timeServer(closing: AbortSignal): McpServer {
  const server = new McpServer({ name: "sluice-demo", title: "Sluice demo time server", version: "1.0.0" }, {
    capabilities: { tools: { listChanged: false } },
    instructions:
      "Converts times between zones (convert_time), tells the time (get_system_time), and echoes (echo).",
  });
  const annotations = {
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  };
  server.registerTool("convert_time", {
    title: "Convert a time between zones",
    description: "Converts a time from one time zone to another, across daylight saving and the day's end.",
    inputSchema: CONVERT_TIME,
    annotations,
  }, (args) => text(JSON.stringify(convertTime(args.time, args.source_timezone, args.target_timezone))));
  server.registerTool("get_system_time", {
    title: "Current time",
    description: "Tells the current time in a time zone.",
    inputSchema: GET_SYSTEM_TIME,
    annotations,
  }, ({ timezone }) => text(JSON.stringify(timeIn(timezone))));
  server.registerTool("echo", {
    title: "Echo",
    description: "Answers with the message it was sent, after a delay if one is asked for.",
    inputSchema: ECHO,
    annotations,
  }, async ({ message, delay }, { mcpReq }) => {
    if (delay > 0) await sleep(systemClock, delay, AbortSignal.any([mcpReq.signal, closing]));
    return text(message);
  });
  return server;
}

const ZONE = 'IANA time zone name, e.g. "Europe/Berlin", "America/New_York" or "UTC"';
const CONVERT_TIME = z.strictObject({
  time: z.string().describe(
    'What clocks in the source zone show: "HH:MM" (24 hours, today) or an ISO 8601 date and time; with an offset or Z it is that moment',
  ),
  source_timezone: z.string().describe(`Zone of \`time\`: ${ZONE}`),
  target_timezone: z.string().describe(`Zone to convert to: ${ZONE}`),
});
const GET_SYSTEM_TIME = z.strictObject({ timezone: z.string().describe(ZONE).default("UTC") });
const ECHO = z.strictObject({
  message: z.string().describe("The text to send back"),
  delay: z.int().min(0).max(60_000).describe("How long to wait before answering, in milliseconds").default(0),
});

function text(content: string) {
  return { content: [{ type: "text" as const, text: content }] };
}
