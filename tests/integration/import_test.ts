// The file that a user has already: `sluice import`, and registrations that the leader tries by itself.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FROM_SOURCE, runCli, shellWords, Terminal } from "../support/cli.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { freePort } from "../support/free_port.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { metric } from "../support/metric.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { Sluice } from "../support/sluice.ts";
import { startEverything } from "../support/upstream_everything.ts";
import { waitFor } from "../support/wait_for.ts";

const SECRET = "the-secret-of-the-file";

/** Six servers as a desktop client has them, one that is switched off, and one whose program is not there. */
function desktopFile(folder: string): string {
  const servers = {
    filesystem: npmProgram("mcp-server-filesystem", folder),
    documents: npmProgram("mcp-server-filesystem", folder, "/tmp"),
    memory: { ...npmProgram("mcp-server-memory"), env: { MEMORY_FILE_PATH: `${folder}/memory.json` } },
    everything: { ...npmProgram("mcp-server-everything"), env: { API_KEY: SECRET } },
    time: { ...npmProgram("time-mcp"), autoApprove: ["current_time"], timeout: 60 },
    clock: { ...npmProgram("time-mcp"), env: { TZ: "\${CLOCK_ZONE}" } },
    old: { command: `${folder}/must-not-be-started`, disabled: true },
    missing: { command: "no-such-program" },
  };
  const text = JSON.stringify({ theme: "dark", mcpServers: servers }, null, 2);
  return text.replace(/^\{/, "// claude_desktop_config.json\n{").replace(/\n\}$/, ",\n}");
}

Deno.test("`sluice import` takes six servers of a desktop client's file, and a second run changes nothing", async () => {
  await using sluice = await Sluice.start({ env: { STDIO_ENABLED: "true", JWT_SECRET_KEY: "" } });
  const { cwd } = sluice;
  await Deno.writeTextFile(`${cwd}/claude.json`, desktopFile(cwd));
  await Deno.writeTextFile(`${cwd}/must-not-be-started`, `#!/bin/sh\ntouch ${cwd}/was-started\n`, {
    mode: 0o755,
  });
  const env = { PORT: String(sluice.port), COLUMNS: "80" };

  const first = await runCli(["import", "claude.json"], { cwd, env });
  assertEquals(first.code, 1, first.err);
  assertStringIncludes(first.out, "the variable CLOCK_ZONE has no value");
  assertStringIncludes(first.out, "import claude.json --input CLOCK_ZONE=VALUE");
  assertStringIncludes(first.out, 'no executable program\n              "no-such-program" was found');
  assertStringIncludes(first.out, "Fields without effect in a gateway: autoApprove, timeout.");
  assertMatch(first.err, /^ +everything +starting\n/m);
  assertMatch(first.err, /^ +everything +listing its tools\n/m);
  for (const line of first.out.split("\n").filter((line) => !line.includes(" import "))) {
    assert(line.length <= 80, line);
  }

  const flags = ["import", "claude.json", "--input", "CLOCK_ZONE", "--json"];
  const second = await runCli(flags, { cwd, env: { ...env, CLOCK_ZONE: "UTC" } });
  const outcomes = ({ out }: { out: string }) =>
    JSON.parse(out).servers.map(({ name, outcome }: Record<string, string>) => `${name} ${outcome}`);
  const six = ["filesystem", "documents", "memory", "everything", "time"].map((name) => `${name} unchanged`);
  assertEquals(outcomes(second), [...six, "clock taken", "old unchanged", "missing failed"]);
  const third = await runCli(flags, { cwd, env: { ...env, CLOCK_ZONE: "UTC" } });
  assertEquals(outcomes(third), [...six, "clock unchanged", "old unchanged", "missing failed"]);

  const token = (await runCli(["token", "--admin"], { cwd })).out.trim();
  const { body: gateways } = await sluice.api("GET", "/gateways?include_inactive=true", undefined, token);
  assertEquals(gateways.map(({ name }: { name: string }) => name).sort(), [
    ...["clock", "documents", "everything", "filesystem", "memory", "old", "time"],
  ]);
  assert(
    await Deno.stat(`${cwd}/was-started`).then(() => false, () => true),
    "the disabled server was started",
  );
  const call = await sluice.rpc(
    "tools/call",
    { name: "everything-echo", arguments: { message: "hi" } },
    token,
  );
  assertEquals(call.body.result.content[0].text, "Echo: hi");
  const all = JSON.stringify([first, second, third, gateways, sluice.stdout.lines, sluice.stderr.lines]);
  assertEquals(all.includes(SECRET), false);
});

Deno.test("`sluice import` says what is wrong with the file, the gateway and the token, in one sentence each", async () => {
  await using sluice = await Sluice.start({ env: { WORKERS: "1", JWT_SECRET_KEY: "" } });
  const { cwd } = sluice;
  const port = String(freePort());
  for (
    const [name, text] of [
      ["empty.json", ""],
      ["wrong.json", '{\n  "mcpServers": {\n    "a": { "command" "x" }\n  }\n}\n'],
      ["other.json", '{"servers": 1}'],
      ["none.json", '{"mcpServers": {}}'],
      ["one.json", '{"mcpServers": {"a": {"command": "x"}}}'],
      ["bad-token", "nonsense"],
    ]
  ) await Deno.writeTextFile(`${cwd}/${name}`, text!);
  const here = { PORT: String(sluice.port) };
  const cases: [args: string[], env: Record<string, string>, code: number, words: RegExp][] = [
    [["gone.json"], here, 1, /^sluice: Cannot use gone\.json: there is no such file/],
    [["."], here, 1, /^sluice: Cannot use \.: it is a directory/],
    [["empty.json"], here, 1, /Cannot use empty\.json: the file is empty$/m],
    [["wrong.json"], here, 1, /Cannot use wrong\.json: line 3, column 22: a ":" is missing$/m],
    [["other.json"], here, 1, /Cannot use other\.json: "servers" is not an object$/m],
    [["one.json", "--input", "x=1"], here, 2, /--input x: the file has no variable of this name$/m],
    [["one.json", "--token-file", "f"], here, 2, /--token-file needs --url$/m],
    [["one.json"], { PORT: port }, 1, /no gateway answers there .* serve`, or name another one by --url$/m],
    [["one.json", "--url", sluice.url], here, 1, /it needs a token\. Name a file .* by --token-file$/m],
    [
      ["one.json", "--url", sluice.url, "--token-file", "bad-token"],
      here,
      1,
      /it does not accept the token \(the token cannot be read\)\. Put a valid token/,
    ],
    [
      ["one.json", "--url", `${sluice.url}/mcp`, "--token-file", "bad-token"],
      here,
      1,
      /HTTP 404\)\. Leave \/mcp out of --url/,
    ],
    [
      ["one.json", "--url", sluice.url.replace("http:", "https:"), "--token-file", "bad-token"],
      here,
      1,
      /it does not speak TLS on this port\. Use http:\/\/ in --url$/m,
    ],
    [
      ["one.json"],
      { ...here, JWT_SECRET_KEY: "k".repeat(40) },
      1,
      /it does not accept the key of this folder\./,
    ],
  ];
  for (const [args, env, code, words] of cases) {
    const done = await runCli(["import", ...args], { cwd, env });
    assertEquals([done.code, done.out], [code, ""], done.err);
    assertMatch(done.err, words);
    assertEquals(done.err.includes("    at "), false, done.err);
  }
  const none = await runCli(["import", "none.json"], { cwd, env: here });
  assertEquals([none.code, none.out], [0, "none.json names no servers.\n"]);
  // Commands are not allowed here: the report says how they would be.
  const denied = await runCli(["import", "one.json"], { cwd, env: here });
  assertEquals(denied.code, 1);
  assertMatch(denied.out, /stdio upstreams are disabled[\s\S]*serve --mcp-config one\.json$/m);
  const dry = await runCli(["import", "one.json", "--dry-run"], { cwd, env: here });
  assertMatch(dry.out, /^Dry run, nothing was changed\. 1 server: 1 left out\.$/m);

  await using terminal = new Terminal(shellWords(...FROM_SOURCE, "import", "one.json"), {
    cwd,
    env: { ...here, NO_COLOR: "" },
  });
  assertEquals(await terminal.ended(), 1);
  assertStringIncludes(terminal.text, "\x1b[33mleft out\x1b[0m  a");
});

gatewayTest(
  "A gateway that is registered without waiting is tried by one worker until it works",
  async (start) => {
    await using gateway = await start({ LEADER_LEASE_TTL: "3" });
    const port = freePort();
    const url = `http://127.0.0.1:${port}/mcp`;
    const registered = await gateway.api("POST", "/gateways?wait=false", { name: "late", url });
    assertEquals(registered.status, 200);
    // The first try may have failed already.
    assert(["starting", "failed"].includes(registered.body.status), registered.body.status);
    const read = async () => (await gateway.api("GET", `/gateways/${registered.body.id}`)).body;
    const failed = await waitFor(async () => {
      const body = await read();
      return body.status === "failed" && body;
    }, { what: "the failure of the first try" });
    assertMatch(failed.lastError, /Cannot connect to upstream "late"/);
    assertEquals(typeof failed.nextTryAt, "string");
    await using _upstream = CounterUpstream.start({ port });
    await waitFor(async () => (await read()).status === "ready", { what: "a later try" });
    await waitFor(async () => {
      const { body } = await gateway.rpc("tools/list");
      return body.result.tools.some(({ name }: { name: string }) => name === "late-increment");
    }, { what: "its tools" });
    await waitFor(async () => await metric(gateway, "sluice_registrations_total", "ready") === 1, {
      what: "the count",
    });
    assertEquals(await metric(gateway, "sluice_registrations_total", "given_up"), 0);
  },
);

Deno.test("A registration that is not done survives a restart, and is given up after its last try until it is switched on", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_import_" });
  try {
    const port = freePort();
    const env = { JWT_SECRET_KEY: "k".repeat(40), REGISTRATION_MAX_TRIES: "1" };
    let id: string;
    {
      await using first = await Sluice.start({ cwd, env });
      const url = `http://127.0.0.1:${port}/sse`;
      const { body } = await first.api("POST", "/gateways?wait=false", { name: "late", url });
      id = body.id;
      await waitFor(async () => {
        const { body } = await first.api("GET", `/gateways/${id}`);
        return body.status === "failed" && body.nextTryAt === null;
      }, { what: "the last try" });
    }
    await using second = await Sluice.start({ cwd, env });
    assertEquals((await second.api("GET", `/gateways/${id}`)).body.status, "failed");
    // The transport was left open: this upstream speaks SSE only.
    await using _upstream = await startEverything({ port, transport: "sse" });
    await second.api("POST", `/gateways/${id}/state?activate=true`);
    const ready = await waitFor(async () => {
      const { body } = await second.api("GET", `/gateways/${id}`);
      return body.status === "ready" && body;
    }, { what: "a try after it was switched on" });
    assertEquals([ready.transport, ready.lastError], ["SSE", null]);
    const waited = await second.api("POST", "/gateways", { name: "again", url: ready.url, description: "x" });
    assertEquals(waited.status, 409);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("`serve --mcp-config` starts the file's commands and no others, follows the file, and leaves alone what it did not register", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_import_" });
  try {
    const file = `${cwd}/mcp.json`;
    const write = (mcpServers: Record<string, unknown>) =>
      Deno.writeTextFile(file, `// mine\n${JSON.stringify({ mcpServers })}`);
    const time = { ...npmProgram("time-mcp"), env: { TZ: "\${ZONE}" } };
    const env = { JWT_SECRET_KEY: "k".repeat(40), LOG_LEVEL: "INFO" };
    await write({
      time,
      "no value": { command: "x", args: ["\${NOWHERE}"] },
      off: { command: "y", disabled: true },
    });
    {
      await using sluice = await Sluice.start({
        cwd,
        args: ["--mcp-config", "mcp.json"],
        env: { ...env, ZONE: "UTC" },
      });
      const list = async () => (await sluice.api("GET", "/gateways?include_inactive=true")).body;
      const ready = (name: string) =>
        waitFor(async () => {
          const found = (await list()).find((each: Record<string, unknown>) => each.name === name);
          return found?.status === "ready" && found;
        }, { what: `${name} to be ready` });
      const { id, source, env: variables } = await ready("time");
      assertEquals([source, variables], [`mcp-config:${await Deno.realPath(cwd)}/mcp.json`, { TZ: "*****" }]);
      assertEquals((await list()).map(({ name, status }: Record<string, string>) => [name, status]).sort(), [
        ["off", "disabled"],
        ["time", "ready"],
      ]);
      const tools = (await sluice.rpc("tools/list")).body.result.tools.map(({ name }: { name: string }) =>
        name
      );
      assert(tools.includes("time-current-time"), tools.join());
      for (let i = 0; i < 4; i++) {
        const { body } = await sluice.rpc("tools/call", {
          name: "time-current-time",
          arguments: { format: "YYYY-MM" },
        });
        assertEquals(body.result?.isError ?? false, false, JSON.stringify(body));
      }

      // Nobody else may have a command started, nor change that of the file.
      const denied = await sluice.api("POST", "/gateways", {
        name: "own",
        transport: "STDIO",
        command: "true",
      });
      const changed = await sluice.api("PUT", `/gateways/${id}`, { command: "true" });
      assertEquals([denied.status, changed.status], [403, 403]);
      const claimed = { mcpServers: { own: { command: "true" } }, source: file };
      const { body: report } = await sluice.api("POST", "/import/mcp-servers", claimed);
      assertEquals(report.servers[0].outcome, "left_out");

      await using counter = CounterUpstream.start();
      await sluice.registerUpstream("mine", counter.url);
      await write({ other: npmProgram("mcp-server-memory"), mine: { url: "http://127.0.0.1:9/mcp" } });
      await ready("other");
      await waitFor(
        async () =>
          (await list()).map(({ name }: Record<string, string>) => name).sort().join() === "mine,other",
        { what: "the servers of the new file, and mine" },
      );
      await Deno.writeTextFile(file, "{");
      await waitFor(
        () => sluice.log().some(({ event }) => String(event).startsWith("mcp config not applied")),
        {
          what: "the warning",
        },
      );
      assertEquals((await list()).length, 2);
      const leftOut = sluice.log().filter(({ event }) => event === "server of mcp config left out");
      assertEquals(leftOut.map(({ server }) => server), ["no value", "mine"]);
    }
    // Without the file, its commands are as any other's.
    await using later = await Sluice.start({ cwd, env });
    const { body } = await later.rpc("tools/call", { name: "other-read-graph", arguments: {} });
    assertStringIncludes(JSON.stringify(body), "STDIO_ENABLED");
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
