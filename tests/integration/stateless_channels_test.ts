// Upstreams of 2026-07-28 that are processes or sockets: what clients of that revision meet, how many there are, and what becomes
// of the calls when one ends. And processes of older revisions: whatever they do when they are asked for it.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startGatewayWith } from "../conformance/gateway.ts";
import { connectAuto, connectV1, type McpClient } from "../support/mcp_clients.ts";
import { metric } from "../support/metric.ts";
import { serveStatelessWebSocket } from "../support/stateless_websocket.ts";
import { Sluice } from "../support/sluice.ts";
import { conformanceLaunch, counterLaunch, processesWith } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const ENABLED = { STDIO_ENABLED: "true" };

const newMark = () => `mark-${crypto.randomUUID()}`;

function killAll(mark: string): void {
  for (const pid of processesWith(mark)) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch (error) {
      // It has just ended.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The SDK's client of the stateless revision; it accepts every form and has a model of one sentence. */
async function connectSessionless(url: string, token?: string) {
  const client = new Client({ name: "sessionless-client", version: "1.0.0" }, {
    versionNegotiation: { mode: { pin: "2026-07-28" } },
    capabilities: { elicitation: {}, sampling: {}, roots: {} },
  });
  const asked: string[] = [];
  client.setRequestHandler("elicitation/create", ({ params }) => {
    asked.push(params.message);
    return {
      action: "accept",
      content: { username: "ann", email: "a@x.example", name: "Ann", color: "red" },
    };
  });
  client.setRequestHandler("sampling/createMessage", () => {
    asked.push("sampling");
    return { role: "assistant", model: "rote", content: { type: "text", text: "it is so" } };
  });
  client.setRequestHandler("roots/list", () => {
    asked.push("roots");
    return { roots: [{ uri: "file:///ann", name: "ann" }] };
  });
  const headers = token === undefined ? undefined : { Authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const { content } = await client.callTool({ name, arguments: args });
    return (content as { text: string }[])[0]!.text;
  };
  return { client, asked, call, [Symbol.asyncDispose]: () => client.close() };
}

Deno.test("A 2026-07-28 client on a 2026-07-28 process behind two workers: all that it offers, and its questions", async (t) => {
  const mark = newMark();
  await using gateway = await startGatewayWith({ transport: "STDIO", ...conformanceLaunch(mark) }, ENABLED);
  await using one = await connectSessionless(gateway.url);
  const { client, call, asked } = one;

  await t.step("tools, prompts, resources and completions", async () => {
    assertEquals(client.getNegotiatedProtocolVersion(), "2026-07-28");
    const { tools } = await client.listTools();
    assert(tools.some(({ name }) => name === "test_simple_text"));
    assert((await call("test_simple_text")).length > 0);
    const { messages } = await client.getPrompt({ name: "test_simple_prompt" });
    assertEquals(messages.length, 1);
    const { contents } = await client.readResource({ uri: "test://watched-resource" });
    assertEquals(contents.length, 1);
    const ref = { type: "ref/prompt", name: "test_prompt_with_arguments" } as const;
    const { completion } = await client.complete({ ref, argument: { name: "arg1", value: "par" } });
    assertEquals(completion.values, ["paris", "park", "party"]);
    await assertRejects(() => client.readResource({ uri: "test://no-such-resource" }));
  });

  await t.step("progress under the client's token", async () => {
    const seen: number[] = [];
    const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
    await client.callTool({ name: "test_tool_with_progress", arguments: {} }, { onprogress });
    assertEquals(seen, [0, 50, 100]);
  });

  await t.step("questions, several at once and in rounds, come back to the process that asks", async () => {
    // Each worker has a process with a key of its own, and the client's requests come to either worker.
    for (let i = 0; i < 4; i++) {
      assert((await call("test_elicitation", { message: `Who? ${i}` })).includes("ann"));
      assert((await call("test_sampling", { prompt: "Is it so?" })).includes("it is so"));
      const before = asked.length;
      await call("test_input_required_result_multi_round");
      assertEquals(asked.length - before, 2);
      const several = asked.length;
      await call("test_input_required_result_multiple_inputs");
      assert(asked.length - several > 1, asked.slice(several).join());
      await call("test_input_required_result_request_state");
    }
    assertEquals(asked.filter((what) => what.startsWith("Who? ")), ["Who? 0", "Who? 1", "Who? 2", "Who? 3"]);
  });

  await t.step("one process of a caller for both workers, and one for each session to its end", async () => {
    await Promise.all(Array.from({ length: 20 }, async () => {
      await using other = await connectSessionless(gateway.url);
      await other.call("process");
    }));
    const of = async (client: McpClient) => (await client.callTool("process")).content[0].text;
    const sessions = [await connectV1(gateway.url), await connectV1(gateway.url)];
    const own = new Set(await Promise.all(sessions.map(of)));
    assertEquals([own.size, own.has(await call("process"))], [2, false]);
    for (const session of sessions) {
      await session.terminate();
      await session[Symbol.asyncDispose]();
    }
    await waitFor(() => processesWith(mark).length === 1, { what: "the caller's process alone" });
    for (const name of ["sluice_stdio_processes ", "sluice_upstream_connections "]) {
      await waitFor(async () => await metric(gateway.sluice, name) === 1, { what: `${name}to be 1` });
    }
  });

  await gateway.sluice.processes[0]!.stop();
  await waitFor(() => processesWith(mark).length === 0, { what: "the end of its processes" });
});

Deno.test("A 2026-07-28 process that ends loses its calls; the next one finds another, and subscriptions come back", async () => {
  const mark = newMark();
  const state = await Deno.makeTempFile({ prefix: "sluice_state_" });
  const launch = conformanceLaunch(mark, "stateless", ["--state", state]);
  await using gateway = await startGatewayWith({ transport: "STDIO", ...launch }, {
    ...ENABLED,
    WORKERS: "1",
  });
  await using one = await connectSessionless(gateway.url);
  const updates: string[] = [];
  one.client.setNotificationHandler(
    "notifications/resources/updated",
    ({ params }) => void updates.push(params.uri),
  );
  await one.client.listen({ resourceSubscriptions: ["test://watched-resource"] });
  await one.call("test_update_watched_resource");
  await waitFor(() => updates.length === 1, { what: "the update" });
  const before = await one.call("process");

  const error = await assertRejects(() => one.call("crash"), Error);
  assert(error.message.includes("closed the connection before it answered"), error.message);
  const after = await one.call("process");
  assert(after !== before);
  await waitFor(async () => {
    await one.call("test_update_watched_resource");
    return updates.length > 1;
  }, { what: "an update by way of the new process", everyMs: 200 });
  // Its death between two calls is nobody's failure.
  Deno.kill(Number(after), "SIGKILL");
  const endings = () =>
    gateway.sluice.log().filter(({ event }) => event === "upstream process ended by itself").length;
  await waitFor(() => endings() === 2, { what: "its end to be noticed" });
  assert(Number(await one.call("process")) > 0);
  const { body: [{ id }] } = await gateway.sluice.api("GET", "/gateways");
  assertEquals((await gateway.sluice.api("DELETE", `/gateways/${id}`)).status, 200);
  await waitFor(() => processesWith(mark).length === 0, { what: "the deleted upstream's process to end" });
  await Deno.remove(state);
});

Deno.test("A process of an older revision works, whatever it does when it is asked for 2026-07-28", async (t) => {
  // There is room for one, so that of the probe has to be gone before the next is started.
  await using sluice = await Sluice.start({ env: { ...ENABLED, STDIO_MAX_PROCESSES_PER_UPSTREAM: "1" } });
  for (const how of ["sound", "strict", "mute"] as const) {
    await t.step(how, async () => {
      const mark = newMark();
      const { status, body } = await sluice.api("POST", "/gateways", {
        name: how,
        transport: "STDIO",
        ...counterLaunch(mark, how),
      });
      assertEquals(
        [status, body.stateful, body.protocolVersion],
        [200, true, "2025-11-25"],
        JSON.stringify(body),
      );
      await waitFor(() => processesWith(mark).length === 0, { what: "the process of the probe to be gone" });
      const startedBefore = await metric(sluice, "sluice_stdio_processes_started_total");
      const { content } = (await sluice.rpc("tools/call", { name: `${how}-increment` })).body.result;
      assertEquals(content[0].text, "1");
      const started = await metric(sluice, "sluice_stdio_processes_started_total") - startedBefore;
      assertEquals(started, 1, "a call costs no probe");
    });
  }
});

Deno.test("A program whose process speaks the kind of revisions that it hears first is found to speak both, and is spoken to in the client's", async () => {
  await using sluice = await Sluice.start({ env: ENABLED });
  const token = await sluice.token();
  const script = new URL("../support/stdio_of_both_kinds.ts", import.meta.url).pathname;
  const register = async (name: string, more: Record<string, unknown> = {}) => {
    const args = ["run", "-A", "--quiet", script, newMark()];
    const gateway = { name, transport: "STDIO", command: Deno.execPath(), args, ...more };
    return (await sluice.api("POST", "/gateways", gateway)).body;
  };
  const { id, protocols } = await register("both");
  assertEquals(protocols, ["2026-07-28", "2025-11-25"]);
  const counted = async (connect: typeof connectV1) => {
    await using client = await connect(`${sluice.url}/mcp`, { token });
    const said = [];
    for (let i = 0; i < 2; i++) said.push((await client.callTool("both-count")).content[0].text);
    return said;
  };
  assertEquals([await counted(connectV1), await counted(connectAuto)], [
    ["legacy 1", "legacy 2"],
    ["modern 1", "modern 2"],
  ]);
  assertEquals((await sluice.api("POST", `/gateways/${id}/tools/refresh`)).status, 200);
  assertEquals((await sluice.api("GET", `/gateways/${id}`)).body.protocols, protocols);
});

Deno.test("A process is spoken to in the other way once its program is another, in either direction", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_stdio_" });
  const script = `${folder}/server.sh`;
  const mark = newMark();
  const quoted = ({ command, args }: { command: string; args: readonly string[] }) =>
    [command, ...args].map((word) => `'${word}'`).join(" ");
  const install = (launch: { command: string; args: readonly string[] }) =>
    Deno.writeTextFile(script, `exec ${quoted(launch)}\n`);
  await using sluice = await Sluice.start({ env: { ...ENABLED, WORKERS: "1" } });
  const register = async (name: string) =>
    (await sluice.api("POST", "/gateways", {
      name,
      transport: "STDIO",
      command: "/bin/sh",
      args: [script, mark, name],
    })).body;
  const call = async (tool: string) => {
    const { body } = await sluice.rpc("tools/call", { name: tool });
    return JSON.stringify(body.result ?? body.error);
  };

  await install(counterLaunch(mark));
  const { id, protocolVersion } = await register("grown");
  assertEquals(protocolVersion, "2025-11-25");
  await install(conformanceLaunch(mark));
  let processes: number[] = [];
  for (let i = 0; i < 2; i++) {
    // It has no such tool, and that is what it says, or the gateway once it has read the new lists.
    const said = await call("grown-increment");
    assert(/Tool increment not found|Unknown tool: grown-increment/.test(said), said);
    if (i === 0) processes = processesWith(mark);
  }
  // The registry hears of the other revision too. The process that the call has found out with stays.
  const registered = async () => (await sluice.api("GET", `/gateways/${id}`)).body.protocolVersion;
  await waitFor(async () => await registered() === "2026-07-28", { what: "the registry to hear of it" });
  await waitFor(() => processesWith(mark).length === 1, {
    what: "nothing to be left but the caller's process",
  });
  assert(processes.includes(processesWith(mark)[0]!), "the caller's process is the one that answered first");

  assertEquals((await register("shrunk")).protocolVersion, "2026-07-28");
  await install(counterLaunch(mark, "strict"));
  killAll(mark);
  await waitFor(() => processesWith(mark).length === 0, { what: "the former program to be gone" });
  // So the counter answers what it does not know. The gateway answers itself once it has read the new lists.
  assertEquals(await call("shrunk-process"), "{}");
  const next = await call("shrunk-process");
  assert(/^{}$|Unknown tool: shrunk-process/.test(next), next);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("WebSockets to a 2026-07-28 upstream are shared by those alone who pass the same credentials", async () => {
  await using upstream = serveStatelessWebSocket();
  await using sluice = await Sluice.start({ env: { WORKERS: "1" } });
  const { status, body } = await sluice.api("POST", "/gateways", {
    name: "up",
    url: upstream.url,
    transport: "WEBSOCKET",
  });
  assertEquals([status, body.protocolVersion], [200, "2026-07-28"], JSON.stringify(body));
  upstream.opened.length = 0;
  const token = await sluice.token();
  const call = async (own: string) => {
    const response = await fetch(`${sluice.url}/rpc`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        "x-upstream-authorization": own,
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "up-test-simple-text" },
      }),
    });
    assertEquals((await response.json()).error, undefined);
  };
  await Promise.all(["Bearer a", "Bearer b", "Bearer a", "Bearer b"].map(call));
  await call("Bearer a");
  assertEquals(upstream.opened.filter((own) => own !== null).toSorted(), ["Bearer a", "Bearer b"]);
  const connections = () => metric(sluice, "sluice_upstream_connections ");
  await waitFor(async () => await connections() === upstream.size, {
    what: "the metric to count the sockets",
  });
  assertEquals((await sluice.api("DELETE", `/gateways/${body.id}`)).status, 200);
  await waitFor(async () => upstream.size === 0 && await connections() === 0, {
    what: "all sockets to be closed",
  });
});
