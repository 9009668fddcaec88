// The latest lines of the log: filters, who may read them, and following them, over REST and by `sluice logs`.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FROM_SOURCE, runCli, shellWords } from "../support/cli.ts";
import { ChildOutput } from "../support/child_output.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { EventStreamClient } from "../support/event_stream_client.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

interface Line {
  readonly id: string;
  readonly message: string;
  readonly logger: string;
  readonly level: string;
  readonly request_id: string | null;
  readonly caller: string | null;
  readonly tool: string | null;
  readonly upstream: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

Deno.test("A condition that cannot be read is refused under its flag's name, before a gateway is asked", async () => {
  const { code, err } = await runCli([
    "logs",
    ...["--since", "5x", "--level", "LOUD", "--text", "x".repeat(257)],
    ...["--url", "http://127.0.0.1:1"],
  ], { cwd: Deno.cwd(), env: { SLUICE_TOKEN: "none" } });
  assertEquals([code, err.trimEnd().split("\n").toSorted()], [2, [
    'sluice: --level must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not "LOUD"',
    'sluice: --since must be a time in ISO 8601, or a span like 15m, not "5x"',
    `sluice: --text must have at most 256 characters, not "${"x".repeat(40)}"`,
    "sluice: Try: sluice logs --help",
  ]]);
});

Deno.test("The log is filtered, followed, and shown only to whoever may read it", async (t) => {
  await using counter = CounterUpstream.start();
  await using sluice = await Sluice.start({ env: { DISABLE_ACCESS_LOG: "false" } });
  await sluice.registerUpstream("counter", counter.url);
  const find = async (query: string): Promise<Line[]> =>
    (await sluice.api("GET", `/logs?${query}`)).body.logs;
  const user = await sluice.token({ admin: false, username: "bob@example.com" });
  const call = (token?: string) => sluice.rpc("tools/call", { name: "counter-get", arguments: {} }, token);

  await t.step("lines of all workers, by each filter", async () => {
    const loggers = new Set<string>();
    await waitFor(async () => {
      // Calls at once take connections of their own.
      await Promise.all(Array.from({ length: 8 }, () => call(user)));
      for (const { logger } of await find("tool=counter-get")) loggers.add(logger);
      return loggers.size === 2;
    }, { what: "lines of both workers" });
    await call();
    await waitFor(async () => (await find("tool=counter-get&caller=admin@example.com")).length === 1, {
      what: "the administrator's call",
    });
    const [own] = await find("caller=bob@example.com&limit=1");
    assertEquals([own!.caller, own!.tool, own!.upstream, own!.message], [
      "bob@example.com",
      "counter-get",
      "counter",
      "request",
    ]);
    assertEquals((await find(`correlation_id=${own!.request_id}`)).map(({ id }) => id), [own!.id]);
    const refused = await sluice.api("POST", "/gateways", {
      name: "nobody",
      url: "http://127.0.0.1:1/?api_key=hunter2",
    });
    const lines = await waitFor(async () => {
      const found = await find(`correlation_id=${refused.body.correlationId}`);
      return found.length === 2 ? found : null;
    }, { what: "the failure and its request" });
    assertEquals(lines.map(({ message, level }) => `${message} ${level}`).toSorted(), [
      "request INFO",
      "request failed WARNING",
    ]);
    const failed = await find("upstream=nobody&level=warning&since=5m&q=refused");
    assertEquals(failed.map(({ data }) => data.code), ["UPSTREAM_CONNECT_FAILED"]);
    assert(!JSON.stringify(lines).includes("hunter2"));
    const answers = ["since=yesterday", "level=loud", "limit=0"].map(async (query) =>
      (await sluice.api("GET", `/logs?${query}`)).status
    );
    assertEquals(await Promise.all(answers), [422, 422, 422]);
  });

  await t.step(
    "a caller without the permission reads nothing, and nobody reads the token of the first start",
    async () => {
      const narrow = await sluice.token({ claims: { scopes: { permissions: ["tools.read"] } } });
      for (const path of ["/logs", "/logs/stream", "/admin/logs", "/admin/logs/stream", "/settings"]) {
        for (const token of [user, narrow]) {
          assertEquals([path, (await sluice.api("GET", path, undefined, token)).status], [path, 403]);
        }
        assertEquals((await sluice.api("GET", path, undefined, null)).status, 401);
      }
      assertEquals(sluice.log().filter(({ event }) => event === "no users yet").length, 1);
      assertEquals(await find("q=no users yet"), []);
    },
  );

  await t.step("new lines come to a stream, and to the command", async () => {
    const headers = { authorization: `Bearer ${await sluice.token()}` };
    await using stream = await EventStreamClient.open(sluice, "/logs/stream?caller=bob@example.com", {
      headers,
    });
    const file = `${sluice.cwd}/token`;
    await Deno.writeTextFile(file, await sluice.token());
    const where = ["--url", sluice.url, "--token-file", file];
    const [program, ...words] = [
      ...FROM_SOURCE,
      "logs",
      "--follow",
      "--tool",
      "counter-get",
      "--limit",
      "1",
      ...where,
    ];
    const command = new Deno.Command(program!, { args: words, stdout: "piped", stderr: "null" }).spawn();
    const output = new ChildOutput(command.stdout);
    await waitFor(() => output.lines.length === 1, { what: "the lines so far" });
    const before = stream.messages.length;
    const { headers: answered } = await fetch(`${sluice.url}/rpc`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${user}`,
        "content-type": "application/json",
        "x-correlation-id": "the-new-call",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "counter-get", arguments: {} },
      }),
    }).then(async (response) => {
      await response.body?.cancel();
      return response;
    });
    assertEquals(answered.get("x-correlation-id"), "the-new-call");
    await waitFor(
      () => stream.messages.slice(before).some(({ request_id }) => request_id === "the-new-call"),
      {
        what: "the line on the stream",
      },
    );
    await waitFor(() => output.lines.some((line) => line.includes("correlationId=the-new-call")), {
      what: "the line of the command",
    });
    command.kill();
    await Promise.all([command.status, output.ended]);

    const { code, out } = await runCli(["logs", "--correlation-id", "the-new-call", "--json", ...where], {
      cwd: sluice.cwd,
    });
    assertEquals([code, JSON.parse(out).caller], [0, "bob@example.com"]);
    const { err } = await runCli(["logs", "--correlation-id", "nobody's", ...where], { cwd: sluice.cwd });
    assertStringIncludes(err, "No line fits. The gateway keeps lines since 2");
    assertStringIncludes(err, "Calls have lines if DISABLE_ACCESS_LOG=false.");

    // `head` has seen enough after one line: the command ends with the next one.
    const follow = shellWords(...FROM_SOURCE, "logs", "--follow", "--limit", "1", ...where);
    const reader = new Deno.Command("sh", {
      args: ["-c", `${follow} | head -n 1`],
      cwd: sluice.cwd,
      stdout: "piped",
      stderr: "piped",
    }).output();
    const said: string[] = [];
    void reader.then(({ stderr }) => said.push(new TextDecoder().decode(stderr)));
    await waitFor(async () => {
      await sluice.api("GET", "/tools");
      return said.length > 0;
    }, { what: "the end of the command" });
    assertEquals(said, [""]);
  });

  await t.step("an open stream does not keep the gateway from ending", async () => {
    const headers = { authorization: `Bearer ${await sluice.token()}` };
    await using stream = await EventStreamClient.open(sluice, "/logs/stream?q=nothing+has+this", { headers });
    const stopped = performance.now();
    Deno.kill(sluice.pid, "SIGTERM");
    await stream.ended;
    assertEquals(await sluice.exit(), 0);
    assert(performance.now() - stopped < 30_000);
  });
});
