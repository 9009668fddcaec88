// Upstreams that the gateway starts as processes: registered by REST, called through it, and gone when it is.
import { assert, assertEquals } from "@std/assert";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { connectV1, connectV2 } from "../support/mcp_clients.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { Sluice } from "../support/sluice.ts";
import { counterLaunch, groupMembers, processesWith } from "../support/stdio_upstream.ts";
import { mcpSession } from "../support/mcp_session.ts";
import { waitFor } from "../support/wait_for.ts";

const ENABLED = { STDIO_ENABLED: "true" };

const newMark = () => `mark-${crypto.randomUUID()}`;

async function registerCounter(sluice: Gateway, mark: string, more: Record<string, unknown> = {}) {
  return await sluice.api("POST", "/gateways", {
    name: "counter",
    transport: "STDIO",
    ...counterLaunch(mark),
    ...more,
  });
}

const textOf = (body: { result: { content: { text: string }[] } }) => body.result.content[0]!.text;

Deno.test("Servers from npm work over stdio, from every client", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_stdio_" });
  await Deno.writeTextFile(`${folder}/note.txt`, "from a file");
  await using sluice = await Sluice.start({ env: ENABLED });
  const token = await sluice.token();
  const env = { MEMORY_FILE_PATH: `${folder}/memory.jsonl`, NO_COLOR: "1" };
  const servers = [
    { name: "everything", ...npmProgram("mcp-server-everything"), cwd: folder },
    { name: "files", ...npmProgram("mcp-server-filesystem", folder) },
    { name: "memory", ...npmProgram("mcp-server-memory"), env },
    { name: "clock", ...npmProgram("time-mcp") },
  ];
  for (const server of servers) {
    await t.step(`POST /gateways starts ${server.name} and lists its tools`, async () => {
      const { status, body } = await sluice.api("POST", "/gateways", { transport: "STDIO", ...server });
      assertEquals([status, body.transport, body.stateful], [200, "STDIO", true], JSON.stringify(body));
      assert(body.toolCount > 0);
    });
  }
  for (const [name, connect] of [["v1", connectV1], ["v2", connectV2]] as const) {
    await t.step(`SDK ${name} client calls each of them`, async () => {
      await using client = await connect(`${sluice.url}/mcp`, { token });
      const call = async (tool: string, args: Record<string, unknown>) =>
        JSON.stringify(await client.callTool(tool, args));
      assert((await call("everything-echo", { message: "line\nbreak" })).includes("Echo: line\\nbreak"));
      assert((await call("files-read-text-file", { path: `${folder}/note.txt` })).includes("from a file"));
      const entities = [{ name, entityType: "client", observations: ["was here"] }];
      await call("memory-create-entities", { entities });
      assert((await call("memory-search-nodes", { query: name })).includes("was here"));
      const today = await call("clock-current-time", { format: "YYYY-MM-DD", timezone: "UTC" });
      assert(/\d{4}-\d\d-\d\d/.test(today), today);
      await client.terminate();
    });
  }
  await t.step("progress comes before the result, with the caller's own token", async () => {
    const response = await fetch(`${sluice.url}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({
        ...toolCall("everything-trigger-long-running-operation"),
        params: {
          name: "everything-trigger-long-running-operation",
          arguments: { duration: 0.3, steps: 2 },
          _meta: { progressToken: "mine" },
        },
      }),
    });
    const messages = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map((found) =>
      JSON.parse(found[1]!)
    );
    const tokens = messages.slice(0, -1).map(({ method, params }) => [method, params.progressToken]);
    assertEquals(tokens, Array(2).fill(["notifications/progress", "mine"]));
  });
  await sluice.stop();
  await waitFor(() => processesWith(folder).length === 0, { what: "the end of its processes" });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("POST /gateways starts no process unless the operator allows it, and only for an administrator", async (t) => {
  await t.step("by default never", async () => {
    await using sluice = await Sluice.start();
    const mark = newMark();
    const { status, body } = await registerCounter(sluice, mark);
    assertEquals(status, 403);
    assert(JSON.stringify(body).includes("STDIO_ENABLED=true"), JSON.stringify(body));
  });
  await using sluice = await Sluice.start({
    env: { ...ENABLED, STDIO_ALLOWED_COMMANDS: "/bin/sh,/bin/no-such-program" },
  });
  const mark = newMark();
  await t.step("other commands than the allowed ones never", async () => {
    const { status, body } = await registerCounter(sluice, mark, { command: "/usr/bin/env" });
    assertEquals(status, 403);
    assert(JSON.stringify(body).includes("STDIO_ALLOWED_COMMANDS"), JSON.stringify(body));
  });
  await t.step("others than administrators never", async () => {
    const token = await sluice.token({ username: "bob@example.com", admin: false });
    const body = { name: "counter", transport: "STDIO", ...counterLaunch(mark) };
    assertEquals((await sluice.api("POST", "/gateways", body, token)).status, 403);
  });
  await t.step("a program that is not there is told in words", async () => {
    const { status, body } = await registerCounter(sluice, mark, { command: "/bin/no-such-program" });
    assertEquals(status, 502);
    assert(JSON.stringify(body).includes("no executable program"), JSON.stringify(body));
  });
  await t.step("what contradicts itself is told all at once", async () => {
    const { status, body } = await registerCounter(sluice, mark, {
      command: undefined,
      url: "http://127.0.0.1/",
      auth_token: "t",
      cwd: "relative",
      env: { LD_PRELOAD: "/tmp/x.so", "NOT A NAME": "x", A: "*****" },
    });
    assertEquals(status, 422);
    const where = body.detail.map(({ loc }: { loc: string[] }) => loc.join(".")).sort();
    assertEquals(where, ["body.auth_token", "body.command", "body.cwd", "body.env.NOT A NAME", "body.url"]);
    const faulty = await registerCounter(sluice, mark, { env: { LD_PRELOAD: "/tmp/x.so", A: "*****" } });
    const locs = faulty.body.detail.map(({ loc }: { loc: string[] }) => loc.join(".")).sort();
    assertEquals(locs, ["body.env.A", "body.env.LD_PRELOAD"]);
  });
  assertEquals(processesWith(mark), []);
});

gatewayTest("A command keeps its variables secret; PUT and DELETE end its processes", async (start) => {
  await using sluice = await start({ ...ENABLED, LOG_LEVEL: "DEBUG" });
  const token = await sluice.token();
  const mark = newMark();
  const secret = `hush-${crypto.randomUUID()}`;
  const made = await registerCounter(sluice, mark, { env: { API_KEY: secret, MODE: secret } });
  assertEquals(made.status, 200, JSON.stringify(made.body));
  const { command, args, cwd, env, authType } = made.body;
  assertEquals([command, args, cwd, env, authType], [
    "/bin/sh",
    counterLaunch(mark).args,
    null,
    { API_KEY: "*****", MODE: "*****" },
    null,
  ]);

  const id = await openSession(sluice, { token });
  const envOf = async () =>
    textOf((await post(sluice, toolCall("counter-env"), { token, headers: inSession(id) })).body);
  assert((await envOf()).includes(`API_KEY=${secret}`));
  const [before] = processesWith(mark);

  // What was read is sent back: the mask stands for the secret. One variable is changed, one goes.
  const put = await sluice.api("PUT", `/gateways/${made.body.id}`, {
    ...{ name: "counter", url: made.body.url, command, args, transport: "STDIO" },
    env: { API_KEY: "*****", OTHER: "1" },
  });
  assertEquals(
    [put.status, put.body.env],
    [200, { API_KEY: "*****", OTHER: "*****" }],
    JSON.stringify(put.body),
  );
  const after = await envOf();
  assertEquals([after.includes(secret), after.includes("OTHER=1"), after.includes("MODE=")], [
    true,
    true,
    false,
  ]);
  await waitFor(() => !processesWith(mark).includes(before!), { what: "the former process to end" });

  const moved = await sluice.api("PUT", `/gateways/${made.body.id}`, {
    transport: "SSE",
    url: "http://127.0.0.1:1/sse",
  });
  assertEquals(moved.status, 422);
  assertEquals((await sluice.api("DELETE", `/gateways/${made.body.id}`)).status, 200);
  await waitFor(() => processesWith(mark).length === 0, { what: "the deleted upstream's process to end" });
  const written = sluice.processes.flatMap(({ stdout }) => stdout.lines);
  assertEquals(written.some((line) => line.includes(secret)), false, "the log shows no secret");
});

gatewayTest("Each session has its own process; a crashed one is replaced at the next call", async (start) => {
  await using sluice = await start(ENABLED);
  const token = await sluice.token();
  const mark = newMark();
  await registerCounter(sluice, mark);
  const [one, other] = [await openSession(sluice, { token }), await openSession(sluice, { token })];
  const call = async (id: string, tool = "counter-increment") =>
    (await post(sluice, toolCall(tool), { token, headers: inSession(id) })).body;
  assertEquals([textOf(await call(one)), textOf(await call(one)), textOf(await call(other))], [
    "1",
    "2",
    "1",
  ]);
  await waitFor(() => processesWith(mark).length === 2, { what: "the processes of both sessions alone" });
  // Each replica tells its own.
  const count = async () => String((await sluice.api("GET", "/metrics/prometheus")).body);
  const counted = /^sluice_upstream_processes\{upstream="counter"\} [12]$/m;
  await waitFor(async () => counted.test(await count()), { what: "the upstream's processes to be counted" });

  const { error } = await call(one, "counter-crash");
  assertEquals([error.code, error.data.code], [-31503, "UPSTREAM_CLOSED"]);
  // Repeated, the crash would have ended a second process and said the same: the counts tell.
  const log = () => sluice.log().filter(({ event }) => event === "upstream process ended by itself");
  assertEquals([textOf(await call(one)), textOf(await call(other))], ["1", "2"]);
  await waitFor(() => log().length > 0, { what: "the end of the process to be in the log" });
  assertEquals(log().length, 1);

  // As a crash between two calls.
  const [victim] = processesWith(mark);
  Deno.kill(victim!, "SIGKILL");
  await waitFor(() => log().length === 2, { what: "the end of the process to be noticed" });
  const counts = [textOf(await call(one)), textOf(await call(other))];
  assertEquals(counts.toSorted(), ["1", counts[0] === "1" ? "3" : "2"].toSorted());

  await fetch(`${sluice.url}/mcp`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}`, ...inSession(one) },
  }).then((response) => response.body?.cancel());
  await waitFor(() => processesWith(mark).length === 1, { what: "the ended session's process to end" });
});

Deno.test("An upstream that dies in every handshake is left alone after a while", async () => {
  await using sluice = await Sluice.start({
    env: { ...ENABLED, WORKERS: "1", MCP_SESSION_POOL_CIRCUIT_BREAKER_THRESHOLD: "3" },
  });
  const folder = await Deno.makeTempDir({ prefix: "sluice_stdio_" });
  const script = `${folder}/server.sh`;
  const [, , mark] = counterLaunch(newMark()).args;
  await Deno.copyFile(counterLaunch("").args[0]!, script);
  const { status } = await registerCounter(sluice, mark!, { args: [script, "sound", mark!] });
  assertEquals(status, 200);
  await Deno.writeTextFile(script, `echo started >>${folder}/starts; echo broken >&2; exit 9\n`);
  const codes: string[] = [];
  for (let i = 0; i < 5; i++) {
    codes.push((await sluice.rpc("tools/call", { name: "counter-increment" })).body.error.data.code);
  }
  assertEquals([codes[0], codes.at(-1)], ["UPSTREAM_CONNECT_FAILED", "UPSTREAM_CIRCUIT_OPEN"]);
  assertEquals(await Deno.readTextFile(`${folder}/starts`), "started\n".repeat(3));
  // What its own calls see is what operators are shown.
  const shown = await waitFor(async () => {
    const { body } = await sluice.api("GET", "/gateways");
    return body[0].reachable === false && body[0];
  }, { what: "the upstream to be shown as unreachable" });
  assert(shown.lastError.endsWith("; the end of its stderr: broken"), shown.lastError);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("No process outlives a gateway that is killed", async () => {
  await using sluice = await Sluice.start({ env: ENABLED });
  const token = await sluice.token();
  const mark = newMark();
  await registerCounter(sluice, mark);
  await registerCounter(sluice, mark, { name: "stubborn", args: counterLaunch(mark, "stubborn").args });
  const id = await openSession(sluice, { token });
  for (const name of ["counter-increment", "stubborn-increment"]) {
    const { body } = await post(sluice, toolCall(name), { token, headers: inSession(id) });
    assertEquals(textOf(body), "1");
  }
  const started = processesWith(mark);
  assert(started.length >= 2);
  await sluice.kill();
  // One sees the end of its input, the other is deaf to it: the kernel ends that one with the gateway.
  await waitFor(() => processesWith(mark).length === 0, { what: "the processes of a killed gateway to end" });
  // What a deaf one has started and left behind is beyond our reach: here, one that sleeps.
  for (const pid of groupMembers(started)) Deno.kill(pid, "SIGKILL");
});

Deno.test("No process outlives a worker that dies, and its sessions go on with new ones", async () => {
  await using sluice = await Sluice.start({
    main: "tests/support/faulty_serve.ts",
    permissions: ["-A"],
    env: ENABLED,
  });
  const token = await sluice.token();
  const mark = newMark();
  await registerCounter(sluice, mark);
  const ids = await Promise.all(Array.from({ length: 16 }, () => openSession(sluice, { token })));
  const call = async (id: string) => {
    const { body } = await post(sluice, toolCall("counter-increment"), { token, headers: inSession(id) });
    return body.error?.data.code ?? textOf(body);
  };
  assertEquals(await Promise.all(ids.map(call)), Array(16).fill("1"));
  const before = processesWith(mark);
  await Deno.writeTextFile(`${sluice.cwd}/fault-0`, "throw");
  await waitFor(() => sluice.log().some(({ event }) => event === "worker died"), {
    what: "the worker to die",
  });
  const left = () => processesWith(mark).filter((pid) => before.includes(pid)).length;
  await waitFor(() => left() < 16, { what: "the dead worker's processes to end" });
  await waitFor(async () => (await sluice.api("GET", "/admin/mcp-pool/metrics")).body.workers === 2, {
    what: "the successor",
  });
  // Those of the other worker count on, those of the dead one hear of it and begin anew.
  const counts = await Promise.all(ids.map(call));
  assert(counts.every((count) => count === "UPSTREAM_STATE_LOST" || count === "2"), counts.join());
  const again = await Promise.all(ids.map(call));
  assertEquals(again, counts.map((count) => count === "2" ? "3" : "1"));
  const surviving = counts.filter((count) => count === "2").length;
  await waitFor(() => left() === surviving, { what: `${surviving} processes to be left of those before` });
});

Deno.test("A program that may run only once serves the clients of every worker, if everybody shares it", async () => {
  await using sluice = await Sluice.start({ env: { ...ENABLED, WORKERS: "2" } });
  const folder = await Deno.makeTempDir({ prefix: "sluice_stdio_" });
  const script = `${folder}/once.sh`;
  await Deno.writeTextFile(
    script,
    `mkdir ${folder}/lock || exit 1\ntrap 'rmdir ${folder}/lock' EXIT\n/bin/sh "$@"\n`,
  );
  const { args } = counterLaunch(newMark());
  const { status } = await registerCounter(sluice, args[2]!, {
    args: [script, ...args],
    isolation: "shared",
  });
  assertEquals(status, 200);
  const counts: string[] = [];
  for (let i = 0; i < 4; i++) {
    const ask = await mcpSession(`${sluice.url}/mcp`, await sluice.token());
    counts.push(textOf(await ask("tools/call", { name: "counter-increment", arguments: {} })));
    counts.push(textOf((await sluice.rpc("tools/call", { name: "counter-increment" })).body));
  }
  assertEquals(counts, ["1", "2", "3", "4", "5", "6", "7", "8"]);
  // Each worker that is asked counts the processes of all.
  const told = await Promise.all(Array.from({ length: 6 }, async () => {
    const [listed] = (await sluice.api("GET", "/gateways")).body;
    return [listed.processCount, (await sluice.api("GET", `/gateways/${listed.id}`)).body.processCount];
  }));
  assertEquals(told, told.map(() => [1, 1]));
  await Deno.remove(folder, { recursive: true });
});
