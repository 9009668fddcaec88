// What clients do besides the specification's straight way: refused tokens, cancelled calls, ended sessions, path prefixes, null for
// nothing. With the official SDKs and mcp-remote where they show it, else on the wire.
import { assert, assertEquals, assertMatch } from "@std/assert";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/index"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import { connectSse } from "../support/duplex_clients.ts";
import { INITIALIZE, inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { proxyBelow } from "../support/path_prefix_proxy.ts";
import { Sluice } from "../support/sluice.ts";
import { SlowUpstream } from "../support/slow_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const INFO = { name: "habits", version: "1.0.0" };

/** A POST to /mcp in a session, with its response unread. */
function send(sluice: Sluice, token: string, session: string, message: unknown, signal?: AbortSignal) {
  return fetch(`${sluice.url}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...inSession(session),
    },
    body: JSON.stringify(message),
    signal,
  });
}

async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
}

Deno.test("Clients are met as they are", async (t) => {
  await using slow = SlowUpstream.start({ delayMs: Infinity });
  await using sluice = await Sluice.start({ env: { DISABLE_ACCESS_LOG: "false" } });
  await sluice.registerUpstream("slow", slow.url);
  const { body: tools } = await sluice.api("GET", "/tools");
  const talk = tools.find((tool: { originalName: string }) => tool.originalName === "talk");
  await sluice.api("POST", "/servers", { server: { id: "one", name: "One", associated_tools: [talk.id] } });
  const token = await sluice.token();
  const expired = await sluice.token({ expiresInSeconds: -60 });

  await t.step("a refused token is told why, and a missing one what to send", async () => {
    const challengeOf = async (headers: Record<string, string>) => {
      const response = await fetch(`${sluice.url}/mcp`, { method: "POST", headers });
      await response.body?.cancel();
      return [response.status, response.headers.get("www-authenticate")];
    };
    assertEquals(await challengeOf({}), [401, 'Bearer realm="sluice"']);
    assertEquals(await challengeOf({ authorization: `Bearer ${expired}` }), [
      401,
      'Bearer realm="sluice", error="invalid_token", error_description="the token has expired"',
    ]);
    const reasons = {
      [`${token.slice(0, -6)}AAAAAA`]: "the token's signature is wrong",
      hello: "the token cannot be read",
    };
    for (const [refused, reason] of Object.entries(reasons)) {
      assertEquals(await challengeOf({ authorization: `Bearer ${refused}` }), [
        401,
        `Bearer realm="sluice", error="invalid_token", error_description="${reason}"`,
      ]);
    }
  });

  await t.step("mcp-remote with an expired token shows what to do", async () => {
    const home = await Deno.makeTempDir({ prefix: "sluice_mcp_remote_" });
    const { command, args } = npmProgram(
      "mcp-remote",
      `${sluice.url}/mcp`,
      ...["--header", `Authorization:Bearer ${expired}`, "--allow-http"],
    );
    const child = new Deno.Command(command, {
      args,
      env: { HOME: home, MCP_REMOTE_CONFIG_DIR: home },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    const { stderr } = await child.output();
    assertMatch(
      new TextDecoder().decode(stderr),
      /no login page here: put a token into the Authorization header/,
    );
    await Deno.remove(home, { recursive: true });
  });

  await t.step("an unknown virtual server is 404 with every method", async () => {
    for (const method of ["POST", "GET", "DELETE"]) {
      const response = await fetch(`${sluice.url}/servers/nothing/mcp`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          accept: "text/event-stream, application/json",
          "content-type": "application/json",
        },
        body: method === "POST" ? JSON.stringify(INITIALIZE) : undefined,
      });
      assertEquals(
        [response.status, (await response.json()).error.message],
        [404, "Server not found"],
        method,
      );
    }
  });

  await t.step(
    "initialize opens a session although the client repeats an ended or empty session id",
    async () => {
      const ended = await openSession(sluice, { token });
      const gone = await fetch(`${sluice.url}/mcp`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${token}`, ...inSession(ended) },
      });
      assertEquals(gone.status, 204);
      const others = await openSession(sluice, {
        token: await sluice.token({ username: "else@example.com" }),
      });
      for (const id of [ended, "", "nonsense", others, `${ended}x`]) {
        const { status, sessionId } = await post(sluice, INITIALIZE, {
          token,
          headers: { "mcp-session-id": id },
        });
        assertEquals([status, sessionId === null, sessionId === id], [200, false, false], id);
      }
      assertEquals(
        (await post(sluice, toolCall("slow-slow"), { token, headers: inSession(ended) })).status,
        404,
      );
    },
  );

  await t.step("null means nothing", async () => {
    const session = await openSession(sluice, { token });
    const options = { token, headers: inSession(session) };
    for (
      const params of [null, { cursor: null }, { cursor: "" }, { _meta: null }, { cursor: null, _meta: null }]
    ) {
      const { body } = await post(sluice, { jsonrpc: "2.0", id: 1, method: "tools/list", params }, options);
      assertEquals(body.result?.tools.length, 2, JSON.stringify(params));
    }
    const initialized = { jsonrpc: "2.0", method: "notifications/initialized", params: null };
    assertEquals((await post(sluice, initialized, options)).status, 202);
  });

  await t.step("a compressed body is read, and an unknown coding is named", async () => {
    const answer = async (coding: string) => {
      const response = await fetch(`${sluice.url}/rpc`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "content-encoding": coding,
        },
        body: await gzip('{"jsonrpc":"2.0","id":1,"method":"ping"}'),
      });
      return [response.status, response.headers.get("accept-encoding"), await response.json()];
    };
    assertEquals(await answer("gzip"), [200, null, { jsonrpc: "2.0", id: 1, result: {} }]);
    const [status, accepted, { error }] = await answer("br");
    assertEquals([status, accepted, error.message], [
      415,
      "gzip, deflate",
      "Content-Encoding must be gzip, deflate",
    ]);
  });

  await t.step("/rpc serves the virtual server that params.server_id names", async () => {
    const { body } = await sluice.rpc("tools/list", { server_id: "one" });
    assertEquals(body.result.tools.map(({ name }: { name: string }) => name), ["slow-talk"]);
    const { body: outside } = await sluice.rpc("tools/call", { server_id: "one", name: "slow-slow" });
    assertEquals(outside.error.data.code, "TOOL_NOT_FOUND");
  });

  const clients = [
    ["v1", new ClientV1(INFO), new TransportV1(new URL(`${sluice.url}/mcp`), bearer(token))],
    ["v2", new ClientV2(INFO), new TransportV2(new URL(`${sluice.url}/mcp`), bearer(token))],
  ] as const;
  for (const [name, client, transport] of clients) {
    await t.step(`SDK ${name} is not disturbed by the response to a call that it has cancelled`, async () => {
      const faults: string[] = [];
      client.onerror = (error) => faults.push(String(error));
      // deno-lint-ignore no-explicit-any -- one of two SDKs
      await (client as any).connect(transport);
      for (const tool of ["slow", "talk"]) {
        const [calls, abandoned] = [slow.calls, slow.abandoned];
        const cancel = new AbortController();
        const progress = Promise.withResolvers<void>();
        const options = { signal: cancel.signal, onprogress: () => progress.resolve() };
        const params = { name: `slow-${tool}`, arguments: {} };
        const call = name === "v1"
          ? (client as ClientV1).callTool(params, undefined, options)
          : (client as ClientV2).callTool(params, options);
        const failed = call.then(() => "answered", () => "cancelled");
        if (tool === "slow") await waitFor(() => slow.calls > calls, { what: "the call" });
        else await waitFor(() => slow.talking > 0, { what: "the call" });
        cancel.abort();
        assertEquals(await failed, "cancelled");
        if (tool === "slow") await waitFor(() => slow.abandoned > abandoned, { what: "the end of the call" });
        else await waitFor(() => slow.talking === 0, { what: "the end of the call" });
      }
      // What came before the next answer has been looked at.
      await client.listTools();
      assertEquals(faults, []);
      await transport.terminateSession();
      await client.close();
    });
  }

  await t.step("DELETE during a call ends its response without a message, begun or not", async () => {
    for (const tool of ["slow", "talk"]) {
      const session = await openSession(sluice, { token });
      const calls = slow.calls;
      const response = send(sluice, token, session, toolCall(`slow-${tool}`));
      await waitFor(() => tool === "slow" ? slow.calls > calls : slow.talking > 0, { what: "the call" });
      const begun = tool === "talk" ? await response : null;
      const gone = await fetch(`${sluice.url}/mcp`, {
        method: "DELETE",
        headers: { authorization: `Bearer ${token}`, ...inSession(session) },
      });
      assertEquals(gone.status, 204);
      const ended = begun ?? await response;
      const text = await ended.text();
      assertEquals([ended.status, /"id":1/.test(text)], [200, false], text);
    }
  });

  await t.step("SSE works behind a path prefix, told of it or not", async () => {
    const forwarded: Record<string, string> = { "x-forwarded-prefix": "/deep/prefix" };
    for (const headers of [{}, forwarded]) {
      await using proxy = proxyBelow("/deep/prefix", sluice.url, headers);
      for (const [path, count] of [["/sse", 2], ["/servers/one/sse", 1]] as const) {
        await using client = await connectSse(proxy.url + path, token);
        assertEquals((await client.listTools()).tools.length, count);
      }
    }
  });

  await t.step("a WebSocket brings its token as a subprotocol, which no log has", async () => {
    const open = (protocols: string[]) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`${sluice.url.replace("http", "ws")}/servers/one/ws`, protocols);
        socket.onopen = () => socket.send('{"jsonrpc":"2.0","id":1,"method":"ping"}');
        socket.onmessage = ({ data }) => {
          socket.onclose = () => resolve(`${socket.protocol} ${data}`);
          socket.close();
        };
        socket.onerror = () => resolve("refused");
      });
    assertEquals(await open(["mcp", `bearer.${token}`]), 'mcp {"jsonrpc":"2.0","id":1,"result":{}}');
    assertEquals(await open(["mcp", `bearer.${expired}`]), "refused");
    assertEquals(await open(["mcp"]), "refused");
    await waitFor(() => sluice.log().some(({ endpoint }) => endpoint === "ws"), { what: "its line" });
    const output = [...sluice.stdout.lines, ...sluice.stderr.lines].join("\n");
    for (const secret of [token, expired]) {
      assert(!output.includes(secret.split(".")[2]!), "a token in the log");
    }
  });

  await t.step(
    "a stream that ends with the gateway says when to come back, to those who understand it",
    async () => {
      const streams = await Promise.all(["2025-11-25", "2025-06-18"].map(async (protocolVersion) => {
        const initialize = { ...INITIALIZE, params: { ...INITIALIZE.params, protocolVersion } };
        const { sessionId } = await post(sluice, initialize, { token });
        return await fetch(`${sluice.url}/mcp`, {
          headers: {
            authorization: `Bearer ${token}`,
            accept: "text/event-stream",
            "mcp-session-id": sessionId!,
            "mcp-protocol-version": protocolVersion,
          },
        });
      }));
      const texts = Promise.all(streams.map((stream) => stream.text()));
      await sluice.stop();
      const [recent, older] = (await texts).map((text) => text.replaceAll(": keepalive\n\n", ""));
      assertEquals([recent, older], ["retry: 6000\n\n", ""]);
    },
  );
});

function bearer(token: string) {
  return { requestInit: { headers: { Authorization: `Bearer ${token}` } } };
}
