// One worker's child processes: started for a session, bounded, and ended with everything that they have started.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock } from "../../src/base/clock.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { operatorText, publicPart } from "../../src/base/seen_answer.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { Deadline } from "../../src/upstream/resilience/deadline.ts";
import { UpstreamSession } from "../../src/upstream/session/upstream_session.ts";
import { launchUrl } from "../../src/upstream/stdio/launch.ts";
import { StdioProcesses, type StdioProcessesOptions } from "../../src/upstream/stdio/processes.ts";
import { Transports } from "../../src/upstream/transports.ts";
import { MemorySink } from "../support/fakes.ts";
import { FakeUpstream } from "../support/fake_upstream.ts";
import { openFds } from "../support/process_stats.ts";
import { counterLaunch, groupMembers, type Misbehaviour, processesWith } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

function setUp(options: Partial<StdioProcessesOptions> & { readonly stdioIdleMs?: number } = {}) {
  const sink = new MemorySink();
  const log = createLog({ level: "DEBUG", format: "json", sink });
  const mark = `mark-${crypto.randomUUID()}`;
  const processes = new StdioProcesses({
    stdioEnabled: true,
    stdioAllowedCommands: [],
    stdioAllowedVariables: [],
    account: null,
    stdioMaxProcesses: 10,
    stdioMaxProcessesPerUpstream: 10,
    maxLineBytes: 100_000,
    clock: systemClock,
    log,
    environment: (name) => Deno.env.get(name),
    onStarted: () => {},
    ...options,
  });
  const transports = new Transports({
    agentHeaders: [],
    client: new FakeUpstream(),
    processes,
    maxResponseBytes: 100_000,
    stdioIdleMs: options.stdioIdleMs ?? Infinity,
    sharedIdleMs: Infinity,
    openTimeoutMs: 10_000,
    stdioStartTimeoutMs: 10_000,
    connect: () => Promise.reject(new Error("no WebSockets here")),
    clock: systemClock,
    log,
    countStray: () => {},
  });
  const transport = (
    { how = "sound", name = "up", env, ...launch }: {
      how?: Misbehaviour;
      name?: string;
      command?: string;
      args?: string[];
      cwd?: string;
      env?: Record<string, string>;
      timeoutMs?: number;
    } = {},
  ) => {
    const url = new URL(launchUrl({ ...counterLaunch(mark, how), cwd: null, ...launch }));
    return transports.make({ transport: "STDIO", upstream: name, url, headers: [], env });
  };
  const open = (given: Parameters<typeof transport>[0] = {}) =>
    UpstreamSession.open(transport(given), {
      clientInfo: { name: "test", version: "1" },
      timeoutMs: given?.timeoutMs ?? 5_000,
      timeoutSetting: "A_SETTING",
    });
  return {
    mark,
    log: () => sink.lines.map((line) => JSON.parse(line)),
    processes,
    transports,
    transport,
    open,
    alive: () => processesWith(mark),
    async [Symbol.asyncDispose]() {
      await transports.close();
      assertEquals([processes.size, processesWith(mark)], [0, []]);
    },
  };
}

const LIMITS = { timeoutMs: 10_000, timeoutSetting: "A_SETTING" };

async function callTool(session: UpstreamSession, name: string): Promise<string> {
  const { text } = await session.request("tools/call", JSON.stringify({ name, arguments: {} }), LIMITS);
  return JSON.parse(text).content[0].text;
}

async function failure(work: () => Promise<unknown>) {
  return await assertRejects(work, SluiceError);
}

Deno.test("A stdio session is one process: it keeps its state, takes a body with line breaks, and ends with the session", async () => {
  await using stdio = setUp();
  const [one, other] = [await stdio.open(), await stdio.open()];
  assertEquals([await callTool(one, "increment"), await callTool(one, "increment")], ["1", "2"]);
  const pretty = '{\r\n"name":"increment",\n\n"arguments": {"text":"a\\nb"}\r}';
  const { text } = await other.request("tools/call", pretty, LIMITS);
  assertEquals(JSON.parse(text).content[0].text, "1");
  assertEquals(stdio.alive().length, 2);
  await one.close();
  assertEquals([stdio.alive().length, one.closed, one.transfer()], [1, true, null]);
});

Deno.test("A process that ignores the end of its input and SIGTERM is killed, with what it has started", async () => {
  await using stdio = setUp();
  const session = await stdio.open({ how: "stubborn" });
  const leaders = stdio.alive();
  assert(groupMembers(leaders).length >= 2, "it has a child");
  await session.close();
  assertEquals([stdio.alive(), groupMembers(leaders)], [[], []]);
});

Deno.test("A process that dies during the handshake says so with its exit code, and its stderr is in the log", async () => {
  await using stdio = setUp();
  const error = await failure(() => stdio.open({ how: "dies", env: { KEY: "cannot" } }));
  const { code, params, message } = error;
  assertEquals(code, "UPSTREAM_CONNECT_FAILED");
  assertEquals(operatorText(error), `${message}; the end of its stderr: *** go on`);
  assertEquals(publicPart(operatorText(error)), message);
  const ends = stdio.log().filter(({ event }) => event === "upstream process ended by itself");
  assertEquals(ends.map(({ level, how, stderr }) => [level, how, stderr]), [
    ["ERROR", "exit code 3", "*** go on"],
  ]);
  assertEquals(params.reason, "the process ended (exit code 3); its stderr is in the log");
  const said = stdio.log().filter(({ event }) => event === "upstream stderr");
  assertEquals(said.map(({ line, upstream }) => [line, upstream]), [["cannot go on", "up"]]);
});

Deno.test("A process that is silent on its output says on its standard error what it waits for", async () => {
  await using stdio = setUp();
  const command = {
    command: "/bin/sh",
    args: ["-c", "echo waiting for a login >&2; exec sleep 30", stdio.mark],
  };
  // Long enough that a busy machine has started it by then.
  const error = await failure(() => stdio.open({ ...command, timeoutMs: 3_000 }));
  assertEquals([error.code, operatorText(error).split("; ")[1]], [
    "UPSTREAM_TIMEOUT",
    "the end of its stderr: waiting for a login",
  ]);
});

Deno.test("A process that writes noise around its messages works", async () => {
  await using stdio = setUp();
  const { args: counter } = counterLaunch(stdio.mark);
  const level = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "up" } };
  const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
  const lines = (...messages: unknown[]) =>
    messages.map((message) => `${JSON.stringify(message)}\n`).join("");
  /** What it writes first, and how `sed` changes each line of its messages. */
  const cases: Record<string, readonly [first: string, edit: string]> = {
    "a banner": ["✅ Server v1.0 started on stdio\n\n  \n", ""],
    "ANSI and a tab": ["\x1b[1;32m INFO\x1b[0m\tready\r\n", ""],
    "broken JSON": ["{not json}\n[1,2\n\x01\n", ""],
    "JSON that is no message": ['123\n"text"\nnull\n[]\n{}\n', ""],
    "a structured log": ['{"level":30,"msg":"up"}\n{"id":null}\n', 's/$/\\n{"level":20}/'],
    "early notifications": [lines(level, changed), ""],
    "a question before it is asked": [lines({ jsonrpc: "2.0", id: "q", method: "ping" }), ""],
    "CR LF and empty lines": ["\r\n", "s/$/\\r\\n\\r/"],
    "byte order marks": ["\ufeff\n", "s/^/\ufeff/"],
  };
  await Promise.all(
    Object.entries(cases).map(async ([name, [first, edit]]) => {
      const script = 'printf %s "$1"; sed_script=$2; shift 2; /bin/sh "$@" | sed -u "$sed_script"';
      const args = ["-c", script, stdio.mark, first, edit, ...counter];
      const session = await stdio.open({ command: "/bin/sh", args, name });
      assertEquals(
        [await callTool(session, "increment"), await callTool(session, "increment")],
        ["1", "2"],
        name,
      );
    }),
  );
});

Deno.test("A process that writes something else than messages to its output is told by its first line", async () => {
  await using stdio = setUp();
  const answer = { jsonrpc: "2.0", id: 1, result: { capabilities: {} } };
  const text = JSON.stringify(answer);
  const notice = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}';
  const quoted = (line: string) => `its stdout: "${line}"`;
  const cases: Record<string, { written: string; then?: string; told: string | undefined }> = {
    "JSON over several lines": { written: `${JSON.stringify(answer, null, 2)}\n`, told: quoted("{") },
    "a prefix of a log": { written: `\x1b[32m[info]\x1b[0m ${text}\n`, told: quoted(`[info] ${text}`) },
    "the framing of LSP": {
      written: `Content-Length: ${text.length}\r\n\r\n${text}`,
      told: quoted(`Content-Length: ${text.length}`),
    },
    "a structured log": {
      written: '{"level":"info","msg":"up"}\n',
      told: quoted('{"level":"info","msg":"up"}'),
    },
    "a banner with the key": { written: "ready\tKEY=a key\n", told: quoted("ready KEY=***") },
    "a long line": { written: `${"y".repeat(5_000)}\n`, told: quoted(`${"y".repeat(200)}…`) },
    "its usage": { written: "Usage: tool FILE\n", then: "exit 2", told: quoted("Usage: tool FILE") },
    "and its stderr": {
      written: "Starting…\n",
      then: "echo no licence >&2; exit 1",
      told: `${quoted("Starting…")}; the end of its stderr: no licence`,
    },
    "a banner, then a message": { written: `Starting…\n${notice}\n`, told: undefined },
  };
  await Promise.all(
    Object.entries(cases).map(async ([name, { written, then = "exec sleep 30", told }]) => {
      const args = ["-c", `printf %s "$1"; ${then}`, stdio.mark, written];
      const error = await failure(() =>
        stdio.open({ command: "/bin/sh", args, env: { KEY: "a key" }, timeoutMs: 5_000 })
      );
      const words = operatorText(error);
      assertEquals(publicPart(words), error.message, name);
      const end = told === undefined ? "" : `; it wrote something else than MCP messages to ${told}`;
      assertEquals(words, error.message + end, name);
    }),
  );
});

Deno.test("A command is looked up in the PATH of its registration", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.symlink("/bin/sh", `${folder}/own-sh`);
  await using stdio = setUp();
  const { code } = await failure(() => stdio.open({ command: "own-sh" }));
  assertEquals(code, "UPSTREAM_CONNECT_FAILED");
  const session = await stdio.open({
    ...counterLaunch(stdio.mark),
    command: "own-sh",
    env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
  });
  await session.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("A process that closes its output and ends later has ended by itself", async () => {
  await using stdio = setUp();
  const { mark } = stdio;
  // Later than the gateway waits for the exit code of a process that has closed its output.
  const command = { command: "/bin/sh", args: ["-c", "exec >&-; sleep 1; exit 7", mark] };
  await assertRejects(() => stdio.open(command), SluiceError);
  const ends = () => stdio.log().filter(({ event }) => event === "upstream process ended by itself");
  await waitFor(() => ends().length > 0, { what: "the end to be in the log" });
  assertEquals(ends().map(({ how }) => how), ["exit code 7"]);
});

Deno.test("A process that does not read or answer keeps a caller no longer than its deadline", async () => {
  await using stdio = setUp();
  const connection = await stdio.transport({ how: "deaf" }).connect([], () => {}, {
    deadline: new Deadline(5_000, "A_SETTING"),
  });
  const timeout = await failure(() =>
    connection.request(0, "{}", { deadline: new Deadline(200, "A_SETTING") })
  );
  assertEquals([timeout.code, timeout.params.timeoutMs], ["UPSTREAM_TIMEOUT", 200]);
  // More than the pipe takes, and then more than we keep for it.
  const megabyte = JSON.stringify("x".repeat(1024 * 1024));
  const sends = Array.from(
    { length: 17 },
    () =>
      failure(() =>
        connection.request(Math.random(), megabyte, { deadline: new Deadline(20_000, "A_SETTING") })
      ),
  );
  for (const { code } of await Promise.all(sends)) assertEquals(code, "UPSTREAM_CONNECT_FAILED");
  assertEquals(connection.closed, true);
  await waitFor(() => stdio.alive().length === 0, { what: "its end" });
});

Deno.test("A process that crashes fails the call under way, and its session carries no other", async () => {
  await using stdio = setUp();
  const session = await stdio.open();
  const { code, params } = await failure(() => callTool(session, "crash"));
  assertEquals([code, params], ["UPSTREAM_CLOSED", { upstream: "up", sent: 1 }]);
  assertEquals(session.closed, true);
  assertEquals((await failure(() => callTool(session, "increment"))).params.sent, 0);
  const ended = await waitFor(
    () => stdio.log().find(({ event }) => event === "upstream process ended by itself"),
    { what: "its end in the log" },
  );
  assertEquals([ended.how, ended.upstream], ["exit code 7", "up"]);
});

Deno.test("An answer beyond the size limit fails its call and leaves the process with its state", async () => {
  await using stdio = setUp();
  const session = await stdio.open();
  assertEquals(await callTool(session, "increment"), "1");
  const { code, params } = await failure(() => callTool(session, "long"));
  assertEquals([code, params.limit], ["UPSTREAM_RESPONSE_TOO_LARGE", 100_000]);
  assertEquals(await callTool(session, "increment"), "2");
});

Deno.test("A program or folder that is not there is an error in words, and starts nothing", async () => {
  await using stdio = setUp();
  const reasons: unknown[] = [];
  for (
    const launch of [{ command: "no-such-program" }, { command: "./stdio_counter.sh" }, { cwd: "/no/such" }]
  ) {
    const { code, params } = await failure(() => stdio.open(launch));
    assertEquals(code, "UPSTREAM_CONNECT_FAILED");
    reasons.push(params.reason);
  }
  assertEquals(reasons, [
    'no executable program "no-such-program" was found',
    'no executable program "./stdio_counter.sh" was found',
    'the working directory "/no/such" does not exist',
  ]);
  assertEquals(stdio.processes.size, 0);
});

Deno.test("No more processes run than the limits allow, in all and for one upstream; an ended one makes room", async () => {
  await using stdio = setUp({ stdioMaxProcesses: 3, stdioMaxProcessesPerUpstream: 2 });
  const [first] = [await stdio.open({ name: "a" }), await stdio.open({ name: "a" })];
  const own = await failure(() => stdio.open({ name: "a" }));
  assertEquals([own.code, own.params.setting], ["STDIO_LIMIT_REACHED", "STDIO_MAX_PROCESSES_PER_UPSTREAM"]);
  await stdio.open({ name: "b" });
  const all = await failure(() => stdio.open({ name: "b" }));
  assertEquals([all.code, all.params.setting], ["STDIO_LIMIT_REACHED", "STDIO_MAX_PROCESSES"]);
  await first!.close();
  assertEquals(await callTool(await stdio.open({ name: "a" }), "increment"), "1");
});

Deno.test("A process gets the variables on our list and its own, and none of ours besides", async () => {
  const ours: Record<string, string> = { PATH: Deno.env.get("PATH")!, JWT_SECRET_KEY: "hush", LANG: "C" };
  await using stdio = setUp({ environment: (name) => ours[name] });
  const text = await callTool(await stdio.open({ env: { API_KEY: "theirs" } }), "env");
  const names = text.trim().split(" ").map((pair) => pair.split("=")[0]!);
  // The shell adds its own.
  const found = names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name)).sort();
  assertEquals(found, ["API_KEY", "LANG", "PATH"]);
});

Deno.test("A process that nobody calls ends after the idle time", async () => {
  await using stdio = setUp({ stdioIdleMs: 300 });
  const session = await stdio.open();
  assertEquals(await callTool(session, "increment"), "1");
  await waitFor(() => session.closed && stdio.alive().length === 0, { what: "the idle process to end" });
});

Deno.test("retire() lets the call under way finish and ends the process then", async () => {
  await using stdio = setUp();
  const session = await stdio.open();
  const answer = callTool(session, "increment");
  session.retire();
  assertEquals(await answer, "1");
  await waitFor(() => session.closed && stdio.alive().length === 0, { what: "the retired process to end" });
});

Deno.test("100 processes opened and ended leave no descriptor", async () => {
  await using stdio = setUp();
  const round = async (count: number) => {
    for (let i = 0; i < count; i += 10) {
      const sessions = await Promise.all(Array.from({ length: 10 }, () => stdio.open()));
      await Promise.all(
        sessions.map((session, k) => k % 2 ? session.close() : callTool(session, "crash").catch(() => {})),
      );
      await waitFor(() => stdio.processes.size === 0, { what: "the round's end" });
    }
  };
  await round(10);
  const before = openFds(Deno.pid);
  await round(100);
  await waitFor(() => openFds(Deno.pid) <= before, { what: `no more than ${before} descriptors` });
});
