// `sluice logs`: the latest lines of the log of a running gateway.
import { logQuery } from "../admin/rest/queries.ts";
import { isObject } from "../mcp/json_rpc.ts";
import { lineOf } from "../telemetry/log.ts";
import { connectToGateway, type GatewayClient } from "./command_line/gateway_client.ts";
import { usage } from "./command_line/usage.ts";
import { flagOf, type LogsArgs } from "./commands/log_command.ts";

/** A stream ends after a while: the next one goes on where it ended. */
const PAUSE_MS = 1_000;

/** Filters for lines of calls, which are in the access log. */
const OF_CALLS = ["caller", "tool", "upstream", "correlation_id"];

/** How much of a refused value a message repeats. */
const SHOWN_CHARACTERS = 40;

/** Shows lines, and with --follow goes on until it is interrupted. @returns the exit code. @throws {SluiceError} USAGE_INVALID, GATEWAY_UNREACHABLE */
export async function logs({ follow, json, query, ...gateway }: LogsArgs): Promise<number> {
  checkConditions(query);
  const client = await connectToGateway(gateway);
  const show = (line: Record<string, unknown>) => print(json ? JSON.stringify(line) : textOf(line));
  try {
    const answer = await client.ask("GET", `/logs?${query}`);
    if (!isObject(answer) || !Array.isArray(answer.logs)) return 1;
    const lines = answer.logs.filter(isObject).toReversed();
    for (const line of lines) show(line);
    if (lines.length === 0 && !follow) console.error(nothing(answer.oldest, query));
    if (follow) await followFrom(String(answer.latest), { client, query, show });
    return 0;
  } catch (error) {
    // The reader of the output has closed it, as `head` does after its last line.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    throw error;
  } finally {
    client.close();
  }
}

/** The gateway reads the conditions by the same schema. Here a mistake has the name of its flag. @throws {SluiceError} USAGE_INVALID */
function checkConditions(query: URLSearchParams): void {
  const { error } = logQuery.safeParse(Object.fromEntries(query));
  if (error === undefined) return;
  const mistakes = error.issues.map(({ path: [name], message }) => {
    const parameter = String(name);
    const value = JSON.stringify((query.get(parameter) ?? "").slice(0, SHOWN_CHARACTERS));
    return `--${flagOf(parameter)} ${message}, not ${value}`;
  });
  throw usage(mistakes, "logs");
}

interface Following {
  readonly client: GatewayClient;
  readonly query: URLSearchParams;
  readonly show: (line: Record<string, unknown>) => void;
}

async function followFrom(latest: string, { client, query, show }: Following): Promise<never> {
  const asked = new URLSearchParams(query);
  asked.set("after", latest);
  while (true) {
    for await (const { event, data, id } of client.events(`/logs/stream?${asked}`)) {
      if (event === "skipped") console.error(`sluice: lines are skipped: a second has more than ${data}`);
      else show(JSON.parse(data));
      if (id !== null) asked.set("after", id);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** Writes a line. @throws {Deno.errors.BrokenPipe} if the reader has closed the output; `console.log` would say nothing */
function print(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
}

function nothing(oldest: unknown, query: URLSearchParams): string {
  if (typeof oldest !== "string") return "The gateway keeps no line of its log: set LOG_BUFFER_SIZE_MB.";
  const isAboutCalls = OF_CALLS.some((name) => query.has(name));
  return `No line fits. The gateway keeps lines since ${oldest}.${
    isAboutCalls ? " Calls have lines if DISABLE_ACCESS_LOG=false." : ""
  }`;
}

/** As LOG_FORMAT=text writes it. */
function textOf(
  { timestamp, level, message, logger, request_id, caller, tool, upstream, data }: Record<string, unknown>,
) {
  const shown = (value: unknown) => value ?? undefined;
  return lineOf("text", {
    ...{ time: timestamp, level, event: message, logger: shown(logger) },
    ...{ caller: shown(caller), tool: shown(tool), upstream: shown(upstream) },
    ...(isObject(data) ? data : {}),
    correlationId: shown(request_id),
  }).trimEnd();
}
