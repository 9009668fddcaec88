// `sluice stdio --url`: a bridge to a running gateway, which outlives the gateway's restarts and its tokens.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { connectStdioSessionless, connectStdioV1 } from "../support/duplex_clients.ts";
import { freePort } from "../support/free_port.ts";
import { INITIALIZE, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { spawnStdio, stdioCommand } from "../support/stdio_command.ts";
import { waitFor } from "../support/wait_for.ts";

const INITIALIZED = { jsonrpc: "2.0", method: "notifications/initialized" };
const PONG_BODY = '{"jsonrpc":"2.0","id":1,"result":{}}';
/** Keeps the connection open for a next request, as far as the client knows. */
const PONG =
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${PONG_BODY.length}\r\n\r\n${PONG_BODY}`;

/** A request with its body, which is JSON. */
async function readRequest(connection: Deno.Conn): Promise<string> {
  let text = "";
  const bytes = new Uint8Array(4_096);
  while (!/\r\n\r\n.*\}$/s.test(text)) {
    const read = await connection.read(bytes);
    if (read === null) break;
    text += new TextDecoder().decode(bytes.subarray(0, read));
  }
  return text;
}

const textOf = (result: { content: { text: string }[] }) => result.content[0]!.text;

/** Changes the lists again and again, until a listener is there and hears of it. A change that is taken back within a second is none. */
async function changeLists(sluice: Sluice, url: string, isHeard: () => boolean): Promise<void> {
  let registered: string | null = null;
  const change = async () => {
    if (registered === null) registered = (await sluice.registerUpstream("changing", url)).id;
    else {
      await sluice.api("DELETE", `/gateways/${registered}`);
      registered = null;
    }
  };
  await waitFor(async () => {
    await change();
    return isHeard();
  }, { what: "news of the lists", everyMs: 1_200 });
  if (registered !== null) await change();
}

Deno.test("`sluice stdio --url` goes on over restarts, lost sessions and new tokens", async (t) => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_bridge_" });
  const env = { PORT: String(freePort()), JWT_SECRET_KEY: crypto.randomUUID().repeat(2) };
  await using counter = CounterUpstream.start();
  let sluice = await Sluice.start({ cwd, env });
  await sluice.registerUpstream("counter", counter.url);
  const tokenFile = `${cwd}/token`;
  const firstToken = await sluice.token();
  await Deno.writeTextFile(tokenFile, firstToken);
  const bridge = spawnStdio(stdioCommand(cwd, "--url", sluice.url, "--token-file", tokenFile));
  const answerTo = (id: number) =>
    waitFor(() => bridge.messages().find((message) => message.id === id && message.method === undefined), {
      what: `the answer to ${id}`,
    });
  const changes = () =>
    bridge.messages().filter(({ method }) => method === "notifications/tools/list_changed").length;
  const call = async (id: number) => {
    await bridge.say(toolCall("counter-increment", {}, id));
    return await answerTo(id);
  };
  try {
    await bridge.say(INITIALIZE);
    await answerTo(0);
    await bridge.say(INITIALIZED);
    for (const id of [1, 2]) assertEquals(textOf((await call(id)).result), String(id));

    await t.step("a call while the gateway is away waits for it, and the session goes on", async () => {
      await sluice.stop();
      await bridge.say(toolCall("counter-increment", {}, 3));
      sluice = await Sluice.start({ cwd, env });
      assert((await answerTo(3)).result !== undefined);
      await using other = CounterUpstream.start();
      await waitFor(() => sluice.log().some(({ event }) => event === "serving"), { what: "the gateway" });
      const before = changes();
      // The stream of what belongs to no call is open again.
      await changeLists(sluice, other.url, () => changes() > before);
    });
    await t.step("a session that the gateway does not know any more is opened anew", async () => {
      await sluice.stop();
      sluice = await Sluice.start({
        cwd,
        env: { ...env, AUTH_ENCRYPTION_SECRET: crypto.randomUUID().repeat(2) },
      });
      const before = changes();
      assert((await call(4)).result !== undefined);
      assert(changes() > before, "its lists may have changed meanwhile");
      assert((await call(5)).result !== undefined);
    });
    await t.step(
      "a token that ends is an error of the call, and a new one is read from its file",
      async () => {
        // The bridge still sends the first token, which is revoked now. The one in the file is no better.
        await Deno.writeTextFile(tokenFile, await sluice.token({ expiresInSeconds: -60 }));
        const { jti } = JSON.parse(atob(firstToken.split(".")[1]!));
        assertEquals((await sluice.api("DELETE", `/tokens/${jti}`)).status, 204);
        const { error } = await call(6);
        assertEquals(error.message, "Authentication required: the token has expired");
        const said = /the token has expired\. Put a valid token into the file/;
        await waitFor(() => said.test(bridge.stderr.lines.join("\n")), { what: "what to do, on stderr" });
        await Deno.writeTextFile(tokenFile, await sluice.token());
        assert((await call(7)).result !== undefined);
      },
    );
    await bridge.writer.close();
    assertEquals(await bridge.ended(), 0);
    await waitFor(() => counter.liveSessions === 0, { what: "the upstream session to be ended" });
  } finally {
    await bridge.writer.close().catch(() => {});
    await sluice[Symbol.asyncDispose]();
    await Deno.remove(cwd, { recursive: true });
  }
});

Deno.test("`sluice stdio --url` hands the gateway's refusals to its client, and stays", async (t) => {
  await using sluice = await Sluice.start();
  const cwd = await Deno.makeTempDir({ prefix: "sluice_bridge_" });
  const tokenFile = `${cwd}/token`;
  await Deno.writeTextFile(tokenFile, await sluice.token());
  const refused: readonly [name: string, args: string[], message: RegExp, stderr: RegExp][] = [
    [
      "no gateway",
      ["--url", `http://127.0.0.1:${freePort()}`],
      /^Cannot use the gateway at http:\/\/127\.0\.0\.1:\d+: nothing listens there\. Start the gateway/,
      /nothing listens there/,
    ],
    [
      "no token",
      ["--url", sluice.url],
      /^Authentication required: send Authorization: Bearer <token>$/,
      /Name a file with a token by --token-file/,
    ],
    [
      "an unknown virtual server",
      ["--url", sluice.url, "--token-file", tokenFile, "--server", "nothing"],
      /^Server not found$/,
      /Correct --url and --server/,
    ],
  ];
  for (const [name, args, words, said] of refused) {
    await t.step(name, async () => {
      const bridge = spawnStdio(stdioCommand(cwd, ...args));
      for (const id of [1, 2]) {
        await bridge.say({ ...INITIALIZE, id });
        await waitFor(() => bridge.messages().length === id, { what: "the refusal" });
      }
      const [first, second] = bridge.messages();
      assertEquals([first.id, second.id], [1, 2]);
      assertMatch(first.error.message, words);
      await bridge.writer.close();
      assertEquals(await bridge.ended(), 0);
      assertMatch(bridge.stderr.lines.join("\n"), said);
      // The same sentence is said once.
      assertEquals(bridge.stderr.lines.length, 1);
    });
  }
  await t.step("what is no message", async () => {
    const bridge = spawnStdio(stdioCommand(cwd, "--url", sluice.url, "--token-file", tokenFile));
    await bridge.sayBytes(new TextEncoder().encode("nonsense\n"));
    await bridge.say({ jsonrpc: "2.0", id: "é", method: "ping" });
    await bridge.writer.close();
    assertEquals(await bridge.ended(), 0);
    const codes = bridge.messages().map(({ id, error }) => [id, error?.data.code ?? "result"]);
    assertEquals(codes, [[null, "PARSE_ERROR"], ["é", "result"]]);
  });
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("`sluice stdio --url` sends a call once, although the gateway breaks off without a response", async () => {
  const calls: string[] = [];
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const serve = async (connection: Deno.Conn) => {
      for (
        let request = await readRequest(connection);
        request !== "";
        request = await readRequest(connection)
      ) {
        if (!request.includes("tools/call")) await connection.write(new TextEncoder().encode(PONG));
        else if (calls.push(request) > 0) break;
      }
      connection.close();
    };
    for await (const connection of listener) void serve(connection);
  })();
  const cwd = await Deno.makeTempDir({ prefix: "sluice_bridge_" });
  const bridge = spawnStdio(stdioCommand(cwd, "--url", `http://127.0.0.1:${listener.addr.port}`));
  await bridge.say({ jsonrpc: "2.0", id: 1, method: "ping" });
  await waitFor(() => bridge.messages().length === 1, { what: "the first answer" });
  await bridge.say(toolCall("pay", {}, 2));
  const { id, error } = await waitFor(() => bridge.messages()[1], { what: "the error" });
  assertEquals([id, error.data.code, calls.length], [2, "GATEWAY_UNREACHABLE", 1]);
  await bridge.writer.close();
  assertEquals(await bridge.ended(), 0);
  listener.close();
  await serving;
  await Deno.remove(cwd, { recursive: true });
});

Deno.test("Clients cancel, hear notifications and listen over `sluice stdio --url`, also over a restart", async (t) => {
  const cwd = await Deno.makeTempDir({ prefix: "sluice_bridge_" });
  const env = { PORT: String(freePort()), JWT_SECRET_KEY: crypto.randomUUID().repeat(2) };
  await using slow = SlowUpstream.start({ delayMs: Infinity });
  let sluice = await Sluice.start({ cwd, env });
  await sluice.registerUpstream("slow", slow.url);
  const tokenFile = `${cwd}/token`;
  await Deno.writeTextFile(tokenFile, await sluice.token());
  const command = stdioCommand(cwd, "--url", sluice.url, "--token-file", tokenFile);
  try {
    await t.step("SDK v2 of 2026-07-28", async () => {
      await using client = await connectStdioSessionless(command, "stateless");
      const cancel = new AbortController();
      const call = client.callUntil(cancel.signal, "slow-slow").then(() => "answered", () => "cancelled");
      await waitFor(() => slow.calls === 1, { what: "the call" });
      cancel.abort();
      assertEquals(await call, "cancelled");
      await waitFor(() => slow.abandoned === 1, { what: "the upstream to be left" });

      const listening = await client.listen({ toolsListChanged: true });
      await sluice.stop();
      sluice = await Sluice.start({ cwd, env });
      await using another = SlowUpstream.start({ delayMs: 1 });
      await changeLists(sluice, another.url, () => client.heard.length > 0);
      await listening.close();
      assertEquals(await listening.closed, "local");
    });
    await t.step("notifications of a call come before its response", async () => {
      const bridge = spawnStdio(command);
      await bridge.say(INITIALIZE);
      await bridge.say(INITIALIZED);
      await bridge.say(toolCall("slow-talk", {}, 1));
      await waitFor(() => bridge.messages().length === 2, { what: "the notification" });
      slow.hangUp();
      await waitFor(() => bridge.messages().length === 3, { what: "the response" });
      assertEquals(bridge.messages().map(({ method, id }) => method ?? id), [0, "notifications/message", 1]);
      await bridge.writer.close();
      assertEquals(await bridge.ended(), 0);
    });
    await t.step("SDK v1", async () => {
      await using client = await connectStdioV1(command);
      assertEquals((await client.listTools()).tools.length, 2);
      slow.release();
      assertEquals(textOf(await client.callTool("slow-slow")), "done");
    });
  } finally {
    await sluice[Symbol.asyncDispose]();
    await Deno.remove(cwd, { recursive: true });
  }
});
