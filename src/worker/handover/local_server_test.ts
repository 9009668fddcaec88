import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { principal } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import type { McpReply, McpRequest } from "../../downstream/exchange/mcp_exchange.ts";
import { LocalServer } from "./local_server.ts";

const never = new AbortController().signal;

const REQUEST: McpRequest = {
  method: "POST",
  principal: principal(),
  serverId: null,
  sessionId: "s",
  headers: new Headers(),
  protocolVersion: null,
  acceptsStream: true,
  acceptsJson: true,
  body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
};

const SESSIONLESS: McpRequest = { ...REQUEST, sessionId: null, protocolVersion: "2026-07-28" };

function server({ takesSessionless = true } = {}) {
  const calls: string[] = [];
  const local = new LocalServer({
    tracer: null,
    clock: new FakeClock(),
    registration: { confirm: () => (calls.push("confirm"), Promise.resolve()) },
  });
  const reply = (by: string): McpReply => ({ status: 200, headers: {}, body: by });
  local.register("session", () => (calls.push("session"), Promise.resolve(reply("session"))));
  local.register("sse_stream", () => (calls.push("sse"), Promise.resolve(reply("sse"))));
  local.register(
    "pending_call",
    () => (calls.push("sessionless"), Promise.resolve(takesSessionless ? reply("sessionless") : null)),
  );
  return { local, calls };
}

Deno.test("LocalServer.serve() asks the owner of what the request is for, once this replica is known to be itself still", async () => {
  const { local, calls } = server();
  for (const request of [REQUEST, { ...REQUEST, isForSse: true } as const, SESSIONLESS]) {
    await local.serve(request, never);
  }
  assertEquals(calls, ["confirm", "session", "confirm", "sse", "confirm", "sessionless"]);
});

Deno.test("LocalServer.serve() asks the owner of sessions for what turns out to claim no revision", async () => {
  const { local, calls } = server({ takesSessionless: false });
  assertEquals((await local.serve(SESSIONLESS, never)).body, "session");
  assertEquals(calls, ["confirm", "sessionless", "session"]);
});

Deno.test("LocalServer.serve() serves one request between replicas once", async () => {
  const { local, calls } = server();
  const forwarded = { ...REQUEST, forwardedAs: "nonce" };
  await local.serve(forwarded, never);
  const error = await assertRejects(() => local.serve(forwarded, never), SluiceError);
  assertEquals([error.code, calls.filter((name) => name === "session").length], ["UNAUTHENTICATED", 1]);
  await local.serve({ ...REQUEST, forwardedAs: "another" }, never);
});

Deno.test("LocalServer.serve() of a process that is alone confirms nothing", async () => {
  const local = new LocalServer({ clock: new FakeClock(), registration: null, tracer: null });
  local.register("session", () => Promise.resolve({ status: 204, headers: {}, body: null }));
  assertEquals((await local.serve(REQUEST, never)).status, 204);
});
