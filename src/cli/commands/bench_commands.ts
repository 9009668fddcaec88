// The commands `sluice bench` and `sluice bench compare`: their flags, the texts of their help, and their arguments as given.
import type { Command, GivenFlags } from "./command.ts";

const MAX_USERS = 60_000;

export const BENCH_COMMANDS = {
  bench: {
    summary: "Put load on an MCP server or gateway, and measure its latency.",
    topic: "bench",
    operand: "URL",
    notes: [
      "URL is an endpoint of any MCP server or gateway: /mcp (Streamable HTTP), or JSON-RPC without sessions (/rpc). Each user is one " +
      "connection. Calls arrive at the rate of --rate, whether earlier ones are answered or not, and their latency counts from their " +
      "time of arrival. With --think, a user makes its next call after a pause.",
      "TIME is a number with ms, s, m or h; without a unit it is seconds. Every answer is checked: its id, its result, and --expect.",
      "The load ends by itself. Ctrl-C ends it earlier, with the report so far. The exit code is 1 if an --assert does not hold, or if " +
      "no request was answered.",
    ],
    examples: [
      "sluice bench http://127.0.0.1:4444/mcp --rate 500 --duration 30s",
      "sluice bench http://127.0.0.1:4444/rpc --tool demo-echo --payload 100..10000",
      "sluice bench https://mcp.example.com/mcp --users 6500 --think 5s --html a.html",
      "sluice bench http://127.0.0.1:4444/mcp --assert 'p99<50ms' --assert errors=0",
    ],
    flags: {
      users: { value: "N", max: MAX_USERS, doc: "connections, each with a request at a time (default: 10)" },
      rate: {
        value: "N",
        doc: "requests a second of all users together (default: 100); A..B changes the rate from A to B",
      },
      arrivals: { value: "WORD", doc: "constant (default): evenly spaced; poisson: at random" },
      think: {
        value: "TIME",
        doc:
          "instead of --rate: the mean pause of a user between an answer and the next request; 0: as fast as answered",
      },
      duration: { value: "TIME", doc: "how long the load lasts (default: 10s)" },
      warmup: { value: "TIME", doc: "load before that, which is not counted (default: 1s)" },
      timeout: { value: "TIME", doc: "how long a request may take (default: 30s)" },
      protocol: {
        value: "WORD",
        doc:
          "rpc: JSON-RPC alone; 2025-11-25 or an older revision: with initialize; 2026-07-28: stateless (default: rpc for an " +
          "address that ends in /rpc, otherwise 2025-11-25)",
      },
      sessions: { value: "WORD", doc: "each (default): a session for each user; one: the same for all" },
      churn: { value: "N", max: 999_999_999, doc: "open a new session after N requests (default: 0, never)" },
      streams: {
        value: "N",
        max: MAX_USERS,
        doc: "users that keep an event stream open besides (default: 0)",
      },
      mix: {
        value: "LIST",
        doc:
          "methods with weights, for example tools/call=9,tools/list=1 (default: tools/call=1); also prompts/list, " +
          "resources/list, resources/templates/list, ping",
      },
      tool: { value: "NAME", doc: "the tool to call (default: the first one that says that it only reads)" },
      args: {
        value: "JSON",
        doc: "its arguments (default: made from the tool's schema); {payload} is replaced by --payload",
      },
      payload: { value: "BYTES", doc: "length of the text for {payload}; A..B: a random length each time" },
      expect: { value: "TEXT", doc: "text that every result of the tool must contain" },
      token: {
        value: "TOKEN",
        doc: "bearer token; other users of this machine can see it, so prefer a file",
      },
      "token-file": {
        value: "FILE",
        doc: "file with bearer tokens, one a line, which the users take by turns (default: SLUICE_TOKEN)",
      },
      header: { value: "NAME:VALUE", isRepeated: true, doc: "a further header; the flag can be repeated" },
      assert: {
        value: "RULE",
        isRepeated: true,
        doc:
          "what must hold, for example p99<50ms, errors=0, errors<0.1%, rate>900; the flag can be repeated",
      },
      json: { value: "FILE", doc: "write the report as JSON; -: to standard output, instead of the text" },
      html: { value: "FILE", doc: "write the report as one HTML page with charts" },
    },
  },
  "bench compare": {
    summary: "Compare two JSON reports of `sluice bench`.",
    topic: "bench",
    operand: "FILE",
    isOperandRepeated: true,
    notes: [
      "The first FILE is the base. An --assert names a share of the base: p99<110% holds if the second p99 is below 1.1 times the first.",
    ],
    examples: ["sluice bench compare before.json after.json --assert 'p99<110%'"],
    flags: {
      assert: { value: "RULE", isRepeated: true, doc: "what must hold, in percent of the base" },
      html: { value: "FILE", doc: "write the comparison as one HTML page with charts" },
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

/** As given, except whole numbers; null: not given. */
export interface BenchArgs {
  readonly url: string;
  readonly users: number | null;
  readonly rate: string | null;
  readonly arrivals: string | null;
  readonly think: string | null;
  readonly duration: string | null;
  readonly warmup: string | null;
  readonly timeout: string | null;
  readonly protocol: string | null;
  readonly sessions: string | null;
  readonly churn: number | null;
  readonly streams: number | null;
  readonly mix: string | null;
  readonly tool: string | null;
  readonly args: string | null;
  readonly payload: string | null;
  readonly expect: string | null;
  readonly token: string | null;
  readonly tokenFile: string | null;
  readonly headers: readonly string[];
  readonly asserts: readonly string[];
  readonly json: string | null;
  readonly html: string | null;
}

export interface BenchCompareArgs {
  readonly files: readonly string[];
  readonly asserts: readonly string[];
  readonly html: string | null;
}

export type BenchInvocation =
  | { readonly command: "bench"; readonly args: BenchArgs }
  | { readonly command: "bench compare"; readonly args: BenchCompareArgs };

type BenchCommand = keyof typeof BENCH_COMMANDS;

export function isBenchCommand(command: string): command is BenchCommand {
  return Object.hasOwn(BENCH_COMMANDS, command);
}

export function benchInvocation(command: BenchCommand, { text, texts }: GivenFlags): BenchInvocation {
  if (command === "bench compare") {
    const files = texts(BENCH_COMMANDS[command].operand);
    return { command, args: { files, asserts: texts("assert"), html: text("html") } };
  }
  const number = (name: string) => text(name) === null ? null : Number(text(name));
  const args = {
    url: text(BENCH_COMMANDS[command].operand)!,
    users: number("users"),
    rate: text("rate"),
    arrivals: text("arrivals"),
    think: text("think"),
    duration: text("duration"),
    warmup: text("warmup"),
    timeout: text("timeout"),
    protocol: text("protocol"),
    sessions: text("sessions"),
    churn: number("churn"),
    streams: number("streams"),
    mix: text("mix"),
    tool: text("tool"),
    args: text("args"),
    payload: text("payload"),
    expect: text("expect"),
    token: text("token"),
    tokenFile: text("token-file"),
    headers: texts("header"),
    asserts: texts("assert"),
    json: text("json"),
    html: text("html"),
  };
  return { command, args };
}
