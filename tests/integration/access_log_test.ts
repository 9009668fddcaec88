// What the access log names of each request, by whatever way it comes: caller, address, tool and the code of a failure.
import { assert, assertEquals } from "@std/assert";
import { connectSse, connectWebSocket } from "../support/duplex_clients.ts";
import { FastUpstream } from "../support/fast_upstream.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { Sluice } from "../support/sluice.ts";
import { known, withTwo } from "../support/two_replicas.ts";
import { waitFor } from "../support/wait_for.ts";

type Line = Record<string, unknown>;

const LOGGED = { DISABLE_ACCESS_LOG: "false" };

/** The lines with the correlation id, once there are `count`. */
async function linesOf(sluice: Sluice, id: string, count: number): Promise<Line[]> {
  const lines = await waitFor(() => {
    const found = sluice.log().filter(({ correlationId }) => correlationId === id);
    return found.length >= count ? found : null;
  }, { what: `${count} lines of ${id}` });
  assertEquals(lines.length, count);
  return lines;
}

const facts = ({ event, client, caller, jti, rpcMethod, tool, code }: Line) => [
  ...[event, client, caller, jti, rpcMethod, tool, code],
];

Deno.test("The access log names caller, client, tool and code of each call, whichever way it came", async (t) => {
  await using upstream = FastUpstream.start();
  await using sluice = await Sluice.start({ env: LOGGED });
  await sluice.registerUpstream("fast", upstream.url);
  const token = await sluice.token({ username: "ana@example.com", claims: { jti: "j-1" } });
  const ana = ["127.0.0.1", "ana@example.com", "j-1"];
  const read = (uri: string) => ({ jsonrpc: "2.0", id: 1, method: "resources/read", params: { uri } });

  await t.step("/rpc, alone and in a batch", async () => {
    const send = (id: string, message: unknown, path = "/rpc", bearer = token) =>
      post(sluice, message, { token: bearer, path, headers: { "x-correlation-id": id } });
    await send("ok", { jsonrpc: "2.0", id: 1, method: "echo", params: { message: "hunter2" } });
    await send("unknown", toolCall("no\u009b31m-such"));
    await send("resource", read("db://ana:hunter2@host/a?key=hunter2"));
    await send("forged", toolCall("echo"), "/rpc", `${token}x`);
    await send("batch", [toolCall("fast-echo"), toolCall("nothing", {}, 2), { jsonrpc: "2.0", method: "x" }]);
    const one = async (id: string) => facts((await linesOf(sluice, id, 1))[0]!);
    assertEquals(await one("ok"), ["request", ...ana, "echo", "echo", undefined]);
    const call = ["request", ...ana, "tools/call"];
    assertEquals(await one("unknown"), [...call, "no\u009b31m-such", "TOOL_NOT_FOUND"]);
    assertEquals(await one("resource"), [
      "request",
      ...ana,
      "resources/read",
      "db://host/a",
      "RESOURCE_NOT_FOUND",
    ]);
    const nobody = [undefined, undefined, undefined, undefined];
    assertEquals(await one("forged"), ["request", "127.0.0.1", ...nobody, "UNAUTHENTICATED"]);
    assertEquals((await linesOf(sluice, "batch", 3)).map(facts), [
      ["request", ...ana, "batch", undefined, undefined],
      ["call", ...ana, "tools/call", "fast-echo", undefined],
      ["call", ...ana, "tools/call", "nothing", "TOOL_NOT_FOUND"],
    ]);
  });

  await t.step("/mcp in a session that another worker may own", async () => {
    const headers = { "x-correlation-id": "session", ...inSession(await openSession(sluice, { token })) };
    // So many that it does not happen that all come to one worker.
    const calls = Array.from({ length: 24 }, () => post(sluice, toolCall("nothing"), { token, headers }));
    await Promise.all(calls);
    const lines = await linesOf(sluice, "session", calls.length);
    for (const line of lines) {
      assertEquals(facts(line), ["request", ...ana, "tools/call", "nothing", "TOOL_NOT_FOUND"]);
    }
    assertEquals(new Set(lines.map(({ worker }) => worker)).size, 2);
  });

  await t.step("REST", async () => {
    const response = await fetch(`${sluice.url}/tools/none`, {
      headers: { authorization: `Bearer ${token}`, "x-correlation-id": "rest" },
    });
    await response.body?.cancel();
    const [line] = await linesOf(sluice, "rest", 1);
    assertEquals(facts(line!), ["request", ...ana, undefined, undefined, "NOT_FOUND"]);
  });

  for (const [endpoint, connect] of [["sse", connectSse], ["ws", connectWebSocket]] as const) {
    await t.step(`calls over ${endpoint}`, async () => {
      await using client = await connect(`${sluice.url}/${endpoint}`, token);
      await client.callTool("fast-echo");
      const lines = () =>
        sluice.log().filter(({ event, endpoint: its, tool }) =>
          event === "call" && its === endpoint && tool !== undefined
        );
      await waitFor(() => lines().length === 1, { what: "the call's line" });
      assertEquals(facts(lines()[0]!), ["call", ...ana, "tools/call", "fast-echo", undefined]);
    });
  }

  assertEquals(sluice.stdout.lines.filter((line) => line.includes("hunter2") || line.includes(token)), []);
});

Deno.test("The access log as text names the same, and no control character comes through", async () => {
  await using upstream = FastUpstream.start();
  await using sluice = await Sluice.start({ env: { ...LOGGED, LOG_FORMAT: "text" } });
  await sluice.registerUpstream("fast", upstream.url);
  const token = await sluice.token({ username: "ana \u009b31m", claims: { jti: "j-1" } });
  const headers = { "x-correlation-id": "text" };
  await post(sluice, toolCall("no\u009b31m\nsuch"), { token, path: "/rpc", headers });
  const line = await waitFor(() => sluice.stdout.lines.find((each) => each.includes("correlationId=text")), {
    what: "the line",
  });
  const caller = String.raw`client=127.0.0.1 caller="ana \u009b31m" jti=j-1 rpcMethod=tools/call`;
  assert(line.includes(String.raw`${caller} tool="no\u009b31m\nsuch" code=TOOL_NOT_FOUND`), line);
});

Deno.test("A call that another replica serves has a line at both, under one correlation id", async () => {
  await using upstream = FastUpstream.start();
  await withTwo(async (one, other) => {
    await one.registerUpstream("fast", upstream.url);
    await known(other, "fast-echo");
    const token = await one.token({ username: "ana@example.com", claims: { jti: "j-1" } });
    const session = inSession(await openSession(one, { token }));
    for (const [tool, code] of [["fast-echo", undefined], ["nothing", "TOOL_NOT_FOUND"]] as const) {
      const headers = { "x-correlation-id": `to-${tool}`, ...session };
      assertEquals((await post(other, toolCall(tool), { token, headers })).status, 200);
      for (const [replica, endpoint] of [[other, "mcp"], [one, "replica"]] as const) {
        const [line] = await linesOf(replica, `to-${tool}`, 1);
        assertEquals(facts(line!), [
          "request",
          "127.0.0.1",
          "ana@example.com",
          "j-1",
          "tools/call",
          tool,
          code,
        ]);
        assertEquals(line!.endpoint, endpoint);
      }
    }
  }, LOGGED);
});
