// The demo upstream's tools: what they are called, what they take, what they answer.

import { type Clock, sleep, systemClock } from "../base/clock.ts";
import { TimeInputError, ZoneClock } from "./demo_time.ts";

/** An MCP `CallToolResult` with one text block. */
export interface ToolResult {
  readonly content: readonly [{ readonly type: "text"; readonly text: string }];
  readonly isError?: true;
}

/** The longest `delay` that `echo` accepts, ms. */
export const MAX_ECHO_DELAY_MS = 60_000;

const READ_ONLY = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };
const ZONE = 'IANA time zone name, e.g. "Europe/Berlin", "America/New_York" or "UTC"';

/** The tools as `tools/list` tells them. */
export const DEMO_TOOLS = [
  {
    name: "convert_time",
    title: "Convert a time between zones",
    description: "Converts a time from one time zone to another, across daylight saving and the day's end.",
    inputSchema: schema({
      time: text(
        'What clocks in the source zone show: "HH:MM" (24 hours, today) or an ISO 8601 date and time; with an offset or Z it is that moment',
      ),
      source_timezone: text(`Zone of \`time\`: ${ZONE}`),
      target_timezone: text(`Zone to convert to: ${ZONE}`),
    }, ["time", "source_timezone", "target_timezone"]),
    annotations: READ_ONLY,
  },
  {
    name: "get_system_time",
    title: "Current time",
    description: "Tells the current time in a time zone.",
    inputSchema: schema({ timezone: { ...text(ZONE), default: "UTC" } }, []),
    annotations: READ_ONLY,
  },
  {
    name: "echo",
    title: "Echo",
    description: "Answers with the message it was sent, after a delay if one is asked for.",
    inputSchema: schema({
      message: text("The text to send back"),
      delay: {
        type: "integer",
        description: "How long to wait before answering, in milliseconds",
        minimum: 0,
        maximum: MAX_ECHO_DELAY_MS,
        default: 0,
      },
    }, ["message"]),
    annotations: READ_ONLY,
  },
] as const;

type Arguments = Readonly<Record<string, unknown>>;

/** Runs the demo's tools. */
export class DemoTools {
  readonly #zones = new ZoneClock();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /**
   * The result of tool `name`; undefined where there is no such tool. Only `echo` with a delay answers later; it
   * rejects with the reason of the signal that `signal` gives when that is aborted first.
   */
  call(
    name: string,
    args: Arguments,
    signal: () => AbortSignal,
  ): ToolResult | Promise<ToolResult> | undefined {
    const tool = DEMO_TOOLS.find((known) => known.name === name);
    if (!tool) return undefined;
    const fault = faultIn(args, tool.inputSchema);
    if (fault) return failure(`Invalid arguments for ${name}: ${fault}`);
    try {
      switch (tool.name) {
        case "convert_time":
          return this.#convertTime(
            args as { time: string; source_timezone: string; target_timezone: string },
          );
        case "get_system_time":
          return success(
            JSON.stringify(
              this.#zones.timeIn((args as { timezone?: string }).timezone ?? "UTC", this.#clock.now()),
            ),
          );
        case "echo":
          return this.#echo(args as { message: string; delay?: number }, signal);
      }
    } catch (error) {
      if (error instanceof TimeInputError) return failure(error.message);
      throw error;
    }
  }

  #convertTime(args: { time: string; source_timezone: string; target_timezone: string }): ToolResult {
    const answer = this.#zones.convert(
      args.time,
      args.source_timezone,
      args.target_timezone,
      this.#clock.now(),
    );
    return success(JSON.stringify(answer));
  }

  #echo(
    { message, delay = 0 }: { message: string; delay?: number },
    signal: () => AbortSignal,
  ): ToolResult | Promise<ToolResult> {
    if (delay === 0) return success(message);
    return sleep(this.#clock, delay, signal()).then(() => success(message));
  }
}

interface Property {
  readonly type: "string" | "integer";
  readonly description: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: string | number;
}

interface ArgumentsSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, Property>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

function schema(properties: Record<string, Property>, required: string[]): ArgumentsSchema {
  return { type: "object", properties, required, additionalProperties: false };
}

function text(description: string): Property {
  return { type: "string", description };
}

// As much of JSON Schema as the schemas above use.
function faultIn(args: Arguments, { properties, required }: ArgumentsSchema): string | undefined {
  for (const name of required) {
    if (!Object.hasOwn(args, name)) return `"${name}" is required`;
  }
  for (const name in args) {
    if (!Object.hasOwn(properties, name)) {
      return `"${name.slice(0, 60)}" is not known (known: ${Object.keys(properties).join(", ")})`;
    }
    const { type, minimum = -Infinity, maximum = Infinity } = properties[name];
    const value = args[name];
    if (type === "string" && typeof value !== "string") return `"${name}" must be a string`;
    if (
      type === "integer" &&
      !(Number.isInteger(value) && value as number >= minimum && value as number <= maximum)
    ) {
      return `"${name}" must be an integer from ${minimum} to ${maximum}`;
    }
  }
  return undefined;
}

function success(text: string): ToolResult {
  return { content: [{ type: "text", text }] };
}

function failure(text: string): ToolResult {
  return { content: [{ type: "text", text }], isError: true };
}
