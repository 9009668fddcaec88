// `sluice stdio`: the gateway as the one MCP server of a client that starts it, and as a bridge to one that runs already.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startConformanceUpstream } from "../conformance/upstream_process.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import {
  connectStdioSessionless,
  connectStdioV1,
  connectStdioV2,
  type StdioCommand,
} from "../support/duplex_clients.ts";
import { inspectStdio } from "../support/mcp_clients.ts";
import { INITIALIZE, toolCall } from "../support/mcp_post.ts";
import { assertWithin } from "../support/pace.ts";
import { claimsOf } from "../support/sessionless_parts.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { spawnStdio, stdioCommand } from "../support/stdio_command.ts";
import { counterLaunch } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const textOf = (result: { content: { text: string }[] }) => result.content[0]!.text;

Deno.test("SDK clients and the Inspector start `sluice stdio` as their server, and reach the upstreams of the registry", async (t) => {
  await using upstream = await startConformanceUpstream("sessions");
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start({ env: { MCP_REVISIONS: "all" } });
  // `sluice stdio` has the settings of the file beside the database.
  await Deno.writeTextFile(`${sluice.cwd}/.env`, "MCP_REVISIONS=all\n");
  await sluice.registerUpstream("up", upstream.url);
  const { body: tools } = await sluice.api("GET", "/tools");
  const chosen = tools.find((tool: { originalName: string }) => tool.originalName === "test_simple_text").id;
  await sluice.api("POST", "/servers", {
    server: { id: "one", name: "One", associated_tools: [chosen], revisions: "all" },
  });

  const clients = [
    ["v1", connectStdioV1],
    ["v2", connectStdioV2],
    ["v2 of 2026-07-28", (command: StdioCommand) => connectStdioSessionless(command, "stateless")],
  ] as const;
  for (const [name, connect] of clients) {
    await t.step(`SDK ${name}: calls, sampling, elicitation`, async () => {
      await using client = await connect(stdioCommand(sluice.cwd));
      assert(textOf(await client.callTool("up-test-simple-text")).length > 0);
      const sampled = await client.callTool("up-test-sampling", { prompt: "2+2" });
      assert(textOf(sampled).includes("four"), textOf(sampled));
      const elicited = await client.callTool("up-test-elicitation", { message: "Who?" });
      assert(textOf(elicited).includes("ann@example.com"), textOf(elicited));
    });
    await t.step(`SDK ${name}: a virtual server shows its own tools only`, async () => {
      await using client = await connect(stdioCommand(sluice.cwd, "--server", "one"));
      assertEquals((await client.listTools()).tools.map((tool) => tool.name), ["up-test-simple-text"]);
    });
    await t.step(`SDK ${name}: --url goes to the running gateway, with its token`, async () => {
      const tokenFile = `${sluice.cwd}/token`;
      await Deno.writeTextFile(tokenFile, `${await sluice.token()}\n`, { mode: 0o600 });
      const args = ["--url", sluice.url, "--token-file", tokenFile];
      {
        await using client = await connect(stdioCommand(sluice.cwd, ...args, "--server", "one"));
        assertEquals((await client.listTools()).tools.map((tool) => tool.name), ["up-test-simple-text"]);
        assert(textOf(await client.callTool("up-test-simple-text")).length > 0);
      }
      await using client = await connect(stdioCommand(sluice.cwd, ...args));
      const sampled = await client.callTool("up-test-sampling", { prompt: "2+2" });
      assert(textOf(sampled).includes("four"), textOf(sampled));
      const elicited = await client.callTool("up-test-elicitation", { message: "Who?" });
      assert(textOf(elicited).includes("ann@example.com"), textOf(elicited));
    });
  }

  await t.step("SDK v2 finds out that it can speak 2026-07-28", async () => {
    await using client = await connectStdioSessionless(stdioCommand(sluice.cwd), "auto");
    assertEquals(client.revision, "2026-07-28");
    assert(textOf(await client.callTool("up-test-simple-text")).length > 0);
  });

  await t.step("SDK v2 of 2026-07-28 cancels a call, and listens until it does not want to", async () => {
    await using slow = SlowUpstream.start({ delayMs: Infinity });
    await sluice.registerUpstream("slow", slow.url);
    await using client = await connectStdioSessionless(stdioCommand(sluice.cwd), "stateless");
    const cancel = new AbortController();
    const call = client.callUntil(cancel.signal, "slow-slow").then(() => "answered", () => "cancelled");
    await waitFor(() => slow.calls === 1, { what: "the call" });
    cancel.abort();
    assertEquals(await call, "cancelled");
    await waitFor(() => slow.abandoned === 1, { what: "the upstream to be left" });
    const listening = await client.listen({ toolsListChanged: true });
    await using another = SlowUpstream.start({ delayMs: 1 });
    await sluice.registerUpstream("another", another.url);
    await waitFor(() => client.heard.length > 0, { what: "the news" });
    await listening.close();
    const { length } = client.heard;
    await using last = SlowUpstream.start({ delayMs: 1 });
    await sluice.registerUpstream("last", last.url);
    // It keeps the list that it has, as it was told that it may.
    await waitFor(() => client.callTool("last-slow"), { what: "the new tool", everyMs: 200 });
    assertEquals([await listening.closed, client.heard.length], ["local", length]);
  });

  await t.step("the Inspector CLI lists and calls", async () => {
    const command = stdioCommand(sluice.cwd, "--server", "one");
    const listed = await inspectStdio(command, ["--method", "tools/list"]);
    assertEquals((listed as { tools: { name: string }[] }).tools.map(({ name }) => name), [
      "up-test-simple-text",
    ]);
    const call = ["--method", "tools/call", "--tool-name", "up-test-simple-text"];
    assert(textOf(await inspectStdio(command, call) as { content: { text: string }[] }).length > 0);
  });

  await t.step("what is registered meanwhile is there, and the client hears of it", async () => {
    await using client = await connectStdioV1(stdioCommand(sluice.cwd));
    await client.listTools();
    await sluice.registerUpstream("counter", counter.url);
    await waitFor(() => client.heard.includes("notifications/tools/list_changed"), { what: "the news" });
    assertEquals(textOf(await client.callTool("counter-increment")), "1");
    assertEquals(textOf(await client.callTool("counter-increment")), "2");
    assertEquals(counter.liveSessions, 1);
  });
  await t.step("upstream sessions end with the process", async () => {
    await waitFor(() => counter.liveSessions === 0, { what: "the upstream session to be ended" });
  });
});

Deno.test("`sluice stdio`, started in another folder, has the settings of the .env beside the database", async () => {
  const gatewayFolder = await Deno.makeTempDir({ prefix: "sluice_stdio_home_" });
  const clientFolder = await Deno.makeTempDir({ prefix: "sluice_stdio_client_" });
  await Deno.writeTextFile(`${gatewayFolder}/.env`, "STDIO_ENABLED=true\n");
  await Deno.writeTextFile(`${clientFolder}/.env`, "LOG_LEVEL=WARNING\n");
  {
    await using sluice = await Sluice.start({ cwd: gatewayFolder });
    const body = { name: "process", transport: "STDIO", ...counterLaunch(`mark-${crypto.randomUUID()}`) };
    assertEquals((await sluice.api("POST", "/gateways", body)).status, 200);
  }
  await Deno.writeTextFile(`${gatewayFolder}/.env`, "LOG_LEVEL=ERROR\n", { append: true });
  const command = stdioCommand(clientFolder);
  const env = { ...command.env, DATABASE_URL: `sqlite:///${gatewayFolder}/mcp.db` };
  {
    await using client = await connectStdioV1({ ...command, env });
    assertEquals(textOf(await client.callTool("process-increment")), "1");
  }
  const { stdout } = await new Deno.Command(command.command, {
    args: [...command.args.slice(0, -1), "config"],
    cwd: clientFolder,
    env,
    clearEnv: true,
  }).output();
  const shown = new TextDecoder().decode(stdout).replaceAll(/ +/g, " ");
  assertStringIncludes(shown, `STDIO_ENABLED true ${gatewayFolder}/.env`);
  assertStringIncludes(shown, "LOG_LEVEL WARNING .env");
  for (const folder of [gatewayFolder, clientFolder]) await Deno.remove(folder, { recursive: true });
});

Deno.test("`sluice stdio` answers what was piped in before it ends, and says what is no message", async () => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_stdio_" });
  const command = stdioCommand(cwd);
  const server = spawnStdio({ ...command, env: { ...command.env, MAX_BODY_BYTES: "2048" } });
  const { say, sayBytes, writer, messages, ended, stderr } = server;
  await say(INITIALIZE);
  await sayBytes(new TextEncoder().encode("\r\n\n  \nnonsense\r\n"));
  await sayBytes(new Uint8Array([0x22, 0xff, 0xfe, 0x22, 0x0a]));
  await sayBytes(new TextEncoder().encode(`"${"x".repeat(100_000)}"\n`));
  await say({ jsonrpc: "2.0", id: "é", method: "ping" });
  await say(toolCall("nothing", {}, 9));
  // The last line has no end: it is no message.
  await sayBytes(new TextEncoder().encode('{"jsonrpc":"2.0","id":10,"method":"ping"}'));
  await writer.close();
  assertEquals(await ended(), 0);
  const answers = messages().map(({ id, error }) => [id, error?.data.code ?? "result"]);
  assertEquals(
    new Map(answers.map(([id, code]) => [
      `${id} ${code}`,
      answers.filter((a) => `${a[0]} ${a[1]}` === `${id} ${code}`).length,
    ])),
    new Map([
      ["null PARSE_ERROR", 2],
      ["null BODY_TOO_LARGE", 1],
      ["0 result", 1],
      ["é result", 1],
      ["9 TOOL_NOT_FOUND", 1],
    ]),
  );
  assert(stderr.lines.every((line) => line.startsWith("{")), "the log, on standard error");
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("`sluice stdio --url` answers what was piped in before it ends", async () => {
  await using slow = SlowUpstream.start({ delayMs: 1_000 });
  await using sluice = await Sluice.start();
  await sluice.registerUpstream("slow", slow.url);
  const tokenFile = `${sluice.cwd}/token`;
  await Deno.writeTextFile(tokenFile, await sluice.token());
  const command = stdioCommand(sluice.cwd, "--url", sluice.url, "--token-file", tokenFile);
  const { say, writer, messages, ended } = spawnStdio(command);
  await say(INITIALIZE);
  await say(toolCall("slow-slow", {}, 9));
  await writer.close();
  assertEquals(await ended(), 0);
  assertEquals(messages().map(({ id, result }) => [id, result !== undefined]), [[0, true], [9, true]]);
});

Deno.test("`sluice stdio` ends with its input or on SIGTERM whoever listens, and says so to them (timed)", async (t) => {
  const listen = {
    jsonrpc: "2.0",
    id: "l",
    method: "subscriptions/listen",
    params: { notifications: { toolsListChanged: true }, _meta: claimsOf() },
  };
  const cwd = await Deno.makeTempDir({ prefix: "sluice_stdio_" });
  for (const how of ["the end of its input", "SIGTERM"] as const) {
    await t.step(how, async () => {
      const { child, say, writer, messages, ended } = spawnStdio(stdioCommand(cwd));
      await say(listen);
      await waitFor(() => messages().length === 1, { what: "the acknowledgement" });
      const before = performance.now();
      if (how === "SIGTERM") child.kill("SIGTERM");
      else await writer.close();
      assertEquals(await ended(), 0);
      await assertWithin(performance.now() - before, 2_000, "The end");
      assertEquals(messages().map(({ id, method }) => method ?? id), [
        "notifications/subscriptions/acknowledged",
        "l",
        "notifications/cancelled",
      ]);
      await writer.close().catch(() => {});
    });
  }
  await t.step("SIGTERM, with more to say than the pipe holds and a client that reads late", async () => {
    const { cwd: at, ...command } = stdioCommand(cwd);
    const child = new Deno.Command(command.command, {
      ...command,
      args: [...command.args],
      cwd: at,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const ids = Array.from({ length: 20 }, (_, i) => `${i}${"x".repeat(10_000)}`);
    const requests = ids.map((id) => `${JSON.stringify({ ...listen, id })}\n`).join("");
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(requests));
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    while (heard.split("\n").length <= ids.length) heard += (await reader.read()).value;
    child.kill("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let more = await reader.read(); !more.done; more = await reader.read()) heard += more.value;
    assertEquals((await child.status).code, 0);
    const said = heard.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(said.filter(({ id }) => ids.includes(id)).length, ids.length);
    assertEquals(
      said.filter(({ method }) => method === "notifications/cancelled").map(({ params }) => params.requestId),
      ids,
    );
    await writer.close().catch(() => {});
  });
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("`sluice stdio` ends on SIGTERM at once, with its upstream sessions closed, and on mistakes with their codes (timed)", async (t) => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start();
  await sluice.registerUpstream("counter", counter.url);
  const command = stdioCommand(sluice.cwd);

  await t.step("SIGTERM", async () => {
    const { child, say, messages, ended, writer } = spawnStdio(command);
    await say(INITIALIZE);
    await say(toolCall("counter-increment"));
    await waitFor(() => messages().length === 2, { what: "two answers" });
    assertEquals(counter.liveSessions, 1);
    const before = performance.now();
    child.kill("SIGTERM");
    assertEquals(await ended(), 0);
    // A client would kill it after 2 s.
    await assertWithin(performance.now() - before, 2_000, "The end");
    await waitFor(() => counter.liveSessions === 0, { what: "the upstream session to be ended" });
    await writer.close().catch(() => {});
  });

  const mistakes: readonly [args: string[], code: number, words: RegExp][] = [
    [["--server", "nothing"], 2, /--server: there is no virtual server with the id "nothing"/],
    [["--token-file", "x"], 2, /--token-file needs --url/],
    [["--url", "ftp://x"], 2, /--url must be an http/],
    [["--url", sluice.url, "--token-file", "/nowhere"], 2, /--token-file \/nowhere/],
  ];
  for (const [args, code, words] of mistakes) {
    await t.step(`exit code ${code}: stdio ${args.join(" ").replaceAll(sluice.url, "URL")}`, async () => {
      const { ended, stderr, writer, messages } = spawnStdio({
        ...command,
        args: [...command.args, ...args],
      });
      assertEquals([await ended(), messages()], [code, []]);
      assertMatch(stderr.lines.join("\n"), words);
      await writer.close().catch(() => {});
    });
  }
});
